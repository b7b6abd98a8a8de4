"""What the assistant's host said that it can do, when it last spoke to a server here, and what follows from that."""

from __future__ import annotations

from collections.abc import Sequence

from firmly_mcp.server.last_host import LastHost, last_host

from .aside import aside
from .examined import Examined
from .findings import Finding, ok, skipped


async def host(examined: Examined) -> Sequence[Finding]:
    """The host, and one sentence on each thing that it declared or did not."""
    told = await aside(lambda: last_host(examined.settings.data_dir))
    if told is None:
        return [skipped("host", "No assistant has connected yet; what it can do is told here then.")]
    return [ok("host", _name(told)), ok("host links", _links(told)), ok("host forms", _forms(told)), _progress(told)]


def _name(told: LastHost) -> str:
    name = f"{told.name} {told.version}".strip() or "A host without a name"
    over = "standard input and output" if told.transport == "stdio" else "HTTP"
    return f"{name} spoke MCP {told.protocol} over {over}, last on {told.at:%Y-%m-%d %H:%M} UTC."


def _links(told: LastHost) -> str:
    if "elicitation.url" in told.can:
        return "It can show you a link: you are asked for a yes inside of it."
    return "It shows no links: a page opens in your browser, or the answer names a command to run."


def _forms(told: LastHost) -> str:
    if "elicitation.form" in told.can:
        return "It can show forms; none is used, because a card or a yes never goes through a host."
    return "It shows no forms, and none is needed."


def _progress(told: LastHost) -> Finding:
    sampling = "offers" if "sampling" in told.can else "does not offer"
    said = f"It asks for progress call by call and declares nothing of it; it {sampling} sampling, which is not needed."
    return ok("host progress", said)
