"""What rules answer: yes, ask a person, or no; each with the rule that decided, in the rules file's own words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Allow:
    """The rules say yes; `rule` is the one that did."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A person has to say yes."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Deny:
    """The rules say no, and no yes helps."""

    rule: str
    reason: str


Verdict = Allow | Ask | Deny


@dataclass(frozen=True, slots=True)
class Step:
    """One rule over one order: it refuses, asks or allows the order, or holds and has nothing against it."""

    rule: str
    verdict: Literal["refuse", "ask", "allow", "holds"]
    reason: str
