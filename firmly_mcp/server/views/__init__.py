"""What a model sees: small, cleaned, typed results of the tools."""
