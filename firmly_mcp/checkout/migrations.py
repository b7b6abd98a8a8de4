"""The numbered steps that bring an older journal up to date; `user_version` in the file says how many it has had.

A step is never edited once released, so it is written out and knows nothing of today's tables; a change is a new step.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, text

from firmly_mcp.errors import NotAllowed

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
STEPS: Final[Sequence[Sequence[str]]] = (_FIRST, _SECOND, _THIRD)


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
