"""The `firmly-mcp` command. One file per noun: its commands, questions and output. A file loads when it is called."""
