"""Rows of the journal and what they stand for, both ways. Times are UTC text that sorts as the time does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, func

from firmly_mcp.money import Money

from .attempts import Attempt, Draft, Outcome, State
from .schema import attempts


class UnreadableRow(Exception):
    """A row that nothing here ever wrote."""


def stamp(moment: datetime) -> str:
    """A time as the journal writes it: UTC with microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def draft_columns(draft: Draft) -> dict[str, object]:
    """The columns of a new attempt."""
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
        "reference": draft.reference,
        "address_hash": draft.address_hash,
        "intent_key": draft.intent_key,
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
            reference=row.reference,
            address_hash=row.address_hash,
            intent_key=row.intent_key,
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
        ended_at=_moment(row.ended_at),
        watched_until=_moment(row.watched_until),
        alarm=row.alarm or "",
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
