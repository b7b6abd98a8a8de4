"""One line of what `doctor` says: how a thing stands and, where it is not well, exactly what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`says` is for the person; `fix` is a command or a line to write, empty where there is nothing to do."""

    check: str
    state: State
    says: str
    fix: str = ""


def ok(check: str, says: str) -> Finding:
    """All is well."""
    return Finding(check, "ok", says)


def warning(check: str, says: str, fix: str) -> Finding:
    """It works, or will when it is needed, and something about it wants a look."""
    return Finding(check, "warning", says, fix)


def failed(check: str, says: str, fix: str) -> Finding:
    """Something does not work until it is put right."""
    return Finding(check, "failed", says, fix)


def skipped(check: str, why: str) -> Finding:
    """It was not looked at."""
    return Finding(check, "skipped", why)
