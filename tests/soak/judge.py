"""The verdict: from the simulator's books, the journal's file and what was said yes to. The server is not asked."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from firmly_mcp.simulator.ledger import Charge

from .wishes import cents

Key = tuple[str, int]

_ATTEMPTS = """
    SELECT id, store, lines, state, order_number, total_amount, charged_amount, reason,
           begun_at, approval_id,
           (SELECT group_concat(step, ' ') FROM (SELECT step FROM events WHERE attempt_id = attempts.id ORDER BY id))
    FROM attempts WHERE ? IN ('', shopper) ORDER BY number
"""


@dataclass(frozen=True, slots=True)
class Row:
    """An attempt as the journal's file has it; amounts in cents."""

    id: str
    key: Key
    state: str
    order_number: str | None
    total: int
    charged: int | None
    reason: str
    begun_at: datetime
    approval: str | None
    steps: tuple[str, ...]

    @property
    def settled_later(self) -> bool:
        """Whether it was in doubt before its outcome was known."""
        return "unknown" in self.steps and self.state != "unknown"

    @property
    def by_a_person(self) -> bool:
        """Whether a person said how it ended."""
        return self.reason == "settled by a person"


@dataclass(frozen=True, slots=True)
class Statement:
    """What an agent was answered about a purchase. `before` and `after`: its charges in the books around the call.

    `money_moved` is None where an error names the attempt that it does not deny.
    """

    key: Key
    status: str
    money_moved: str | None
    order_number: str | None
    before: int
    after: int


@dataclass(slots=True)
class Verdict:
    """What was found. `broken` names each breach of a promise."""

    charges: int = 0
    placed: int = 0
    not_placed: int = 0
    unknown: int = 0
    settled_later: int = 0
    by_a_person: int = 0
    twice: int = 0
    above: int = 0
    lost: int = 0
    doubled: int = 0
    misstated: int = 0
    risen: int = 0
    risen_in_doubt: int = 0
    broken: list[str] = field(default_factory=list)


def read_journal(path: Path, shopper: str = "") -> list[Row]:
    """Every attempt, or those of one shopper; none while there is no journal."""
    if not path.exists():
        return []
    with closing(sqlite3.connect(path, timeout=10)) as journal:
        try:
            found = journal.execute(_ATTEMPTS, (shopper,)).fetchall()
        except sqlite3.OperationalError:  # the tables are not there yet
            return []
    return [_row(columns) for columns in found]


def newest_is_sending(path: Path) -> bool:
    """Whether the newest attempt has no outcome yet."""
    if not path.exists():
        return False
    with closing(sqlite3.connect(path, timeout=10)) as journal:
        try:
            found = journal.execute("SELECT state FROM attempts ORDER BY number DESC LIMIT 1").fetchone()
        except sqlite3.OperationalError:
            return False
    return bool(found == ("sending",))


def judge(
    charges: Sequence[Charge],
    rows: Iterable[Row],
    approved: Mapping[Key, int],
    could_rise: Iterable[Key],
    misled: Iterable[Key] = (),
) -> Verdict:
    """Compare. `approved` is the most that was said yes to for a wish, `could_rise`: a fault raised it inside.

    `misled`: the store stated another total than it charged, so nobody could name the amount that it took.
    """
    verdict = Verdict(charges=len(charges))
    attempts: dict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        attempts[row.key].append(row)
        _count(verdict, row)
        if row.total > approved.get(row.key, 0):
            _broken(verdict, "above", f"{row.id} was sent for {row.total} cents, {approved.get(row.key)} were approved")
    booked: dict[Key, list[Charge]] = defaultdict(list)
    for charge in charges:
        booked[key_of(charge)].append(charge)
    for key, paid in booked.items():
        if len(paid) > 1:
            verdict.twice += len(paid) - 2
            _broken(verdict, "twice", f"{key} was charged {len(paid)} times: {[c.order_number for c in paid]}")
        for charge in paid:
            _judge_charge(
                verdict,
                charge,
                attempts[key],
                approved.get(key, 0),
                rises=key in set(could_rise),
                misled=key in set(misled),
            )
    _judge_placed(verdict, attempts, booked)
    return verdict


def key_of(charge: Charge) -> Key:
    """Which wish a charge belongs to."""
    return charge.store, sum(line.quantity for line in charge.lines)


def judge_statements(verdict: Verdict, charges: Sequence[Charge], statements: Iterable[Statement]) -> None:
    """Compare what was stated with the books: no charge is denied, and no order number is another purchase's."""
    keys = {charge.order_number: key_of(charge) for charge in charges}
    for statement in statements:
        if statement.money_moved == "no" and statement.before:
            _broken(verdict, "misstated", f"{statement.key} had been charged, and the answer was {statement}")
        if statement.status == "placed" and keys.get(statement.order_number or "") != statement.key:
            _broken(verdict, "misstated", f"{statement.order_number} is no order of {statement.key}: {statement}")
        if statement.status == "protocol_error" and statement.after > statement.before:
            _broken(verdict, "misstated", f"{statement.key} was charged during a call that a protocol error ended")


def _judge_charge(
    verdict: Verdict, charge: Charge, rows: Sequence[Row], approved: int, *, rises: bool, misled: bool
) -> None:
    placed = [row for row in rows if row.state == "placed" and row.order_number == charge.order_number]
    doubtful = [row for row in rows if row.state in {"unknown", "sending"}]
    if not placed and not doubtful:
        states = [row.state for row in rows]
        _broken(verdict, "lost", f"{charge.order_number} is in the books; the journal has {states}")
    if charge.amount <= approved:
        return
    if not rises:
        _broken(verdict, "above", f"{charge.order_number} took {charge.amount} cents, {approved} were approved")
    elif not placed:
        verdict.risen_in_doubt += 1
    elif misled or all(row.charged == charge.amount for row in placed):
        verdict.risen += 1
    else:
        _broken(verdict, "above", f"{charge.order_number} rose to {charge.amount} cents, untold: {placed}")


def _judge_placed(
    verdict: Verdict, attempts: Mapping[Key, Sequence[Row]], booked: Mapping[Key, Sequence[Charge]]
) -> None:
    for key, rows in attempts.items():
        numbers = {charge.order_number for charge in booked.get(key, ())}
        for row in rows:
            if row.state == "placed" and row.order_number not in numbers:
                _broken(verdict, "lost", f"{row.id} is placed as {row.order_number}, which is not in the books")


def _count(verdict: Verdict, row: Row) -> None:
    verdict.placed += row.state == "placed"
    verdict.not_placed += row.state == "not_placed"
    verdict.unknown += row.state in {"unknown", "sending"}
    verdict.settled_later += row.settled_later and not row.by_a_person
    verdict.by_a_person += row.by_a_person


def _broken(verdict: Verdict, promise: str, what: str) -> None:
    setattr(verdict, promise, getattr(verdict, promise) + 1)
    verdict.broken.append(what)


def _row(columns: Sequence[str | None]) -> Row:
    id_, store, lines, state, number, total, charged, reason, begun_at, approval, steps = columns
    quantity = sum(int(line.partition(" x ")[0]) for line in (lines or "").split("\n"))
    return Row(
        id=str(id_),
        key=(str(store), quantity),
        state=str(state),
        order_number=number,
        total=cents(total) or 0,
        charged=cents(charged),
        reason=reason or "",
        begun_at=datetime.fromisoformat(str(begun_at)),
        approval=approval,
        steps=tuple((steps or "").split()),
    )
