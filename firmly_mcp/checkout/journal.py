"""What was tried and what became of it, on disk.

An attempt's row is committed with full sync before the first byte of its request is written, so a crash at any moment
leaves either no request or a row that says one may have been sent. The journal holds no secrets and no raw answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from sqlalchemy import ColumnElement, and_, case, false, func, insert, or_, select, true, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from firmly_mcp.errors import NotAllowed, WalletError
from firmly_mcp.money import Money

from . import schema
from .approvals import Approvals
from .attempts import IN_DOUBT, LEGAL, Attempt, Draft, Outcome, State
from .mark import Kept, Mark, refuse_unless_continued
from .rows import attempt_of, draft_columns, outcome_columns, stamp
from .rules import History
from .whole import whole

# A finished order answers the same wish for this long instead of being placed again.
PLACED_WINDOW = timedelta(minutes=10)
DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Permit:
    """By what right an attempt is made: `check` raises if the rules now say no; `approval` is the yes that is used up.

    `channel` is how the yes came: `rules`, `terminal`, later a page. A finished order answers the same wish for
    `window` instead of being placed again.
    """

    check: Callable[[History], None]
    approval: str | None = None
    channel: str = "rules"
    window: timedelta = PLACED_WINDOW


@dataclass(frozen=True, slots=True)
class Begun:
    """What `Journal.begin` did: a new attempt, or the one that this wish already belongs to."""

    attempt: Attempt
    is_new: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """How a wish stands before it is decided: the attempt that it belongs to, and what the rules look back at."""

    found: Attempt | None
    history: History


class Journal:
    """The attempts of one shopper in one environment. Open it with `async with await Journal.open(...)`."""

    def __init__(
        self, engine: AsyncEngine, kept: Kept, environment: str, shopper: str, now: Callable[[], datetime]
    ) -> None:
        self._engine = engine
        self._kept = kept
        self._continued = False
        self._mine = and_(schema.attempts.c.environment == environment, schema.attempts.c.shopper == shopper)
        self.approvals = Approvals(engine, environment, shopper, now)
        self._owner = {"environment": environment, "shopper": shopper}
        self._now = now

    @classmethod
    async def open(cls, path: Path, kept: Kept, *, environment: str, shopper: str, now: Callable[[], datetime]) -> Self:
        """Open the journal file, or make it (0600), and bring its tables up to date. `kept` is where its mark is.

        Raises:
            NotAllowed: it cannot be written or is damaged; no order may be sent without it.
        """
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600, exist_ok=True)  # noqa: ASYNC240 - microseconds, once
            async with AsyncExitStack() as stack:
                engine = schema.open_file(path)
                stack.push_async_callback(engine.dispose)
                async with engine.begin() as connection:
                    await schema.migrate(connection)
                stack.pop_all()
        except (OSError, SQLAlchemyError) as error:
            raise _unusable(error) from None
        return cls(engine, kept, environment, shopper, now)

    async def close(self) -> None:
        """Close the file."""
        await self._engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @whole
    async def begin(self, attempt_id: str, draft: Draft, permit: Permit, *, repeat: bool = False) -> Begun:
        """Write a new attempt as `sending`, or return the attempt that this wish already belongs to.

        The search, the permission and the insert are one `BEGIN IMMEDIATE` transaction: of two processes with the same
        wish, one writes and the other finds; of two that spend the last of a limit, one is refused.

        Raises:
            NotAllowed: the permission does not hold any more, or the journal cannot be written.
        """
        await self._refuse_unless_continued()
        try:
            async with self._engine.begin() as connection:
                found = await self._find(connection, draft, permit.window, repeat=repeat)
                if found is not None:
                    return Begun(found, is_new=False)
                permit.check(await self._history(connection, draft))
                if permit.approval is not None:
                    await self.approvals.use(connection, permit.approval, permit.channel)
                attempt = await self._insert(connection, attempt_id, draft, permit.approval)
                mark = await self._mark(connection)
        except SQLAlchemyError as error:
            raise _unusable(error) from None
        await self._remember(attempt, mark)
        return Begun(attempt, is_new=True)

    @whole
    async def find(self, draft: Draft, window: timedelta = PLACED_WINDOW, *, repeat: bool = False) -> Attempt | None:
        """The attempt that this wish already belongs to: one in doubt, or one placed within the window.

        With `repeat`, one that is placed does not count: the same is wished once more.
        """
        async with self._engine.begin() as connection:
            return await self._find(connection, draft, window, repeat=repeat)

    @whole
    async def standing(self, draft: Draft, window: timedelta, *, repeat: bool) -> Standing:
        """`find` and `history` at one moment: an attempt that begins between the two would be missed by both."""
        async with self._engine.begin() as connection:
            found = await self._find(connection, draft, window, repeat=repeat)
            return Standing(found, await self._history(connection, draft))

    @whole
    async def history(self, draft: Draft) -> History:
        """What was spent in the last 24 hours in the draft's currency, and the doubts at its store."""
        async with self._engine.begin() as connection:
            return await self._history(connection, draft)

    async def latest(self, store: str, *, within: timedelta) -> Attempt | None:
        """The last attempt at this store, if it began within this time."""
        table = schema.attempts
        since = stamp(self._now() - within)
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

    async def in_doubt(self) -> Sequence[Attempt]:
        """The attempts of which nobody knows yet how they ended."""
        return await self._select(schema.attempts.c.state.in_(IN_DOUBT))

    @whole
    async def explain(self, attempt: Attempt, reason: str) -> Attempt:
        """Say more of why an attempt is in doubt; its state stays."""
        table = schema.attempts
        mine = and_(self._mine, table.c.id == attempt.id, table.c.state == State.UNKNOWN)
        async with self._engine.begin() as connection:
            await connection.execute(update(table).where(mine).values(reason=reason))
            row = (await connection.execute(select(table).where(table.c.id == attempt.id))).one()
            return attempt_of(row)

    @whole
    async def accept(self) -> None:
        """Take this journal as the right one from here on, as a person says."""
        async with self._engine.begin() as connection:
            mark = await self._mark(connection)
        await self._kept.save(mark.to_text())
        self._continued = True

    @whole
    async def end(self, attempt: Attempt, outcome: Outcome) -> Attempt:
        """Move an attempt to its outcome, if the table of legal moves allows it, and return it as it now is.

        A move that is not legal (an order that is placed never becomes anything else) changes nothing.
        """
        table = schema.attempts
        before = [state for state, after in LEGAL.items() if outcome.state in after]
        values = {**outcome_columns(outcome), "ended_at": stamp(self._now())}
        async with self._engine.begin() as connection:
            change = update(table).where(self._mine, table.c.id == attempt.id, table.c.state.in_(before))
            moved = await connection.execute(change.values(values))
            if moved.rowcount:
                await self._log(connection, attempt.id, outcome.state)
            row = (await connection.execute(select(table).where(table.c.id == attempt.id))).one()
            return attempt_of(row)

    async def _refuse_unless_continued(self) -> None:
        if not self._continued:
            async with self._engine.begin() as connection:
                mark = await self._mark(connection)
            refuse_unless_continued(Mark.from_text(await self._kept.load()), mark)
            self._continued = True

    async def _remember(self, attempt: Attempt, mark: Mark) -> None:
        """Keep the new number outside the file too; an attempt that cannot be remembered is not sent."""
        try:
            await self._kept.save(mark.to_text())
        except WalletError as error:
            await self.end(attempt, Outcome(State.NOT_PLACED, reason=error.message, error_name=error.code))
            raise

    async def _mark(self, connection: AsyncConnection) -> Mark:
        journal_id = (await connection.execute(select(schema.identity.c.id))).scalar_one()
        last = (await connection.execute(select(func.max(schema.attempts.c.number)).where(self._mine))).scalar_one()
        return Mark(journal_id, last or 0)

    async def _find(
        self, connection: AsyncConnection, draft: Draft, window: timedelta, *, repeat: bool
    ) -> Attempt | None:
        table = schema.attempts
        same_cart = table.c.cart_id == draft.cart_id if draft.cart_id else false()
        same_reference = table.c.reference == draft.reference if draft.reference else false()
        same_wish = or_(table.c.purchase_key == draft.purchase_key, same_reference)
        recent = and_(table.c.state == State.PLACED, table.c.ended_at >= stamp(self._now() - window))
        counts = table.c.state.in_(IN_DOUBT) if repeat else or_(table.c.state.in_(IN_DOUBT), recent)
        # A cart id is sent once, ever; the same wish may be sent again when its last order is old and certain.
        spent_cart = and_(same_cart, table.c.state != State.NOT_PLACED)
        query = (
            select(table)
            .where(self._mine, table.c.store == draft.store, or_(and_(same_wish, counts), spent_cart))
            .order_by(table.c.number.desc())
            .limit(1)
        )
        row = (await connection.execute(query)).one_or_none()
        return None if row is None else attempt_of(row)

    async def _history(self, connection: AsyncConnection, draft: Draft) -> History:
        table = schema.attempts
        since = stamp(datetime.fromisoformat(await self._time(connection)) - DAY)
        currency = draft.total.currency
        # What was charged counts, and what was approved where the charge is not known or came in another currency.
        charged = and_(table.c.charged_amount.is_not(None), table.c.charged_currency == currency)
        amount = case((charged, table.c.charged_amount), else_=table.c.total_amount)
        in_currency = or_(charged, table.c.currency == currency)
        spent = and_(table.c.state != State.NOT_PLACED, in_currency, table.c.begun_at > since)
        amounts = (await connection.execute(select(amount).where(self._mine, spent))).scalars()
        doubts = and_(table.c.store == draft.store, table.c.state.in_(IN_DOUBT))
        count = (await connection.execute(select(func.count()).where(self._mine, doubts))).scalar_one()
        total = sum((Money.parse(spent, currency) for spent in amounts), start=Money.parse(0, currency))
        return History(total, doubts=count)

    async def _time(self, connection: AsyncConnection) -> str:
        """The journal's time: the clock's, but never before its newest attempt.

        A clock that is set back makes no room for more, and neither does one that was ahead for a while.
        """
        newest = (await connection.execute(select(func.max(schema.attempts.c.begun_at)).where(self._mine))).scalar_one()
        return max(stamp(self._now()), newest or "")

    async def _insert(
        self, connection: AsyncConnection, attempt_id: str, draft: Draft, approval_id: str | None
    ) -> Attempt:
        table = schema.attempts
        last = (await connection.execute(select(func.max(table.c.number)))).scalar_one()
        values = {
            **self._owner,
            **draft_columns(draft),
            "id": attempt_id,
            "number": (last or 0) + 1,
            "state": State.SENDING,
            "begun_at": await self._time(connection),
            "approval_id": approval_id,
        }
        await connection.execute(insert(table).values(values))
        await self._log(connection, attempt_id, State.SENDING)
        row = (await connection.execute(select(table).where(table.c.id == attempt_id))).one()
        return attempt_of(row)

    async def _log(self, connection: AsyncConnection, attempt_id: str, step: str) -> None:
        entry = {"attempt_id": attempt_id, "at": stamp(self._now()), "step": step}
        await connection.execute(insert(schema.events).values(entry))

    @whole
    async def _select(self, where: ColumnElement[bool], limit: int | None = None) -> Sequence[Attempt]:
        table = schema.attempts
        query = select(table).where(self._mine, where).order_by(table.c.number.desc()).limit(limit)
        async with self._engine.begin() as connection:
            return [attempt_of(row) for row in await connection.execute(query)]


def _unusable(error: Exception) -> NotAllowed:
    return NotAllowed(
        f"The journal cannot be used ({type(error).__name__}), and no order is sent without it. "
        "Check the data directory's disk and permissions, then try again."
    )
