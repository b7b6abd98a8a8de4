"""What was tried and what became of it, on disk.

An attempt's row is committed with full sync before the first byte of its request is written, so a crash at any moment
leaves either no request or a row that says one may have been sent. The journal holds no secrets and no raw answers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from sqlalchemy import ColumnElement, Row, and_, event, func, insert, or_, select, true, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from firmly_mcp.errors import NotAllowed
from firmly_mcp.money import Money

from . import schema
from .attempts import IN_DOUBT, LEGAL, Attempt, Draft, Outcome, State

# A finished order answers the same wish for this long instead of being placed again.
PLACED_WINDOW = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Begun:
    """What `Journal.begin` did: a new attempt, or the one that this wish already belongs to."""

    attempt: Attempt
    is_new: bool


class Journal:
    """The attempts of one shopper in one environment. Open it with `async with await Journal.open(...)`."""

    def __init__(self, engine: AsyncEngine, environment: str, shopper: str, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._mine = and_(schema.attempts.c.environment == environment, schema.attempts.c.shopper == shopper)
        self._owner = {"environment": environment, "shopper": shopper}
        self._now = now

    @classmethod
    async def open(cls, path: Path, *, environment: str, shopper: str, now: Callable[[], datetime]) -> Self:
        """Open the journal file, or make it (0600), and bring its tables up to date.

        Raises:
            NotAllowed: it cannot be written or is damaged; no order may be sent without it.
        """
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600, exist_ok=True)  # noqa: ASYNC240 - microseconds, once
            async with AsyncExitStack() as stack:
                engine = _engine(path)
                stack.push_async_callback(engine.dispose)
                async with engine.begin() as connection:
                    await schema.migrate(connection)
                stack.pop_all()
        except (OSError, SQLAlchemyError) as error:
            raise _unusable(error) from None
        return cls(engine, environment, shopper, now)

    async def close(self) -> None:
        """Close the file."""
        await self._engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def begin(self, attempt_id: str, draft: Draft) -> Begun:
        """Write a new attempt as `sending`, or return the attempt that this wish already belongs to.

        The search and the insert are one `BEGIN IMMEDIATE` transaction: of two processes with the same wish, one writes
        and the other finds.

        Raises:
            NotAllowed: the journal cannot be written.
        """
        try:
            async with self._engine.begin() as connection:
                found = await self._find(connection, draft)
                if found is not None:
                    return Begun(found, is_new=False)
                return Begun(await self._insert(connection, attempt_id, draft), is_new=True)
        except SQLAlchemyError as error:
            raise _unusable(error) from None

    async def find(self, draft: Draft) -> Attempt | None:
        """The attempt that this wish already belongs to: one in doubt, or one placed a short while ago."""
        async with self._engine.begin() as connection:
            return await self._find(connection, draft)

    async def latest(self, store: str, *, within: timedelta) -> Attempt | None:
        """The last attempt at this store, if it began within this time."""
        table = schema.attempts
        since = _stamp(self._now() - within)
        rows = await self._select(and_(table.c.store == store, table.c.begun_at >= since), limit=1)
        return rows[0] if rows else None

    async def attempt(self, attempt_id: str) -> Attempt | None:
        """One attempt by its id."""
        rows = await self._select(schema.attempts.c.id == attempt_id, limit=1)
        return rows[0] if rows else None

    async def attempts(self, *, limit: int, before: int | None = None) -> Sequence[Attempt]:
        """Attempts, newest first, numbered below `before`."""
        table = schema.attempts
        return await self._select(table.c.number < before if before else true(), limit=limit)

    async def sending(self, store: str) -> Sequence[Attempt]:
        """The attempts at this store whose outcome was not written yet: live ones, and those a crash left behind."""
        table = schema.attempts
        return await self._select(and_(table.c.store == store, table.c.state == State.SENDING))

    async def note(self, attempt: Attempt, step: str) -> None:
        """Add a step to an attempt's history."""
        async with self._engine.begin() as connection:
            await self._log(connection, attempt.id, step)

    async def end(self, attempt: Attempt, outcome: Outcome) -> Attempt:
        """Move an attempt to its outcome, if the table of legal moves allows it, and return it as it now is.

        A move that is not legal (an order that is placed never becomes anything else) changes nothing.
        """
        table = schema.attempts
        before = [state for state, after in LEGAL.items() if outcome.state in after]
        values = {**_outcome_columns(outcome), "ended_at": _stamp(self._now())}
        async with self._engine.begin() as connection:
            change = update(table).where(self._mine, table.c.id == attempt.id, table.c.state.in_(before))
            moved = await connection.execute(change.values(values))
            if moved.rowcount:
                await self._log(connection, attempt.id, outcome.state)
            row = (await connection.execute(select(table).where(table.c.id == attempt.id))).one()
            return _attempt(row)

    async def _find(self, connection: AsyncConnection, draft: Draft) -> Attempt | None:
        table = schema.attempts
        same_cart = table.c.cart_id == draft.cart_id if draft.cart_id else table.c.id.is_(None)
        recent = _stamp(self._now() - PLACED_WINDOW)
        # A cart id is sent once, ever; the same wish may be sent again when its last order is old and certain.
        open_wish = and_(
            table.c.purchase_key == draft.purchase_key,
            or_(table.c.state.in_(IN_DOUBT), and_(table.c.state == State.PLACED, table.c.ended_at >= recent)),
        )
        spent_cart = and_(same_cart, table.c.state != State.NOT_PLACED)
        query = (
            select(table)
            .where(self._mine, table.c.store == draft.store, or_(open_wish, spent_cart))
            .order_by(table.c.number.desc())
            .limit(1)
        )
        row = (await connection.execute(query)).one_or_none()
        return None if row is None else _attempt(row)

    async def _insert(self, connection: AsyncConnection, attempt_id: str, draft: Draft) -> Attempt:
        table = schema.attempts
        last = (await connection.execute(select(func.max(table.c.number)))).scalar_one()
        values = {
            **self._owner,
            **_draft_columns(draft),
            "id": attempt_id,
            "number": (last or 0) + 1,
            "state": State.SENDING,
            "begun_at": _stamp(self._now()),
        }
        await connection.execute(insert(table).values(values))
        await self._log(connection, attempt_id, State.SENDING)
        row = (await connection.execute(select(table).where(table.c.id == attempt_id))).one()
        return _attempt(row)

    async def _log(self, connection: AsyncConnection, attempt_id: str, step: str) -> None:
        entry = {"attempt_id": attempt_id, "at": _stamp(self._now()), "step": step}
        await connection.execute(insert(schema.events).values(entry))

    async def _select(self, where: ColumnElement[bool], limit: int | None = None) -> Sequence[Attempt]:
        table = schema.attempts
        query = select(table).where(self._mine, where).order_by(table.c.number.desc()).limit(limit)
        async with self._engine.begin() as connection:
            return [_attempt(row) for row in await connection.execute(query)]


