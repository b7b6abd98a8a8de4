"""The README's tables, made from the code they describe. `cog --check` fails when one is out of date."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from firmly_mcp import errors
from firmly_mcp.cli import command
from firmly_mcp.server.app import TOOLS
from firmly_mcp.settings import VARIABLES, Settings
from tests.endpoints import ENDPOINTS


def tools_table() -> str:
    """Each tool with what it does."""
    rows = ((f"`{tool.function.__name__}`", _first_sentences(tool.function.__doc__)) for tool in TOOLS)
    return _table(("tool", "what it does"), rows)


def settings_table() -> str:
    """Each setting, its variable and what it means."""
    fields = Settings.model_fields.items()
    rows = ((f"`{name}`", _variable(name), field.description or "") for name, field in fields)
    return _table(("in config.toml", "variable", "meaning"), rows)


def commands_table() -> str:
    """Each command that is not hidden."""
    return _table(("command", "what it does"), _commands(command, "firmly-mcp"))


def errors_table() -> str:
    """Each class of the error tree."""
    rows = (
        (f"`{kind.code}`", kind.__name__, "yes" if kind.retry_safe else "no", (kind.__doc__ or "").split("\n")[0])
        for kind in _tree(errors.FirmlyError)
    )
    return _table(("code", "class", "safe to repeat", "meaning"), rows)


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


def _code(name: str | None) -> str:
    return f"`{name}`" if name else "–"  # noqa: RUF001 - a dash in a cell, not a minus


def _variable(name: str) -> str:
    return f"`{VARIABLES[name]}`" if name in VARIABLES else "file only"


def _commands(group: click.Group, name: str) -> Iterator[tuple[str, str]]:
    for child in group.commands.values():
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
