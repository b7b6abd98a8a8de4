"""The person's rules: their file, their evaluation, and what a person accepted."""
