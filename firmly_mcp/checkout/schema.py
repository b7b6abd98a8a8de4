"""The journal's tables as they are now; `migrations` brings an older file here."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Column, ColumnElement, ForeignKey, Index, Integer, MetaData, String, Table, and_, bindparam, or_

from .attempts import IN_DOUBT

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
    Column("wish", String, nullable=False),
    Column("total_amount", String, nullable=False),
    Column("currency", String, nullable=False),
    Column("lines", String, nullable=False),
    Column("rule", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("answer", String, nullable=False),
    Column("channel", String),
    Column("asked_at", String, nullable=False),
    Column("expires_at", String, nullable=False),
    Column("answered_at", String),
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
