"""MCP clients, and our entry in their lists of servers: `change.plan` works a change out, `change.write` makes it.

A client's file belongs to a person: only our own entry is shown, written or removed. This room imports `settings`,
`data_dir` and `errors`.
"""
