"""An approval: the question that a person answers. One quote, one answer, used once, and only for so long.

A yes is bound to the quote's digest: whoever approves reads the cart anew, and what is shown is what is placed. The
approval itself holds no address and no card, only their labels; a yes is never in it before a person gave it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, bindparam, func, insert, select, update

from firmly_mcp.checkout.models import Approval, ApprovalStatus, CardRef, OrderIntent
from firmly_mcp.errors import NotAllowed
from firmly_mcp.money import Money

from . import schema
from .database import Database
from .schema import UnreadableRow, stamp

_TABLE: Final = schema.approvals

# How long a person has to answer.
ANSWER_WITHIN: Final = timedelta(minutes=10)


class Approvals:
    """The questions of one shopper in one environment, in the journal's file."""

    def __init__(self, file: Database, owner: dict[str, str], now: Callable[[], datetime]) -> None:
        self._file = file
        self._owner = owner
        self._mine = schema.owned(_TABLE, owner)
        self._now = now

    async def ask(self, approval: Approval, purchase_key: str) -> Approval:
        """Write a question down, or return the open one that was asked of the same quote and wish.

        One question is open at a time: a new one takes the place of another that nobody has answered.

        Raises:
            NotAllowed: the journal is not at its path any more.
        """

        def transaction(connection: Connection) -> Approval:
            # A person would be asked about an order that cannot be made, and no other program would find the question.
            self._file.refuse_unless_in_place()
            for row in connection.execute(_OPEN, {**self._owner, "at": stamp(self._now())}):
                asked = _approval_of(row)
                if (asked.intent, asked.digest) == (approval.intent, approval.digest):
                    return asked
            replaced = update(_TABLE).where(self._mine, self._is_open())
            connection.execute(replaced.values(status=ApprovalStatus.REPLACED, answered_at=stamp(self._now())))
            values = {**self._owner, **_columns(approval), "purchase_key": purchase_key}
            connection.execute(insert(_TABLE), values)
            return approval

        return await self._file.write(transaction)

    async def get(self, approval_id: str) -> Approval | None:
        """One approval by its id."""
        found = await self._select(_BY_ID, its_id=approval_id)
        return found[0] if found else None

    async def open(self) -> Sequence[Approval]:
        """The questions that can still be answered, newest first."""
        return await self._select(_OPEN, at=stamp(self._now()))

    async def asked_since(self, moment: datetime) -> int:
        """How many questions were asked since then, answered or not."""
        asked = select(func.count()).where(self._mine, _TABLE.c.asked_at > stamp(moment))
        return await self._file.read(lambda connection: connection.execute(asked).scalar_one())

    async def declined(self, digest: str) -> Approval | None:
        """The no that a person gave to this quote, for as long as its question would have stood."""
        found = await self._select(_DECLINED, its_digest=digest, at=stamp(self._now()))
        return found[0] if found else None

    async def decline(self, approval_id: str, channel: str) -> bool:
        """Write down that a person said no, by which channel; False if the question was not open any more."""
        return await self._file.write(
            lambda connection: self._close(connection, approval_id, ApprovalStatus.DECLINED, channel)
        )

    def use(self, connection: Connection, approval_id: str, channel: str) -> None:
        """Use a yes up, inside the transaction that writes its attempt.

        Raises:
            NotAllowed: it was used, declined, or has expired.
        """
        if not self._close(connection, approval_id, ApprovalStatus.USED, channel):
            raise NotAllowed("This question was answered, replaced by another, or has expired. Nothing was sent.")

    def _close(self, connection: Connection, approval_id: str, status: ApprovalStatus, channel: str) -> bool:
        change = update(_TABLE).where(self._mine, _TABLE.c.id == approval_id, self._is_open())
        values = {"status": status, "answered_at": stamp(self._now()), "channel": channel}
        return bool(connection.execute(change.values(values)).rowcount)

    async def _select(self, statement: Select[Any], **terms: object) -> Sequence[Approval]:
        return await self._file.read(
            lambda connection: [_approval_of(row) for row in connection.execute(statement, {**self._owner, **terms})]
        )

    def _is_open(self) -> ColumnElement[bool]:
        return and_(_TABLE.c.status == ApprovalStatus.OPEN, _TABLE.c.expires_at > stamp(self._now()))


def _columns(approval: Approval) -> dict[str, object]:
    return {
        "id": approval.id,
        "store": approval.intent.store,
        "digest": approval.digest,
        "intent": json.dumps(approval.intent.to_json()),
        "total_amount": approval.total.plain,
        "currency": approval.total.currency,
        "lines": "\n".join(approval.lines),
        "card_label": approval.card and approval.card.label,
        "card_brand": approval.card and approval.card.brand,
        "card_last_four": approval.card and approval.card.last_four,
        "rule": approval.rule,
        "reason": approval.reason,
        "status": approval.status,
        "asked_at": stamp(approval.asked_at),
        "expires_at": stamp(approval.expires_at),
    }


def _approval_of(row: Row[Any]) -> Approval:
    try:
        return _read(row)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UnreadableRow from None


def _read(row: Row[Any]) -> Approval:
    return Approval(
        id=row.id,
        intent=OrderIntent.from_json(json.loads(row.intent)),
        digest=row.digest,
        total=Money.parse(row.total_amount, row.currency),
        lines=tuple(row.lines.split("\n")) if row.lines else (),
        card=None if row.card_label is None else CardRef(row.card_label, row.card_brand, row.card_last_four),
        rule=row.rule,
        reason=row.reason,
        status=ApprovalStatus(row.status),
        asked_at=datetime.fromisoformat(row.asked_at),
        expires_at=datetime.fromisoformat(row.expires_at),
    )


_column: Final = _TABLE.c
_NEWEST: Final = (
    select(_TABLE)
    .where(*(_column[name] == bindparam(name) for name in ("environment", "shopper")))
    .order_by(_column.asked_at.desc())
)
_STANDS: Final = _column.expires_at > bindparam("at")
_BY_ID: Final = _NEWEST.where(_column.id == bindparam("its_id"))
_OPEN: Final = _NEWEST.where(_column.status == ApprovalStatus.OPEN, _STANDS)
_DECLINED: Final = _NEWEST.where(
    _column.status == ApprovalStatus.DECLINED, _STANDS, _column.digest == bindparam("its_digest")
)
