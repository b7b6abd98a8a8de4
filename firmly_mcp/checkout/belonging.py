"""The attempt that a wish already belongs to: one in doubt, or one placed a short while ago."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, bindparam, or_, select

from .attempts import Attempt, Draft, State
from .rows import attempt_of, stamp
from .schema import IS_IN_DOUBT, MINE, attempts


def belongs_to(
    connection: Connection, owner: Mapping[str, str], draft: Draft, *, placed_since: datetime, repeat: bool
) -> Attempt | None:
    """The newest attempt that this wish is; with `repeat`, one that is placed is not: the same is wished once more."""
    wish = {
        "its_store": draft.store,
        "its_wish": draft.purchase_key,
        "its_cart": draft.cart_id,
        "its_reference": draft.reference,
        "placed_since": stamp(placed_since),
        "placed_counts": not repeat,
    }
    row = connection.execute(_SAME, {**owner, **wish}).one_or_none()
    return None if row is None else attempt_of(row)


# What is no cart and what has no reference is NULL, which is the same as nothing.
_column: Final = attempts.c
_WISH: Final = or_(_column.purchase_key == bindparam("its_wish"), _column.reference == bindparam("its_reference"))
_RECENT: Final = and_(
    bindparam("placed_counts"), _column.state == State.PLACED, _column.ended_at >= bindparam("placed_since")
)
# A cart id is sent once, ever; the same wish may be sent again when its last order is old and certain.
_SPENT_CART: Final = and_(_column.cart_id == bindparam("its_cart"), _column.state != State.NOT_PLACED)
_SAME: Final = (
    select(attempts)
    .where(MINE, _column.store == bindparam("its_store"), or_(and_(_WISH, or_(IS_IN_DOUBT, _RECENT)), _SPENT_CART))
    .order_by(_column.number.desc())
    .limit(1)
)
