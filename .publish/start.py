"""What a host that reads only the bundle's entry point starts."""

from firmly_mcp.cli.main import main

main()
