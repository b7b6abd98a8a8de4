"""The journal's tables as they are now; `migrations` brings an older file here."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    and_,
    bindparam,
    func,
    or_,
    text,
)

from firmly_mcp.checkout.models import IN_DOUBT, Attempt, CardRef, Outcome, State
from firmly_mcp.errors import NotAllowed
from firmly_mcp.money import Money

metadata = MetaData()

attempts = Table(
    "attempts",
    metadata,
    Column("id", String, primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("environment", String, nullable=False),
    Column("shopper", String, nullable=False),
    Column("store", String, nullable=False),
    Column("tool", String, nullable=False),
    Column("purchase_key", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("cart_id", String),
    Column("total_amount", String, nullable=False),
    Column("currency", String, nullable=False),
    Column("lines", String, nullable=False),
    Column("card_label", String, nullable=False),
    Column("card_brand", String, nullable=False),
    Column("card_last_four", String, nullable=False),
    Column("state", String, nullable=False),
    Column("order_number", String),
    Column("charged_amount", String),
    Column("charged_currency", String),
    Column("reference", String),
    Column("approval_id", String, ForeignKey("approvals.id")),
    Column("reason", String, nullable=False, server_default=""),
    Column("error_name", String, nullable=False, server_default=""),
    Column("begun_at", String, nullable=False),
    Column("ended_at", String),
    Column("address_hash", String),
    Column("intent_key", String),
    Column("watched_until", String),
    Column("alarm", String),
    Index("attempts_by_wish", "environment", "shopper", "store", "purchase_key"),
    Index("attempts_by_cart", "cart_id"),
    Index("attempts_by_time", "environment", "shopper", "begun_at"),
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", String, primary_key=True),
    Column("environment", String, nullable=False),
    Column("shopper", String, nullable=False),
    Column("store", String, nullable=False),
    Column("purchase_key", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("intent", String, nullable=False),
    Column("total_amount", String, nullable=False),
    Column("currency", String, nullable=False),
    Column("lines", String, nullable=False),
    Column("rule", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("status", String, nullable=False),
    Column("channel", String),
    Column("asked_at", String, nullable=False),
    Column("expires_at", String, nullable=False),
    Column("answered_at", String),
    Column("card_label", String),
    Column("card_brand", String),
    Column("card_last_four", String),
    Index("approvals_by_wish", "environment", "shopper", "store", "purchase_key"),
)

# A person's word that a card may be used again: what was declined up to this attempt no longer counts.
unlocks = Table(
    "unlocks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("environment", String, nullable=False),
    Column("shopper", String, nullable=False),
    Column("card_label", String, nullable=False),
    Column("after_number", Integer, nullable=False),
    Column("at", String, nullable=False),
    Index("unlocks_by_card", "environment", "shopper", "card_label"),
)

# One row: which journal this is, however often it is copied or restored.
identity = Table("identity", metadata, Column("id", String, primary_key=True))

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("attempt_id", String, ForeignKey("attempts.id"), nullable=False, index=True),
    Column("at", String, nullable=False),
    Column("step", String, nullable=False),
)

# The attempts of one shopper in one environment, of whom nobody knows how they ended; parts of statements that are
# made once, because making one costs more than running it.
MINE = and_(attempts.c.environment == bindparam("environment"), attempts.c.shopper == bindparam("shopper"))

IS_IN_DOUBT = or_(*(attempts.c.state == state for state in sorted(IN_DOUBT)))


def owned(table: Table, owner: Mapping[str, str]) -> ColumnElement[bool]:
    """The rows of one shopper in one environment."""
    return and_(*(table.c[name] == value for name, value in owner.items()))


# The numbered steps that bring an older journal up to date; `user_version` in the file says how many it has had.

_FIRST: Final = (
    """CREATE TABLE identity (id VARCHAR NOT NULL, PRIMARY KEY (id))""",
    """CREATE TABLE approvals (
        id VARCHAR NOT NULL, environment VARCHAR NOT NULL, shopper VARCHAR NOT NULL, store VARCHAR NOT NULL,
        purchase_key VARCHAR NOT NULL, digest VARCHAR NOT NULL, wish VARCHAR NOT NULL, total_amount VARCHAR NOT NULL,
        currency VARCHAR NOT NULL, lines VARCHAR NOT NULL, rule VARCHAR NOT NULL, reason VARCHAR NOT NULL,
        answer VARCHAR NOT NULL, channel VARCHAR, asked_at VARCHAR NOT NULL, expires_at VARCHAR NOT NULL,
        answered_at VARCHAR, PRIMARY KEY (id))""",
    """CREATE INDEX approvals_by_wish ON approvals (environment, shopper, store, purchase_key)""",
    """CREATE TABLE attempts (
        id VARCHAR NOT NULL, number INTEGER NOT NULL, environment VARCHAR NOT NULL, shopper VARCHAR NOT NULL,
        store VARCHAR NOT NULL, tool VARCHAR NOT NULL, purchase_key VARCHAR NOT NULL, digest VARCHAR NOT NULL,
        cart_id VARCHAR, total_amount VARCHAR NOT NULL, currency VARCHAR NOT NULL, lines VARCHAR NOT NULL,
        card_label VARCHAR NOT NULL, card_brand VARCHAR NOT NULL, card_last_four VARCHAR NOT NULL,
        state VARCHAR NOT NULL, order_number VARCHAR, charged_amount VARCHAR, charged_currency VARCHAR,
        reference VARCHAR, approval_id VARCHAR, reason VARCHAR DEFAULT '' NOT NULL,
        error_name VARCHAR DEFAULT '' NOT NULL, begun_at VARCHAR NOT NULL, ended_at VARCHAR,
        PRIMARY KEY (id), UNIQUE (number), FOREIGN KEY(approval_id) REFERENCES approvals (id))""",
    """CREATE INDEX attempts_by_cart ON attempts (cart_id)""",
    """CREATE INDEX attempts_by_wish ON attempts (environment, shopper, store, purchase_key)""",
    """CREATE TABLE events (
        id INTEGER NOT NULL, attempt_id VARCHAR NOT NULL, at VARCHAR NOT NULL, step VARCHAR NOT NULL,
        PRIMARY KEY (id), FOREIGN KEY(attempt_id) REFERENCES attempts (id))""",
    """CREATE INDEX ix_events_attempt_id ON events (attempt_id)""",
    """INSERT INTO identity (id) VALUES (:new_id)""",
)

# What the rules look back at: where an order goes, all of a month, and when a person unlocked a card.
_SECOND: Final = (
    """ALTER TABLE attempts ADD COLUMN address_hash VARCHAR""",
    """CREATE INDEX attempts_by_time ON attempts (environment, shopper, begun_at)""",
    """CREATE TABLE unlocks (
        id INTEGER NOT NULL, environment VARCHAR NOT NULL, shopper VARCHAR NOT NULL, card_label VARCHAR NOT NULL,
        after_number INTEGER NOT NULL, at VARCHAR NOT NULL, PRIMARY KEY (id))""",
    """CREATE INDEX unlocks_by_card ON unlocks (environment, shopper, card_label)""",
)

# What an order call names, until when the store is read after a person's word, and what such a reading found.
_THIRD: Final = (
    """ALTER TABLE attempts ADD COLUMN intent_key VARCHAR""",
    """ALTER TABLE attempts ADD COLUMN watched_until VARCHAR""",
    """ALTER TABLE attempts ADD COLUMN alarm VARCHAR""",
    """UPDATE attempts SET watched_until = strftime('%Y-%m-%dT%H:%M:%f000+00:00', ended_at, '+30 days')
        WHERE reason = 'settled by a person'""",
)

# Names that the rest of the program uses, and the card that an approval names.
_FOURTH: Final = (
    """ALTER TABLE approvals RENAME COLUMN wish TO intent""",
    """ALTER TABLE approvals RENAME COLUMN answer TO status""",
    """ALTER TABLE approvals ADD COLUMN card_label VARCHAR""",
    """ALTER TABLE approvals ADD COLUMN card_brand VARCHAR""",
    """ALTER TABLE approvals ADD COLUMN card_last_four VARCHAR""",
)

STEPS: Final[Sequence[Sequence[str]]] = (_FIRST, _SECOND, _THIRD, _FOURTH)
NEWEST: Final = len(STEPS)


def migrate(connection: Connection) -> None:
    """Run the steps that this file has not had.

    Raises:
        NotAllowed: a newer version of this program wrote it.
    """
    done = (connection.exec_driver_sql("PRAGMA user_version")).scalar_one()
    if done > len(STEPS):
        raise NotAllowed(
            "The journal of orders was written by a newer version of firmly-mcp, and no order is sent without it. "
            "Nothing was changed. Use that version, or upgrade this one."
        )
    for number, step in enumerate(STEPS[done:], start=done + 1):
        for statement in step:
            values = {"new_id": secrets.token_hex(16)} if ":new_id" in statement else {}
            connection.execute(text(statement), values)
        connection.exec_driver_sql(f"PRAGMA user_version = {number}")


# Rows of the journal and what they stand for, both ways.


class UnreadableRow(Exception):
    """A row that nothing here ever wrote."""


def stamp(moment: datetime) -> str:
    """A time as the journal writes it: UTC with microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def attempt_columns(attempt: Attempt) -> dict[str, object]:
    """The columns of a new attempt."""
    return {
        "id": attempt.id,
        "number": attempt.number,
        "state": attempt.state,
        "begun_at": stamp(attempt.begun_at),
        "store": attempt.store,
        "tool": attempt.tool,
        "purchase_key": attempt.purchase_key,
        "digest": attempt.digest,
        "cart_id": attempt.cart_id,
        "total_amount": attempt.total.plain,
        "currency": attempt.total.currency,
        "lines": "\n".join(attempt.lines),
        "card_label": attempt.card.label,
        "card_brand": attempt.card.brand,
        "card_last_four": attempt.card.last_four,
        "reference": attempt.reference,
        "address_hash": attempt.address_hash,
        "intent_key": attempt.intent_key,
    }


