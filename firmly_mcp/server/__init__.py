"""The MCP surface: typed tools over the rooms below. It never holds a card."""
