"""What the journal says beside a new order, read in two statements: its facts, and what was spent.

Every window ends at the journal's time: the clock's, but never before the newest attempt. A clock that is set back
makes no room for more, and neither does one that was ahead for a while. What was spent is the larger of what was
approved and what was charged: no answer of a store and no amount that a person types makes room for more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Row, and_, bindparam, case, func, or_, select

from firmly_mcp.checkout.models import State
from firmly_mcp.checkout.policy.evaluate import WINDOWS, SpendingHistory, Spent
from firmly_mcp.money import Money

from .database import add
from .schema import IS_IN_DOUBT, MINE, UnreadableRow, stamp
from .schema import attempts as _attempts
from .schema import unlocks as _unlocks

# Two payments declined this close together lock their card.
LOCKING_WINDOW: Final = timedelta(hours=1)
_REFUSED: Final = "ErrorPaymentDeclined"


class About(Protocol):
    """What a history is about: a draft, or an order as the rules see it."""

    @property
    def store(self) -> str: ...
    @property
    def total(self) -> Money: ...
    @property
    def card_label(self) -> str: ...
    @property
    def address_hash(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Found:
    """A history, and the number of the journal's last attempt."""

    history: SpendingHistory
    last_number: int


def history_of(connection: Connection, owner: dict[str, str], about: About, clock: datetime) -> Found:
    """The history of an order that is about to be decided."""
    subject = owner | {"order_store": about.store, "card": about.card_label, "address": about.address_hash}
    facts = connection.execute(_FACTS, subject).one()
    now = journal_time(clock, facts.newest)
    since = {window: stamp(now - length) for window, length in WINDOWS.items()}
    currency = about.total.currency
    sums = connection.execute(_SUMS, subject | since | {"in_currency": currency}).all()
    history = SpendingHistory(
        now=now,
        spent=_spent(sums, currency),
        at_store=_spent((row for row in sums if row.at_store), currency),
        on_card=_spent((row for row in sums if row.on_card), currency),
        doubts=facts.doubts,
        store_since=_moment(facts.store_since),
        address_since=_moment(facts.address_since),
        card_locked=lock_a_card(_moments(facts.declined)),
    )
    return Found(history, facts.last_number)


def journal_time(clock: datetime, newest: str | None) -> datetime:
    """The clock's time, but never before the newest attempt's."""
    return max(clock, _moment(newest) or clock)


def declined_payments(connection: Connection, owner: dict[str, str], card_label: str) -> Sequence[datetime]:
    """When each declined payment began that a card has had since a person last unlocked it."""
    return _moments(connection.execute(select(_DECLINED), owner | {"card": card_label}).scalar_one())


def lock_a_card(declined: Sequence[datetime]) -> bool:
    """Whether two of these declined payments are so close together that their card is locked."""
    return any(later - earlier <= LOCKING_WINDOW for earlier, later in pairwise(sorted(declined)))


def _spent(sums: Iterable[Row[Any]], currency: str) -> Spent:
    day = week = month = Decimal(0)
    for row in sums:
        amount = Decimal(row.amount)
        month = add(month, amount)
        week = add(week, amount) if row.in_week else week
        day = add(day, amount) if row.in_day else day
    return Spent(*(Money.parse(total, currency) for total in (day, week, month)))


def _moments(joined: str | None) -> list[datetime]:
    return [moment for text in (joined or "").split() if (moment := _moment(text))]


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        raise UnreadableRow from None


_column: Final = _attempts.c
_HERE: Final = _column.store == bindparam("order_store")
_CARD: Final = _column.card_label == bindparam("card")
_PLACED: Final = _column.state == State.PLACED
_UNLOCKED: Final = (
    select(func.coalesce(func.max(_unlocks.c.after_number), 0))
    .where(_unlocks.c.environment == bindparam("environment"), _unlocks.c.shopper == bindparam("shopper"))
    .where(_unlocks.c.card_label == bindparam("card"))
    .scalar_subquery()
)
_REFUSED_PAYMENT: Final = and_(_column.state == State.NOT_PLACED, _column.error_name == _REFUSED)
_DECLINED: Final = (
    select(func.aggregate_strings(_column.begun_at, " "))
    .where(MINE, _CARD, _REFUSED_PAYMENT, _column.number > _UNLOCKED)
    .scalar_subquery()
)
_FACTS: Final = select(
    select(func.coalesce(func.max(_column.number), 0)).scalar_subquery().label("last_number"),
    select(func.max(_column.begun_at)).where(MINE).scalar_subquery().label("newest"),
    select(func.count()).where(MINE, _HERE, IS_IN_DOUBT).scalar_subquery().label("doubts"),
    select(func.min(_column.begun_at)).where(MINE, _HERE, _PLACED).scalar_subquery().label("store_since"),
    select(func.min(_column.begun_at))
    .where(MINE, _column.address_hash == bindparam("address"), _PLACED)
    .scalar_subquery()
    .label("address_since"),
    _DECLINED.label("declined"),
)
# The larger of what was approved and what was charged counts, each in its own currency: what a store or a person says
# was charged frees no room. A missing side is NULL, which counts as nothing.
_IS_APPROVED_IN: Final = _column.currency == bindparam("in_currency")
_IS_CHARGED_IN: Final = _column.charged_currency == bindparam("in_currency")
_APPROVED: Final = case((_IS_APPROVED_IN, _column.total_amount))
_CHARGED: Final = case((_IS_CHARGED_IN, _column.charged_amount))
# What counts for the same windows, stores and cards is one sum: a month can have thousands of rows.
_SUMS: Final = (
    select(
        func.exact_sum(_APPROVED, _CHARGED).label("amount"),
        (_column.begun_at > bindparam("day")).label("in_day"),
        (_column.begun_at > bindparam("week")).label("in_week"),
        _HERE.label("at_store"),
        _CARD.label("on_card"),
    )
    .where(MINE, _column.state != State.NOT_PLACED, _column.begun_at > bindparam("month"))
    .where(or_(_IS_APPROVED_IN, _IS_CHARGED_IN))
    .group_by("in_day", "in_week", "at_store", "on_card")
)
