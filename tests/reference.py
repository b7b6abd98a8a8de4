"""The reference's tables, made from the code that they describe. `cog --check` fails when one is out of date."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from textwrap import wrap
from typing import Final

import anyio
import click

from firmly_mcp import errors
from firmly_mcp.checkout.policy.file import read_rules
from firmly_mcp.checkout.policy.rules import in_words
from firmly_mcp.cli.main import command
from firmly_mcp.server.app import TOOLS
from firmly_mcp.server.published import definition_of
from firmly_mcp.settings import VARIABLES, Settings
from tests.clients.table import clients
from tests.documents import ROOT, subcommand
from tests.endpoints import ENDPOINTS
from tests.tokens import figures

# What is refused before a tool begins, and what the server's end cut.
_OF_NO_CLASS: Final = (
    ("invalid_arguments", False, "An argument is unknown, missing or of the wrong kind. Nothing was done."),
    (
        "cut_short",
        False,
        "The server ended before it answered a call that charges nothing; a change may have been made.",
    ),
    ("card_number_refused", False, "An argument holds a card number: the call was refused unread."),
)

REFERENCE: Final = Path(__file__).parents[1] / "firmly_mcp" / "docs" / "reference.md"


def import_order() -> str:
    """The layers of the import contracts, from the top down."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    orders = (contract for contract in contracts if contract["type"] == "layers")
    lines = (f"{order['containers'][0]}: {' > '.join(order['layers'])}" for order in orders)
    return "\n".join(
        ["```", *(wrapped for line in lines for wrapped in wrap(line, 118, subsequent_indent="  ")), "```"]
    )


def tools_table() -> str:
    """Each tool with what it does."""
    tools = [definition_of(place) for place in TOOLS]
    return _table(
        ("tool", "what it does"), ((f"`{tool['name']}`", _first_sentences(tool["description"])) for tool in tools)
    )


def settings_table() -> str:
    """Each setting, its variable and what it means."""
    fields = Settings.model_fields.items()
    rows = ((f"`{name}`", _variable(name), field.description or "") for name, field in fields)
    return _table(("in config.toml", "variable", "meaning"), rows)


def commands_table() -> str:
    """Each command that is not hidden."""
    return _table(("command", "what it does"), _commands(command, "firmly-mcp"))


def rules_table() -> str:
    """Each rule of the example that has all of them, in the product's own words."""
    return _table(
        ("rule", "what it means, with the amounts above"),
        ((f"`{rule}`", means) for rule, means in in_words(read_rules(rules_example()))),
    )


def rules_example() -> str:
    """The rules file that the reference shows."""
    blocks = re.findall(r"```toml\n(.*?)```", REFERENCE.read_text("utf-8"), re.DOTALL)
    return str(next(block for block in blocks if block.startswith("[USD]")))


def errors_table() -> str:
    """Each code of the error tree, and those of a call that no tool answered."""
    of_classes = (
        (kind.code, kind.retry_safe, (kind.__doc__ or "").split("\n")[0], kind.hint)
        for kind in _tree(errors.FirmlyError)
        if "code" in vars(kind)
    )
    of_calls = ((code, retry_safe, meaning, errors.CALL_HINTS[code]) for code, retry_safe, meaning in _OF_NO_CLASS)
    rows = (
        (f"`{code}`", "yes" if retry_safe else "no", meaning, following)
        for code, retry_safe, meaning, following in (*of_classes, *of_calls)
    )
    return _table(("code", "safe to repeat", "meaning", "next, where nothing better is known"), rows)


def tokens_table() -> str:
    """What the tools cost a model, in fifties, and what they may cost."""
    rows = (
        (figure.name, f"{math.ceil(figure.tokens / 50) * 50:,}", f"{figure.limit:,}") for figure in anyio.run(figures)
    )
    return _table(("what a model reads", "tokens, about", "at most"), rows)


def endpoints_table() -> str:
    """Each endpoint with the client's method, the tools behind it, and how sure its contract is."""
    rows = (
        (
            f"{endpoint.methods.replace(' ', ', ')} `{endpoint.path}`",
            _code(endpoint.client),
            ", ".join(_code(tool) for tool in endpoint.tools) or _code(None),
            endpoint.sure,
        )
        for endpoint in ENDPOINTS
    )
    return _table(("endpoint", "client method", "tool", "its contract is"), rows)


def clients_table() -> str:
    """Each client that buys something in the tests."""
    rows = (
        (client.name, client.version, "stdio, HTTP", ", ".join(map(_revision, client.eras)), client.a_yes, client.lacks)
        for client in clients()
    )
    head = ("client", "version", "buys over", "speaks", "an order that needs approval", "what it does not show")
    return _table(head, rows)


def _revision(era: str) -> str:
    return {"auto": "2026-07-28", "legacy": "2025-11-25"}[era]


def _code(name: str | None) -> str:
    return f"`{name}`" if name else "–"  # noqa: RUF001 - a dash in a cell, not a minus


def _variable(name: str) -> str:
    return f"`{VARIABLES[name]}`" if name in VARIABLES else "file only"


def _commands(group: click.Group, name: str) -> Iterator[tuple[str, str]]:
    for listed in group.commands:
        child = subcommand(group, listed)
        path = f"{name} {child.name}"
        if isinstance(child, click.Group):
            yield from _commands(child, path)
        else:
            yield f"`{path}`", (child.help or "").split("\n\n")[0].replace("\n", " ")


def _tree(kind: type[errors.FirmlyError]) -> Iterator[type[errors.FirmlyError]]:
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from _tree(child)


def _first_sentences(docstring: str | None) -> str:
    return " ".join((docstring or "").split())


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n" + "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"
