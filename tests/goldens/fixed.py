"""What is the same wherever it runs: definitions, help, the README's tables, the tree of errors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from firmly_mcp import errors
from tests.raw_server import raw_server

from .household import Household, household
from .scrub import ROOT

_LISTED: Final = re.compile(r"^Commands:\n((?:  .*\n)+)", re.MULTILINE)
_TABLE: Final = re.compile(r"<!-- \[\[\[cog\n(.*?)\]\]\] -->\n(.*?)<!-- \[\[\[end\]\]\] -->", re.DOTALL)
# What a class needs to be made, besides its message.
_NEEDED: Final[dict[str, dict[str, Any]]] = {
    "RuleDenied": {"rule": "USD.refuse_above"},
    "PinRefused": {"tries_left": 3},
    "QuoteChanged": {"difference": ["total: 1.00 USD to 2.00 USD"]},
    "AddressRefused": {"field": "city"},
    "CardNotFound": {"known": ["Visa"]},
    "AddressNotFound": {"known": ["Home"]},
    "KeyringUnavailable": {"fix": "The fix."},
}
_OF_STORES: Final = {"status": 422, "name": "ErrorName", "store_message": "said", "request_id": "r-1"}


def definitions() -> str:
    """The published tools as they come over the wire, in their order."""
    with household() as home, raw_server(home.environment, forked=True) as server:
        server.initialize()
        tools = server.request("tools/list", {})["result"]["tools"]
    return "\n".join(json.dumps(tool, ensure_ascii=False, indent=2) for tool in tools) + "\n"


def helps() -> str:
    """`--help` of every command, as the commands name each other."""
    with household() as home:
        _helps(home, ())
        home.run("--version")
        for hidden in ("nonsense", "cards"):
            home.run(hidden)
        return "\n".join(home.recorded)


def _helps(home: Household, path: tuple[str, ...]) -> None:
    shown = home.run(*path, "--help")
    for name in _listed(shown):
        if path or name not in {"install", "uninstall"}:  # these change by name
            _helps(home, (*path, name))


def _listed(shown: str) -> Iterator[str]:
    found = _LISTED.search(shown + "\n")
    for line in found[1].splitlines() if found else ():
        if line[2] != " ":
            yield line.split()[0]


def readme() -> str:
    """The reference's generated tables as they stand there, and those that take no time to make, as they are made."""
    from tests import reference as tables

    text = (ROOT / "firmly_mcp/docs/reference.md").read_text("utf-8")
    parts = [f"== {made.strip().splitlines()[-1]}\n{table}" for made, table in _TABLE.findall(text)]
    for make in (
        *(tables.tools_table, tables.settings_table, tables.commands_table, tables.errors_table),
        *(tables.endpoints_table, tables.clients_table),
    ):
        assert make() in text, f"{make.__name__} is not what the reference has"
    return "\n".join(parts)


def error_tree() -> str:
    """Every class of the error tree, with an error of it and the next step that its code has."""
    from tests.reference import errors_table

    rows = [[cell.strip().strip("`") for cell in row.split("|")] for row in errors_table().splitlines()]
    following = {row[1]: row[4] for row in rows if len(row) > 4}
    return "\n".join(_errors(errors.FirmlyError, 0, following)) + "\n"


def _errors(kind: type[errors.FirmlyError], depth: int, following: Mapping[str, str]) -> Iterator[str]:
    needed = _NEEDED.get(kind.__name__, _OF_STORES if issubclass(kind, errors.StoreError) else {})
    error = kind("What happened, then what to do.", **needed)
    facts = {
        "code": error.code,
        "message": error.message,
        "money_moved": error.money_moved,
        "retry_safe": error.retry_safe,
        "next": error.next or following.get(error.code),
    }
    yield f"{'  ' * depth}{kind.__name__}: {(kind.__doc__ or '').splitlines()[0]}"
    yield f"{'  ' * depth}  {json.dumps(facts, ensure_ascii=False)}"
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _errors(child, depth + 1, following)
