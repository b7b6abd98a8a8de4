"""Files as people have them: each kind of client file, by what is odd about it."""

from __future__ import annotations

from firmly_mcp.install.clients import CLIENTS

_BOM = b"\xef\xbb\xbf"


def layouts(client: str) -> dict[str, bytes]:
    """Files that can be written, with other servers and much that is none of ours."""
    if CLIENTS[client].is_toml:
        return _TOML
    return {name: raw.replace(b"KEY", CLIENTS[client].key.encode()) for name, raw in _JSON.items()}


def commented(client: str) -> dict[str, bytes]:
    """JSON files with comments."""
    return {name: raw.replace(b"KEY", CLIENTS[client].key.encode()) for name, raw in _COMMENTED.items()}


_ODD = b"""{
    // Mine, and commented.
    "theme": "dark",   /* never change this */
    "KEY": {
          "other": { "command": "npx", "args": ["-y", "other"], "env": {"TOKEN": "s3cret"} }  // keep
    },
    "unknown": [1.50, 2e3,   null], "x": "\\u00e9\\/"
}"""

_JSON = {
    "empty": b"",
    "blanks alone": b" \n\n",
    "an empty object": b"{}\n",
    "an empty object over lines": b"{\n}\n",
    "no list of servers": b'{\n  "theme": "dark"\n}\n',
    "an empty list": b'{\n\t"KEY": {}\n}\n',
    "an empty list over lines": b'{\n  "KEY": {\n  },\n  "b": 1\n}\n',
    "others": b'{\n  "KEY": {\n    "other": {\n      "command": "npx"\n    }\n  },\n  "b": 1\n}\n',
    "one line": b'{"a":1,"KEY":{"other":{"command":"npx"}}}',
    "one line and no list": b'{"a":1}',
    "trailing commas": b'{\n  "KEY": {\n    "other": {"command": "npx",},\n  },\n}\n',
    "CRLF": b'{\r\n    "KEY": {\r\n        "other": {\r\n            "command": "npx"\r\n        }\r\n    }\r\n}\r\n',
    "a byte order mark": _BOM + b'{\r\n\t"KEY": {\r\n\t\t"other": {}\r\n\t}\r\n}',
    "what looks like a comment": b'{"KEY": {"other": {"url": "https://x//y", "text": "/* none */ \\" // none"}}}',
}

_COMMENTED = {
    "odd indentation and comments": _ODD,
    "a comment last in the list": b'{\n  "KEY": {\n    "other": {} // the last one\n    // no more\n  }\n}\n',
    "comments alone": b"// nothing here yet\n/* really */\n",
}

_CODEX = b"""# Mine, and commented.
model = "gpt"   # never change this
notify = [
  "a",
  ["[mcp_servers.fake]"],
]

[mcp_servers.other]
command = "npx"
env = { TOKEN = "s3cret" }

# About the projects.
[projects."/home/ana/x"]
trust_level = "trusted"
text = '''
[mcp_servers.firmly_not]
'''
"""

_TOML = {
    "empty": b"",
    "blanks alone": b"\n\n",
    "keys alone": b'model = "gpt"\n',
    "others": b'[mcp_servers.other]\ncommand = "npx"\n',
    "comments, nested lists and long strings": _CODEX,
    "no newline at the end": b'[mcp_servers.other]\ncommand = "npx"',
    "CRLF": _CODEX.replace(b"\n", b"\r\n"),
    "a byte order mark": _BOM + b'model = "gpt"\r\n\r\n[mcp_servers.other]\r\ncommand = "npx"\r\n',
    "a list in braces": b'mcp_servers = { other = { command = "npx" } } # all of them\nmodel = "gpt"\n',
    "the list's own table": b'[mcp_servers]\n\n[mcp_servers.other]\ncommand = "npx"\n\n\n# the end\n',
}
