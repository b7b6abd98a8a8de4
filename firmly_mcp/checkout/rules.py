"""The spending rules, as pure functions: what an order may do without asking, what it must ask for, what it may not.

Per currency and in order of precedence: refuse, then ask, then allow. Whatever no rule allows is asked. An order in
doubt counts as spent, because it may be.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from firmly_mcp.errors import SettingsError
from firmly_mcp.money import Money

Limit = Annotated[Decimal | None, Field(ge=0, allow_inf_nan=False)]


class Limits(BaseModel):
    """The limits in one currency, in major units. A day is the last 24 hours."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    ask_above: Limit = None
    ask_above_a_day: Limit = None
    refuse_above: Limit = None
    refuse_above_a_day: Limit = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What a person wrote. Without limits for a currency, everything in it is asked."""

    limits: Mapping[str, Limits] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class History:
    """What the journal says beside a new order: spent in the last 24 hours, and doubts open at the store."""

    spent_today: Money
    doubts: int = 0


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

_CURRENCY: Final = r"^[A-Z]{3}$"
_FILE: Final = TypeAdapter(dict[Annotated[str, Field(pattern=_CURRENCY)], Limits])


def read_rules(text: str) -> Rules:
    """Rules from TOML: a table for each currency, such as `[USD]`, with the limits as its keys.

    Raises:
        SettingsError: unreadable or contradictory; while it is, no order may be sent.
    """
    try:
        rules = Rules(_FILE.validate_python(tomllib.loads(text)))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"The rules are not valid TOML: {error}. No order is sent until they are.") from None
    except ValidationError as error:
        places = "; ".join(".".join(map(str, problem["loc"])) + f": {problem['msg']}" for problem in error.errors())
        raise SettingsError(f"The rules are wrong: {places}. No order is sent until they are right.") from None
    for currency, limits in rules.limits.items():
        for ask, refuse in (("ask_above", "refuse_above"), ("ask_above_a_day", "refuse_above_a_day")):
            lower, upper = getattr(limits, ask), getattr(limits, refuse)
            if lower is not None and upper is not None and lower > upper:
                raise SettingsError(
                    f"The rules contradict each other: {currency}.{ask} is above {refuse}. No order is sent until "
                    "they do not."
                )
    return rules


def decide(
    rules: Rules, total: Money, history: History, *, repeat: bool = False, known_address: bool = True
) -> Verdict:
    """What the rules say of an order of this total, now.

    `repeat`: the same once more is wished for. `known_address`: a person entered the address it goes to, or approved an
    order to it before.
    """
    limits = rules.limits.get(total.currency, Limits())
    day = history.spent_today + total
    return (
        _refused(limits, total, day)
        or _asked_for_another_reason(history, repeat=repeat, known_address=known_address)
        or _asked(limits, total, day)
        or Allow("ask_above", f"{total} is within what your rules allow without asking.")
    )


def _refused(limits: Limits, total: Money, day: Money) -> Deny | None:
    if limits.refuse_above is not None and total.amount > limits.refuse_above:
        return Deny("refuse_above", f"{total} is above the {limits.refuse_above} that your rules set for one order.")
    if limits.refuse_above_a_day is not None and day.amount > limits.refuse_above_a_day:
        limit = limits.refuse_above_a_day
        return Deny("refuse_above_a_day", f"With it, {day} in 24 hours is above the {limit} that your rules set.")
    return None


def _asked_for_another_reason(history: History, *, repeat: bool, known_address: bool) -> Ask | None:
    if history.doubts:
        return Ask("doubt", "An earlier order at this store is in doubt: it may have been placed.")
    if repeat:
        return Ask("repeat", "The same was ordered a short while ago.")
    if not known_address:
        return Ask("address", "It goes to an address that you did not enter and never approved an order to.")
    return None


def _asked(limits: Limits, total: Money, day: Money) -> Ask | None:
    if limits.ask_above is None or limits.ask_above_a_day is None:
        return Ask("no_limit", f"Your rules allow nothing in {total.currency} without asking.")
    if total.amount > limits.ask_above:
        return Ask("ask_above", f"{total} is above the {limits.ask_above} that your rules allow without asking.")
    if day.amount > limits.ask_above_a_day:
        return Ask(
            "ask_above_a_day", f"With it, {day} in 24 hours is above the {limits.ask_above_a_day} of your rules."
        )
    return None