def _engine(path: Path) -> AsyncEngine:
    # One connection, taken in turn: two transactions on it at once would be one.
    url = f"sqlite+aiosqlite:///{path}"
    engine = create_async_engine(url, poolclass=AsyncAdaptedQueuePool, pool_size=1, max_overflow=0)

    @event.listens_for(engine.sync_engine, "connect")
    def _configure(connection: Any, _: object) -> None:  # SQLAlchemy's adapter has no public type
        # SQLAlchemy, not the driver, opens the transactions: the driver's own would begin as deferred.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
            cursor.execute(f"PRAGMA {pragma}")
        if sys.platform == "darwin":
            cursor.execute("PRAGMA fullfsync=ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _unusable(error: Exception) -> NotAllowed:
    return NotAllowed(
        f"The journal cannot be used ({type(error).__name__}), and no order is sent without it. "
        "Check the data directory's disk and permissions, then try again."
    )


def _stamp(moment: datetime) -> str:
    """UTC with microseconds, so that the text sorts as the time does."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _draft_columns(draft: Draft) -> dict[str, object]:
    return {
        "store": draft.store,
        "tool": draft.tool,
        "purchase_key": draft.purchase_key,
        "digest": draft.digest,
        "cart_id": draft.cart_id,
        "total_amount": draft.total.plain,
        "currency": draft.total.currency,
        "lines": "\n".join(draft.lines),
        "card_label": draft.card_label,
        "card_brand": draft.card_brand,
        "card_last_four": draft.card_last_four,
    }


def _outcome_columns(outcome: Outcome) -> dict[str, object]:
    columns: dict[str, object] = {
        "state": outcome.state,
        "order_number": outcome.order_number,
        "charged_amount": outcome.charged.plain if outcome.charged else None,
        "charged_currency": outcome.charged.currency if outcome.charged else None,
        "reason": outcome.reason,
        "error_name": outcome.error_name,
    }
    return columns | ({"cart_id": outcome.cart_id} if outcome.cart_id else {})


def _attempt(row: Row[Any]) -> Attempt:
    charged = Money.parse(row.charged_amount, row.charged_currency) if row.charged_amount else None
    return Attempt(
        id=row.id,
        number=row.number,
        draft=Draft(
            store=row.store,
            tool=row.tool,
            purchase_key=row.purchase_key,
            digest=row.digest,
            cart_id=row.cart_id,
            total=Money.parse(row.total_amount, row.currency),
            lines=tuple(row.lines.split("\n")) if row.lines else (),
            card_label=row.card_label,
            card_brand=row.card_brand,
            card_last_four=row.card_last_four,
        ),
        outcome=Outcome(
            state=State(row.state),
            order_number=row.order_number,
            charged=charged,
            reason=row.reason,
            error_name=row.error_name,
            cart_id=row.cart_id,
        ),
        begun_at=datetime.fromisoformat(row.begun_at),
        ended_at=datetime.fromisoformat(row.ended_at) if row.ended_at else None,
    )
