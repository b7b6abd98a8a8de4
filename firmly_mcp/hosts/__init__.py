"""The assistants that `firmly-mcp install` knows: where each keeps its list of servers, and how ours is put on it.

What is in such a file belongs to a person. Only our own entry is ever written, changed or removed; every edit is read
back before it is written, and refused if anything else would differ.
"""
