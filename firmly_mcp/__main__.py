"""`python -m firmly_mcp` is `firmly-mcp`."""

from .cli.main import main

if __name__ == "__main__":
    main()
