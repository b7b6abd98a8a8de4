"""The only room where money is spent. It knows nothing of MCP or of HTTP frameworks."""
