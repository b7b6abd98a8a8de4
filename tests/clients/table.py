"""The clients that buy something in the tests: which they are, in which version, and what they do not show."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
# The Python clients that are built on the SDK's 1.x live apart from those on 2.x.
_PYTHON_LOCKS: Final = (HERE / "requirements_mcp1.txt", HERE / "requirements_mcp2.txt")


@dataclass(frozen=True, slots=True)
class ForeignClient:
    """One client: its script, how it negotiates, whether it shows progress, and what it lacks.

    With `one_call` it keeps no connection between calls, and so buys without a cart. `a_yes` is what it does with an
    order that needs one.
    """

    name: str
    package: str
    script: str
    eras: tuple[str, ...]
    progress: bool
    lacks: str
    one_call: bool = False
    a_yes: str = "not tried"

    @property
    def lock(self) -> Path | None:
        """The lock file of its Python environment; None for a client that is a Node package."""
        return next((lock for lock in _PYTHON_LOCKS if self.package in _pinned(lock)), None)

    @property
    def version(self) -> str:
        """The exact version that the tests run."""
        if self.lock is not None:
            return _pinned(self.lock)[self.package]
        packages = json.loads((HERE / "package.json").read_text("utf-8"))["dependencies"]
        return str(packages[self.package])


def clients() -> list[ForeignClient]:
    """All of them, in the table's order."""
    rows = tomllib.loads((HERE / "clients.toml").read_text("utf-8"))["client"]
    return [ForeignClient(**row | {"eras": tuple(row["eras"])}) for row in rows]


def _pinned(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^(\S+)==(\S+)$", lock.read_text("utf-8"), re.MULTILINE))
