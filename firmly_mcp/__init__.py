"""An MCP server that lets an AI assistant shop through Firmly.

The rooms, from the outside in: `server` speaks MCP, `checkout` spends money, `api` speaks to Firmly, `wallet` holds the
card. `simulator` is a Firmly to try it all against. `services` joins them; `cli` is the command.
"""

__version__ = "0.1.0"
