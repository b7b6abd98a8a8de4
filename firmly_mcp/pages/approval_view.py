"""What the approval page shows of a review and of an outcome, ready for its templates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from firmly_mcp.checkout.models import Attempt, State
from firmly_mcp.checkout.quote import Quote, changed_terms, term_text
from firmly_mcp.checkout.text import charge_note, state_text
from firmly_mcp.money import Money
from firmly_mcp.redaction import code_length
from firmly_mcp.untrusted import clean

if TYPE_CHECKING:
    from firmly_mcp.checkout.flow import Review


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an order ended, in words: what it is, what to do, and what was charged beyond what was approved."""

    state: State
    title: str
    advice: str
    reason: str
    order_number: str
    charged: Money | None
    warning: str


def approval_values(review: Review, refused: Quote | None) -> dict[str, Any]:
    """Everything that the template needs; `refused` is what the person approved before it changed."""
    quote, recipient = review.quote, review.recipient
    digits = code_length(quote.payer.card.brand)
    return {
        "review": review,
        "quote": quote,
        "receipt": quote.receipt,
        "has_discount": any(name == "Discount" for name, _ in quote.receipt.amounts),
        "pay_words": quote.total.display(),
        "code_length": digits,
        "code_hint": f"{digits} digits, on the {'front' if digits == 4 else 'back'}. Used once, never stored.",
        "changed": changed_terms(refused, quote) if refused is not None else (),
        "was_asked_at": review.approval.total if review.approval.total != quote.total else None,
        "address_note": _address_note(recipient.origin),
        "terms": [(term.label, term_text(term.value)) for term in quote.terms if term.value not in {None, ""}],
    }


def outcome_of(attempt: Attempt, *, is_new: bool) -> Outcome | None:
    """How it ended; None while it has not."""
    if attempt.state is State.SENDING:
        return None
    words, note = state_text(attempt.state), charge_note(attempt)
    joined = "" if is_new else f"No new order was sent: this is the order of {attempt.begun_at:%H:%M} UTC. "
    return Outcome(
        state=attempt.state,
        title=words.title,
        advice=joined + words.person,
        reason=clean(attempt.outcome.reason, 300),
        order_number=clean(attempt.outcome.order_number, 120),
        charged=attempt.outcome.charged,
        warning=(note.for_page() if note is not None else "") or attempt.alarm,
    )


def _address_note(origin: str | None) -> str:
    if origin in {"tool", "script"}:
        gave = "Your assistant" if origin == "tool" else "A script"
        return f"{gave} gave this address, and you approved no order with its entry yet. Check it."
    if origin is None:
        return "This address is not in your address book. Check it."
    return ""
