"""`python -m firmly_mcp` is `firmly-mcp`."""

from .cli import main

if __name__ == "__main__":
    main()
