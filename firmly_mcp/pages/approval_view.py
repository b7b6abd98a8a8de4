"""What the approval page shows of a review and of an outcome, ready for its templates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from firmly_mcp.checkout.models import ApprovalStatus, Attempt, State
from firmly_mcp.checkout.quote import Quote, changes, in_words
from firmly_mcp.money import Money
from firmly_mcp.redaction import code_length
from firmly_mcp.untrusted import clean

from .rendering import in_money

if TYPE_CHECKING:
    from firmly_mcp.checkout.review import Review


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
        "pay_words": in_money(quote.total),
        "code_length": digits,
        "code_hint": f"{digits} digits, on the {'front' if digits == 4 else 'back'}. Used once, never stored.",
        "changed": changes(refused.terms, quote.terms) if refused is not None else (),
        "was_asked_at": review.approval.total if review.approval.total != quote.total else None,
        "address_note": _address_note(recipient.origin),
        "terms": [(name, in_words(term)) for name, term in quote.terms.items() if term not in {None, ""}],
    }


def outcome_of(attempt: Attempt, *, is_new: bool) -> Outcome | None:
    """How it ended; None while it has not."""
    if attempt.state is State.SENDING:
        return None
    title, advice = _ENDS[attempt.state]
    joined = "" if is_new else f"No new order was sent: this is the order of {attempt.begun_at:%H:%M} UTC. "
    return Outcome(
        state=attempt.state,
        title=title,
        advice=joined + advice,
        reason=clean(attempt.outcome.reason, 300),
        order_number=clean(attempt.outcome.order_number, 120),
        charged=attempt.outcome.charged,
        warning=_warning(attempt) or attempt.alarm,
    )


_ENDS = {
    State.PLACED: ("The order is placed", "You can close this page. Your assistant sees the order number too."),
    State.NOT_PLACED: ("The order was not placed", "Nothing was charged. You can ask your assistant to try again."),
    State.UNKNOWN: (
        "It is not known whether the order was placed",
        "Do not order again; check with the store. It was sent, and nothing proves how it ended.",
    ),
}


def closed_words(status: ApprovalStatus) -> tuple[str, str]:
    """A title and a sentence for a question that nobody can answer here any more."""
    return _CLOSED.get(status, ("This question has expired", "Nothing was sent. Ask your assistant to order again."))


_CLOSED = {
    ApprovalStatus.REPLACED: (
        "Your assistant asks something newer",
        "It ordered again, so this question counts no more and nothing was sent for it. Answer the new one.",
    ),
    ApprovalStatus.DECLINED: ("This order was declined", "Somebody said no to it elsewhere. Nothing was sent."),
    ApprovalStatus.USED: (
        "This order was approved elsewhere",
        "It is not placed a second time. Your assistant, or `firmly-mcp orders list`, tells how it ended.",
    ),
}


_WHAT_TO_DO = {
    "above": "Ask the store why.",
    "below": "Compare it with your card's statement; your limits count what you approved.",
}


def _warning(attempt: Attempt) -> str:
    charged, approved = attempt.outcome.charged, attempt.total
    if charged is None or not attempt.charge_differs:
        return ""
    both = f"You approved {in_money(approved)}: the store charged {in_money(charged)}."
    return f"{both} {_WHAT_TO_DO[attempt.charge_differs]}"


def _address_note(origin: str | None) -> str:
    if origin in {"tool", "script"}:
        gave = "Your assistant" if origin == "tool" else "A script"
        return f"{gave} gave this address, and you approved no order with its entry yet. Check it."
    if origin is None:
        return "This address is not in your address book. Check it."
    return ""
