"""What was tried and what became of it, on disk.

An attempt's row is committed with full sync before the first byte of its request is written, so a crash at any moment
leaves either no request or a row that says one may have been sent. The journal holds no secrets and no raw answers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from pydantic import SecretStr
from sqlalchemy import Connection, Select, and_, bindparam, func, insert, select, update

from firmly_mcp.checkout.models import LEGAL, Attempt, Outcome, State, StoredText, contradiction, contradicts
from firmly_mcp.checkout.policy.evaluate import SpendingHistory
from firmly_mcp.checkout.quote import Quote
from firmly_mcp.errors import NotAllowed, WalletError
from firmly_mcp.money import Money
from firmly_mcp.redaction import OneUse
from firmly_mcp.settings import Owner

from . import lookup
from .approvals import Approvals
from .database import Database, as_others_see
from .history import About, declined_payments, history_of, lock_a_card
from .inspect import GuardEntry, keep, kept_mark, refuse_unless_continued
from .lookup import Keys
from .schema import (
    IS_IN_DOUBT,
    MINE,
    attempt_columns,
    attempt_of,
    attempts,
    events,
    identity,
    outcome_columns,
    owned,
    stamp,
    unlocks,
)

T = TypeVar("T")

# A finished order answers the same wish for this long instead of being placed again.
ATTENDED_WINDOW = timedelta(minutes=10)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """What authorizes one attempt: an approval that is consumed, or rules that are checked again in the transaction.

    `quote` is what was approved or allowed; nothing above it is sent. `recheck` raises if the rules now refuse; it is
    called in the journal's own thread, and only computes. `channel` is where it came from: `rules`, `terminal`, `page`.
    An order that was placed within `window` is returned instead of being placed again, unless `repeat`.
    """

    quote: Quote
    security_code: OneUse[SecretStr]
    recheck: Callable[[SpendingHistory], None]
    approval_id: str | None = None
    channel: str = "rules"
    window: timedelta = ATTENDED_WINDOW
    repeat: bool = False
    reference: str | None = None


class Journal:
    """The attempts and approvals of one shopper in one environment.

    Its file is opened, or made (0600), and brought up to date by the first transaction. `guard` holds the journal's id
    and last number outside of the file.
    """

    def __init__(self, path: Path, guard: StoredText, *, owner: Owner, now: Callable[[], datetime]) -> None:
        self._file = Database(path)
        self._guard = guard
        self._owner = asdict(owner)
        self._mine = owned(attempts, self._owner)
        self._now = now
        self.approvals = Approvals(self._file, self._owner, now)

    @property
    def exists(self) -> bool:
        """Whether earlier orders are recorded; a file that was removed while it is open here still has them."""
        return self._file.is_open or self._file.path.exists()

    async def close(self) -> None:
        """Close the file, if it was opened."""
        await self._file.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def last_kept(self) -> GuardEntry:
        """Return the journal's mark as the keyring has it. Numbers only grow, so `begin` may compare it later.

        Raises:
            NotAllowed, WalletError: what the keyring has cannot be read.
        """
        return kept_mark(await self._guard.load()) or GuardEntry(await self._file.journal_id(), 0)

    async def require_last(self) -> None:
        """Let nothing be concluded from what is missing in a journal that is not the last one.

        A keyring that cannot be read proves nothing, and keeps no attempt from being shown.

        Raises:
            NotAllowed: another journal, or an older copy, is at its path.
        """
        try:
            kept = await self.last_kept()
        except WalletError:
            return
        try:
            refuse_unless_continued(kept, await self._file.read(self._mark))
        except NotAllowed as error:
            error.money_moved = "unknown"
            raise

    async def begin(
        self, attempt: Attempt, authorization: Authorization, *, guard: GuardEntry | None = None
    ) -> Attempt:
        """Write a new attempt as `sending`, or return the attempt that this wish already belongs to.

        The search, the permission and the insert are one `BEGIN IMMEDIATE` transaction: of two processes with the same
        wish, one writes and the other finds; of two that spend the last of a limit, one is refused. In it the file is
        compared with the one at the path, and with `guard`, which is `last_kept` of a moment before.

        Raises:
            NotAllowed: the permission does not hold any more, or the journal cannot be written or is not the last one.
            WalletError: the keyring did not keep the attempt's number.
        """
        last_kept = guard or await self.last_kept()
        count = 0

        def transaction(connection: Connection) -> Attempt:
            nonlocal count
            self._file.refuse_unless_in_place()
            refuse_unless_continued(last_kept, self._mark(connection))
            found = self._find(connection, attempt, authorization.window, repeat=authorization.repeat)
            if found is not None:
                return found
            beside = history_of(connection, self._owner, attempt, self._now())
            authorization.recheck(beside.history)
            if authorization.approval_id is not None:
                self.approvals.use(connection, authorization.approval_id, authorization.channel)
            new = replace(
                attempt,
                number=beside.last_number + 1,
                outcome=Outcome(State.SENDING, cart_id=attempt.cart_id),
                begun_at=beside.history.now,
                is_new=True,
            )
            self._insert(connection, new, authorization.approval_id)
            count = connection.execute(_UP_TO, {"number": new.number}).scalar_one()
            return new

        begun = await self._file.write(transaction)
        if begun.is_new:
            await self._refuse_unless_seen(begun, count)
            await self._remember(begun)
        return begun

    async def find(self, keys: Keys, window: timedelta = ATTENDED_WINDOW, *, repeat: bool = False) -> Attempt | None:
        """The attempt that this wish already belongs to: one in doubt, or one placed within the window.

        With `repeat`, one that is placed does not count: the same is wished once more.
        """
        return await self._read(lambda connection: self._find(connection, keys, window, repeat=repeat))

    async def bought(self, keys: Keys, *, within: timedelta) -> Attempt | None:
        """The newest placed attempt for the same purchase, if it was placed within this time."""
        since = self._now() - within
        return await self._read(lambda connection: lookup.bought(connection, self._owner, keys, since=since))

    async def on_cart(self, store: str, cart_id: str | None) -> Attempt | None:
        """The attempt that used this cart up; without an id, the newest one that was sent with a cart of the store."""
        return await self._read(lambda connection: lookup.on_cart(connection, self._owner, store, cart_id))

    async def earlier_at(self, store: str | None, *, within: timedelta) -> Attempt | None:
        """The newest attempt in doubt at a store (None: at any), else the newest that was placed within this time."""
        since = self._now() - within
        return await self._read(lambda connection: lookup.earlier_at(connection, self._owner, store, since=since))

    async def read_further(self, store: str | None = None) -> Sequence[Attempt]:
        """The attempts at a store (None: at any) whose outcome the store may still show, newest first.

        They are in doubt, or a person ended them less than a month ago.
        """
        now = self._now()
        return await self._read(lambda connection: lookup.read_further(connection, self._owner, store, now=now))

    async def no_longer_read(self) -> Sequence[Attempt]:
        """The attempts that a person ended so long ago that the store is not read for them any more."""
        now = self._now()
        return await self._read(lambda connection: lookup.no_longer_read(connection, self._owner, now=now))

    async def alarms(self, *, within: timedelta) -> Sequence[Attempt]:
        """The attempts that ended within this time and have an alarm, newest first."""
        since = self._now() - within
        return await self._read(lambda connection: lookup.with_alarm(connection, self._owner, since=since))

    async def lookup(self, new: Attempt, window: timedelta, *, repeat: bool) -> Attempt | SpendingHistory:
        """`find`, or where there is nothing `history`: an attempt that begins between the two would be missed."""

        def transaction(connection: Connection) -> Attempt | SpendingHistory:
            found = self._find(connection, new, window, repeat=repeat)
            return found or history_of(connection, self._owner, new, self._now()).history

        return await self._file.read(transaction)

    async def history(self, about: About) -> SpendingHistory:
        """What the rules look back at: what was spent in its currency, and what else is known beside it."""
        return await self._file.read(
            lambda connection: history_of(connection, self._owner, about, self._now()).history,
        )

    async def attempt(self, attempt_id: str) -> Attempt | None:
        """One attempt by its id."""
        rows = await self._select(_BY_ID, its_id=attempt_id)
        return rows[0] if rows else None

    async def of_approval(self, approval_id: str) -> Attempt | None:
        """The attempt that a yes to this question began."""
        rows = await self._select(_OF_APPROVAL, its_approval=approval_id)
        return rows[0] if rows else None

    async def attempts(self, *, limit: int, before: int | None = None) -> Sequence[Attempt]:
        """Attempts, newest first, numbered below `before`."""
        return await self._select(_NUMBERED, below=before or _ABOVE_ALL, most=limit)

    async def sending(self, store: str) -> Sequence[Attempt]:
        """The attempts at this store whose outcome was not written yet: live ones, and those a crash left behind."""
        return await self._select(_SENDING, its_store=store)

    async def in_doubt(self) -> Sequence[Attempt]:
        """The attempts of which nobody knows yet how they ended."""
        return await self._select(_IN_DOUBT)

    async def explain(self, attempt: Attempt, reason: str) -> Attempt:
        """Say more of why an attempt is in doubt; its state stays."""

        def transaction(connection: Connection) -> Attempt:
            unknown = and_(self._mine, attempts.c.id == attempt.id, attempts.c.state == State.UNKNOWN)
            connection.execute(update(attempts).where(unknown).values(reason=reason))
            return _current(connection, attempt)

        return await self._file.write(transaction, money_moved="unknown")

    async def note(self, attempt: Attempt, charged: Money | None, alarm: str) -> Attempt:
        """Write down what the store shows of an order that a person ended as placed; its state stays."""
        columns = outcome_columns(replace(attempt.outcome, charged=charged))

        def transaction(connection: Connection) -> Attempt:
            placed = and_(self._mine, attempts.c.id == attempt.id, attempts.c.state == State.PLACED)
            connection.execute(update(attempts).where(placed).values(**columns, watched_until=None, alarm=alarm))
            return _current(connection, attempt)

        return await self._file.write(transaction, money_moved="yes")

    async def unwatch(self, attempt: Attempt) -> Attempt:
        """Read the store no further for an attempt that a person ended."""

        def transaction(connection: Connection) -> Attempt:
            this = and_(self._mine, attempts.c.id == attempt.id)
            connection.execute(update(attempts).where(this).values(watched_until=None))
            return _current(connection, attempt)

        return await self._file.write(transaction, money_moved="unknown")

    async def unlock_card(self, label: str) -> bool:
        """Let a card be used again, as a person says; False if it was not locked. `label` is as the wallet has it."""

        def transaction(connection: Connection) -> bool:
            if not lock_a_card(declined_payments(connection, self._owner, label)):
                return False
            last = self._mark(connection).number
            entry = {**self._owner, "card_label": label, "after_number": last, "at": stamp(self._now())}
            connection.execute(insert(unlocks), entry)
            return True

        return await self._file.write(transaction)

    async def accept(self) -> None:
        """Take this journal as the right one from here on, as a person says.

        Raises:
            NotAllowed: it is not at its path any more.
        """
        mark = await self._file.read(self._mark)
        self._file.refuse_unless_in_place()
        await self._guard.save(mark.to_text())

    async def end(
        self, attempt: Attempt, outcome: Outcome, *, watch: timedelta | None = None, is_reading: bool = False
    ) -> Attempt:
        """Move an attempt to its outcome, if the table of legal moves allows it, and return it as it now is.

        A move that is not legal (an order that is placed never becomes anything else) changes nothing. The store is
        read further for as long as `watch`. An order where none was recorded raises an alarm, whoever recorded that,
        and however short a while before. `is_reading`: the outcome was read off a cart, so such an order changes
        nothing where its number is, or may be, another attempt's. An outcome that no other program can read, because
        the file is gone or damaged, is logged.
        """
        before = [state for state, after in LEGAL.items() if outcome.state in after]
        now = self._now()
        values = {**outcome_columns(outcome), "ended_at": stamp(now)}
        values["watched_until"] = None if watch is None else stamp(now + watch)

        def transaction(connection: Connection) -> Attempt:
            recorded = _current(connection, attempt)
            contradicted = contradicts(recorded, outcome)
            if contradicted and is_reading and self._is_anothers(connection, attempt, outcome):
                return recorded
            change = update(attempts).where(self._mine, attempts.c.id == attempt.id, attempts.c.state.in_(before))
            raised = contradiction(recorded, outcome) if contradicted else None
            if connection.execute(change.values(alarm=raised, **values)).rowcount:
                self._log(connection, attempt.id, outcome.state)
            return _current(connection, attempt)

        ended = await self._file.write(transaction, money_moved="unknown")
        seen = await self._file.look(lambda path: as_others_see(path, ended.id, ended.number), money_moved="unknown")
        if not self._file.is_in_place or seen is None or seen[2] != ended.state:
            _log.error(
                "the order journal at %s does not show it, so only this program knows: %s is %s, order number %r, "
                "charged %s",
                *(self._file.path, ended.id, ended.state, ended.outcome.order_number, ended.outcome.charged),
            )
        return ended

    async def _refuse_unless_seen(self, attempt: Attempt, count: int) -> None:
        """Read the row back as another program would; an attempt that none would find is not sent."""
        expected = (await self._file.journal_id(), count, State.SENDING)
        if await self._file.look(lambda path: as_others_see(path, attempt.id, attempt.number)) == expected:
            return
        reason = (
            "The attempt was written to the order journal, but it cannot be read back from there, so the order would "
            "not be recorded. Nothing was sent. Restart this program, then look through your orders with `firmly-mcp "
            "orders list` and run `firmly-mcp doctor`."
        )
        await self._unsent(attempt, Outcome(State.NOT_PLACED, reason=reason, error_name=NotAllowed.code))
        raise NotAllowed(reason, next="firmly-mcp doctor")

    async def _remember(self, attempt: Attempt) -> None:
        """Keep the new number outside the file too; an attempt that cannot be remembered is not sent.

        Another process may have kept a later number while this one was being written. Its row was there before that,
        so the journal is looked at afterwards, and the number never stays below its last attempt's.
        """
        mark = GuardEntry(await self._file.journal_id(), attempt.number)
        try:
            await keep(self._guard, mark)
            while (last := await self._file.read(self._mark)).number > mark.number:
                mark = last
                await keep(self._guard, mark)
        except (NotAllowed, WalletError) as error:
            await self._unsent(attempt, Outcome(State.NOT_PLACED, reason=error.message, error_name=error.code))
            raise

    async def _unsent(self, attempt: Attempt, outcome: Outcome) -> None:
        try:
            await self.end(attempt, outcome)
        except NotAllowed:
            # Nothing was sent, and that is what the caller learns; the row that says otherwise is the lesser evil.
            _log.exception("an attempt that was not sent could not be ended in the journal")

    def _mark(self, connection: Connection) -> GuardEntry:
        last = connection.execute(select(func.max(attempts.c.number)).where(self._mine)).scalar_one()
        return GuardEntry(str(connection.execute(select(identity.c.id)).scalar_one()), last or 0)

    def _find(self, connection: Connection, keys: Keys, window: timedelta, *, repeat: bool) -> Attempt | None:
        since = self._now() - window
        return lookup.belongs_to(connection, self._owner, keys, placed_since=since, repeat=repeat)

    def _is_anothers(self, connection: Connection, attempt: Attempt, outcome: Outcome) -> bool:
        return lookup.number_is_anothers(connection, self._owner, attempt, outcome.order_number)

    async def _read(self, transaction: Callable[[Connection], T]) -> T:
        """Read what is then said of earlier orders; where that fails, nothing is known of them."""
        return await self._file.read(transaction, money_moved="unknown")

    def _insert(self, connection: Connection, attempt: Attempt, approval_id: str | None) -> None:
        values = {**self._owner, **attempt_columns(attempt), "approval_id": approval_id}
        connection.execute(insert(attempts), values)
        self._log(connection, attempt.id, attempt.state)

    def _log(self, connection: Connection, attempt_id: str, step: str) -> None:
        connection.execute(insert(events), {"attempt_id": attempt_id, "at": stamp(self._now()), "step": step})

    async def _select(self, statement: Select[Any], **terms: object) -> Sequence[Attempt]:
        return await self._read(
            lambda connection: [attempt_of(row) for row in connection.execute(statement, {**self._owner, **terms})]
        )


def _current(connection: Connection, attempt: Attempt) -> Attempt:
    return attempt_of(connection.execute(_ANYONES, {"its_id": attempt.id}).one())


_column: Final = attempts.c
_ABOVE_ALL: Final = 2**62
_UP_TO: Final = select(func.count()).where(_column.number <= bindparam("number"))
_ANYONES: Final = select(attempts).where(_column.id == bindparam("its_id"))
_NEWEST: Final = select(attempts).where(MINE).order_by(_column.number.desc())
_BY_ID: Final = _NEWEST.where(_column.id == bindparam("its_id"))
_OF_APPROVAL: Final = _NEWEST.where(_column.approval_id == bindparam("its_approval")).limit(1)
_HERE: Final = _column.store == bindparam("its_store")
_SENDING: Final = _NEWEST.where(_HERE, _column.state == State.SENDING)
_IN_DOUBT: Final = _NEWEST.where(IS_IN_DOUBT)
_NUMBERED: Final = _NEWEST.where(_column.number < bindparam("below")).limit(bindparam("most"))