def outcome_columns(outcome: Outcome) -> dict[str, object]:
    """The columns that an outcome changes."""
    columns: dict[str, object] = {
        "state": outcome.state,
        "order_number": outcome.order_number,
        "charged_amount": outcome.charged.plain if outcome.charged else None,
        "charged_currency": outcome.charged.currency if outcome.charged else None,
        "reason": outcome.reason,
        "error_name": outcome.error_name,
    }
    # The cart that was sent stays the cart that was sent, whichever id the store's answer has: it is sent once, ever.
    return columns | ({"cart_id": func.coalesce(attempts.c.cart_id, outcome.cart_id)} if outcome.cart_id else {})


def attempt_of(row: Row[Any]) -> Attempt:
    """An attempt from its row.

    Raises:
        UnreadableRow: somebody else wrote it, or the file is damaged.
    """
    try:
        return _attempt_of(row)
    except (ValueError, TypeError, AttributeError):
        raise UnreadableRow from None


def _attempt_of(row: Row[Any]) -> Attempt:
    charged = Money.parse(row.charged_amount, row.charged_currency) if row.charged_amount else None
    return Attempt(
        id=row.id,
        number=row.number,
        store=row.store,
        tool=row.tool,
        purchase_key=row.purchase_key,
        digest=row.digest,
        cart_id=row.cart_id,
        total=Money.parse(row.total_amount, row.currency),
        lines=tuple(row.lines.split("\n")) if row.lines else (),
        card=CardRef(row.card_label, row.card_brand, row.card_last_four),
        reference=row.reference,
        address_hash=row.address_hash,
        intent_key=row.intent_key,
        outcome=Outcome(
            state=State(row.state),
            order_number=row.order_number,
            charged=charged,
            reason=row.reason,
            error_name=row.error_name,
            cart_id=row.cart_id,
        ),
        begun_at=datetime.fromisoformat(row.begun_at),
        ended_at=_moment(row.ended_at),
        watched_until=_moment(row.watched_until),
        alarm=row.alarm or "",
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
