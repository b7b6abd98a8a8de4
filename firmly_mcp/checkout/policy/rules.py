"""The rules as a person writes them: every table of the rules file and what may stand in it.

A table for a store or a card adds limits to its currency's and lifts none. Unknown keys are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import time, timedelta
from decimal import Decimal
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt

from firmly_mcp.api.encoding import store_name
from firmly_mcp.errors import InvalidRequest
from firmly_mcp.wallet.entries import label_key

_LENGTH: Final = re.compile(r"(\d{1,5}) ?([mhd])", re.ASCII)
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)


def _store(name: str) -> str:
    try:
        return store_name(name)
    except InvalidRequest:
        raise ValueError("is no store: a store is a host name such as luma.gift") from None


def _length(written: object) -> object:
    if written is None or isinstance(written, timedelta):
        return written
    found = _LENGTH.fullmatch(written) if isinstance(written, str) else None
    if found is None:
        raise ValueError('has to be a length of time such as "90m", "24h" or "7d"')
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _time(written: object) -> object:
    if isinstance(written, time) or (isinstance(written, str) and _TIME.fullmatch(written)):
        return written
    raise ValueError('has to be a time of day such as "08:00"')


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError('has to be a time zone such as "Europe/Berlin" or "UTC"') from None
    return name


Refusal = Literal["ask", "refuse"]
# Far above any order, and few enough digits for exact sums.
_MOST: Final = Decimal(10) ** 15
Amount = Annotated[Decimal | None, Field(ge=0, le=_MOST, allow_inf_nan=False)]
StoreName = Annotated[str, AfterValidator(_store)]
Length = Annotated[timedelta | None, BeforeValidator(_length)]
TimeOfDay = Annotated[time, BeforeValidator(_time)]


def in_quotes(name: str) -> str:
    """A name as it stands in a dotted key: in quotes where it holds more than letters, digits, - and _."""
    return name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True)


class Limits(_Table):
    """Limits in one currency, in major units. A day is the last 24 hours, a week 7 days, a month 30 days."""

    ask_above: Amount = None
    ask_above_a_day: Amount = None
    ask_above_a_week: Amount = None
    ask_above_a_month: Amount = None
    refuse_above: Amount = None
    refuse_above_a_day: Amount = None
    refuse_above_a_week: Amount = None
    refuse_above_a_month: Amount = None


class CurrencyRules(Limits):
    """The limits over everything in a currency, over single stores and over single cards, by label.

    `pin_above`: an approval up to this needs no PIN.
    """

    pin_above: Amount = None
    stores: Mapping[StoreName, Limits] = {}
    cards: Mapping[str, Limits] = {}


class StoreRules(_Table):
    """Where may be ordered, where without asking, and for how long a new store is asked about."""

    allowed: tuple[StoreName, ...] | None = None
    refused: tuple[StoreName, ...] = ()
    without_asking: tuple[StoreName, ...] | None = None
    cooling_off: Length = None


class AddressRules(_Table):
    """What becomes of orders to an address that no person entered or approved, and to one never ordered to before."""

    unknown: Refusal = "ask"
    cooling_off: Length = None


class OrderRules(_Table):
    """What an order may be at most, and which tool may make it."""

    largest_quantity: Annotated[StrictInt | None, Field(ge=1)] = None
    place_order: StrictBool = True


class HourRules(_Table):
    """The hours of a zone in which rules may allow; `from` later than `to` goes over midnight."""

    zone: Annotated[str, AfterValidator(_zone)]
    begin: TimeOfDay = Field(alias="from")
    end: TimeOfDay = Field(alias="to")
    outside: Refusal = "ask"


class Rules(_Table):
    """What a person wrote. What nothing here allows is asked; without a file, everything."""

    limits: Mapping[str, CurrencyRules] = {}
    stores: StoreRules = StoreRules()
    addresses: AddressRules = AddressRules()
    orders: OrderRules = OrderRules()
    hours: HourRules | None = None

    def limits_for(self, currency: str, store: str, card_label: str) -> Sequence[tuple[str, str, Limits]]:
        """The tables of limits that speak of such an order: their names, whom they are about, the limits.

        Whom they are about is `all`, `store` or `card`.
        """
        rules = self.limits.get(currency)
        if rules is None:
            return ()
        stores = [(f"stores.{in_quotes(name)}", "store", rules.stores[name]) for name in rules.stores if name == store]
        same = [name for name in rules.cards if label_key(name) == label_key(card_label)]
        cards = [(f"cards.{in_quotes(name)}", "card", rules.cards[name]) for name in same]
        within = [(f"{currency}.{name}", about, limits) for name, about, limits in (*stores, *cards)]
        return [(currency, "all", rules), *within]
