"""Attempts, approvals and spending history on disk, as SQLAlchemy Core statements."""
