"""The attempts that are there already: of the same purchase, on the same cart, at the same store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Select, and_, bindparam, case, literal, or_, select

from firmly_mcp.checkout.models import Attempt, State

from .schema import IS_IN_DOUBT, MINE, attempt_of, attempts, stamp


class Keys(Protocol):
    """What finds the attempts of a purchase; None is what is not known."""

    @property
    def store(self) -> str: ...
    @property
    def intent_key(self) -> str | None: ...
    @property
    def purchase_key(self) -> str | None: ...
    @property
    def cart_id(self) -> str | None: ...
    @property
    def reference(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class PurchaseKeys:
    """The keys of a purchase before there is an attempt.

    `intent_key` is of the refs that an order call names; `purchase_key` of the variants in a cart that was read.
    """

    store: str
    intent_key: str | None = None
    purchase_key: str | None = None
    cart_id: str | None = None
    reference: str | None = None


def belongs_to(
    connection: Connection, owner: Mapping[str, str], keys: Keys, *, placed_since: datetime, repeat: bool
) -> Attempt | None:
    """Return the newest attempt for the same purchase. With `repeat`, ignore placed attempts."""
    wish = {
        "its_store": keys.store,
        "its_intent": keys.intent_key,
        "its_wish": keys.purchase_key,
        "its_cart": keys.cart_id,
        "its_reference": keys.reference,
        "placed_since": stamp(placed_since),
        "placed_counts": not repeat,
    }
    return _first(connection, _SAME, owner, **wish)


def on_cart(connection: Connection, owner: Mapping[str, str], store: str, cart_id: str | None) -> Attempt | None:
    """Return the attempt that most likely used this cart up; without an id, the newest one with a cart of the shopper.

    Of several attempts with one cart, one that is placed comes before one in doubt, and that before one that a person
    ended.
    """
    if cart_id is None:
        return _first(connection, _NEWEST_CART, owner, its_store=store)
    return _first(connection, _ON_CART, owner, its_store=store, its_cart=cart_id)


def bought(connection: Connection, owner: Mapping[str, str], keys: Keys, *, since: datetime) -> Attempt | None:
    """Return the newest placed attempt for the same purchase."""
    wish = {"its_store": keys.store, "its_wish": keys.purchase_key, "its_intent": keys.intent_key}
    return _first(connection, _BOUGHT, owner, **wish, placed_since=stamp(since))


def earlier_at(
    connection: Connection, owner: Mapping[str, str], store: str | None, *, since: datetime
) -> Attempt | None:
    """Return the newest attempt in doubt at a store, or at any; else the newest one placed since then."""
    return _first(connection, _EARLIER, owner, its_store=store, placed_since=stamp(since))


def read_further(
    connection: Connection, owner: Mapping[str, str], store: str | None, *, now: datetime
) -> Sequence[Attempt]:
    """Return the attempts at a store, or at any, whose outcome the store may still show; newest first."""
    rows = connection.execute(_READ_FURTHER, {**owner, "its_store": store, "at": stamp(now)})
    return [attempt_of(row) for row in rows]


def no_longer_read(connection: Connection, owner: Mapping[str, str], *, now: datetime) -> Sequence[Attempt]:
    """Return the attempts that were read further, and whose time is over."""
    return [attempt_of(row) for row in connection.execute(_OVER, {**owner, "at": stamp(now)})]


def with_alarm(connection: Connection, owner: Mapping[str, str], *, since: datetime) -> Sequence[Attempt]:
    """Return the attempts with an alarm that was raised since then, newest first."""
    return [attempt_of(row) for row in connection.execute(_ALARMED, {**owner, "placed_since": stamp(since)})]


def number_is_anothers(connection: Connection, owner: Mapping[str, str], attempt: Attempt, number: str | None) -> bool:
    """Return whether an order number belongs to another attempt, or may: one in doubt has the same cart."""
    wish = {"its_store": attempt.store, "its_id": attempt.id, "its_number": number}
    return _first(connection, _ANOTHERS, owner, **wish, its_cart=attempt.cart_id) is not None


def _first(connection: Connection, statement: Select[Any], owner: Mapping[str, str], **terms: object) -> Attempt | None:
    row = connection.execute(statement.limit(1), {**owner, **terms}).one_or_none()
    return None if row is None else attempt_of(row)


_column: Final = attempts.c
_NEWEST: Final = select(attempts).where(MINE).order_by(_column.number.desc())
_HERE: Final = _column.store == bindparam("its_store")
_HERE_OR_ANYWHERE: Final = or_(_HERE, bindparam("its_store").is_(None))
# What is no cart and what has no reference is NULL, which is the same as nothing.
_WANTED: Final = or_(_column.purchase_key == bindparam("its_wish"), _column.intent_key == bindparam("its_intent"))
_WISH: Final = or_(_WANTED, _column.reference == bindparam("its_reference"))
_RECENT: Final = and_(
    bindparam("placed_counts"), _column.state == State.PLACED, _column.ended_at >= bindparam("placed_since")
)
_PLACED: Final = and_(_column.state == State.PLACED, _column.ended_at > bindparam("placed_since"))
_CART: Final = _column.cart_id == bindparam("its_cart")
# A cart id is sent once, ever; the same wish may be sent again when its last order is old and certain.
_SPENT_CART: Final = and_(_CART, _column.state != State.NOT_PLACED)
_SAME: Final = _NEWEST.where(_HERE, or_(and_(_WISH, or_(IS_IN_DOUBT, _RECENT)), _SPENT_CART))
_LIKELIEST: Final = case(
    (_column.state == State.PLACED, 0), (IS_IN_DOUBT, 1), (_column.watched_until.is_not(None), 2), else_=3
)
_ON_CART: Final = select(attempts).where(MINE, _HERE, _CART).order_by(_LIKELIEST, _column.number.desc())
_NEWEST_CART: Final = _NEWEST.where(_HERE, _column.tool == "complete_order")
_BOUGHT: Final = _NEWEST.where(_HERE, _WANTED, _PLACED)
_EARLIER: Final = (
    select(attempts)
    .where(MINE, _HERE_OR_ANYWHERE, or_(IS_IN_DOUBT, _PLACED))
    .order_by(case((IS_IN_DOUBT, 0), else_=1), _column.number.desc())
)
_IS_WATCHED: Final = _column.watched_until > bindparam("at")
_READ_FURTHER: Final = _NEWEST.where(_HERE_OR_ANYWHERE, or_(IS_IN_DOUBT, _IS_WATCHED))
_OVER: Final = _NEWEST.where(_column.watched_until <= bindparam("at"))
_ALARMED: Final = _NEWEST.where(_column.alarm != literal(""), _column.ended_at >= bindparam("placed_since"))
_ANOTHERS: Final = _NEWEST.where(
    _HERE,
    _column.id != bindparam("its_id"),
    or_(_column.order_number == bindparam("its_number"), and_(_CART, IS_IN_DOUBT)),
)
