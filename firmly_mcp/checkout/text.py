"""What a person or a model reads of an order: one row a status, one sentence a charge, a quote arranged. No I/O.

Nothing here binds: the terms of a quote do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from firmly_mcp.api.models import Address, Cart, LineItem, Shipment
from firmly_mcp.errors import MoneyMoved
from firmly_mcp.money import Money
from firmly_mcp.untrusted import clean

from .models import MONEY_MOVED, Approval, ApprovalStatus, Attempt, State

OrderStatus = Literal["placed", "in_progress", "approval_required", "declined", "not_placed", "unknown"]
# An approval that can no longer be answered also has one of these.
Status = OrderStatus | Literal["expired", "replaced", "used"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusText:
    """A status in words: for the model (`summary`, `next`), on a page (`title`, `person`), in a terminal.

    `terminal` takes the order's number, charge and reason; `progress` is the last step of a send. A column is empty
    where its reader never meets the status.
    """

    money_moved: MoneyMoved
    summary: str
    next: str = ""
    title: str = ""
    person: str = ""
    terminal: str = ""
    progress: str = ""
    colour: str = ""


STATUS_TEXT: Final[Mapping[Status, StatusText]] = {
    "in_progress": StatusText(
        money_moved=MONEY_MOVED[State.SENDING],
        summary="The order was sent and the store has not answered yet.",
        next="Tell the person and end your turn; get_order_status, later, states how it ended. Do not poll.",
        terminal="The store has not answered yet. `firmly-mcp orders list` will tell.",
        colour="cyan",
    ),
    "placed": StatusText(
        money_moved=MONEY_MOVED[State.PLACED],
        summary="The order is placed.",
        next="Tell the person the order number and the total.",
        title="The order is placed",
        person="You can close this page. Your assistant sees the order number too.",
        terminal="The order is placed. Order number: {number}. Charged: {charged}. {reason}",
        progress="The order is placed.",
        colour="green",
    ),
    "not_placed": StatusText(
        money_moved=MONEY_MOVED[State.NOT_PLACED],
        summary="The order was not placed, and nothing was charged.",
        next="Tell the person why. The same call may be made again once the cause is gone.",
        title="The order was not placed",
        person="Nothing was charged. You can ask your assistant to try again.",
        terminal="The order was not placed, and nothing was charged. {reason}",
        progress="The order was not placed; nothing was charged.",
        colour="dim",
    ),
    "unknown": StatusText(
        money_moved=MONEY_MOVED[State.UNKNOWN],
        summary="It is not known whether the order was placed: it was sent, and nothing proves how it ended.",
        next="Tell the person to check with the store; get_order_status reads it again. Do not order again, by any "
        "tool.",
        title="It is not known whether the order was placed",
        person="Do not order again; check with the store. It was sent, and nothing proves how it ended.",
        terminal="It is not known whether the order was placed. Do not order again; check with the store. {reason}",
        progress="There is no proof that the order was placed, and none that it was not.",
        colour="bold yellow",
    ),
    # Its next step depends on how the person is asked.
    "approval_required": StatusText(
        money_moved="no", summary="The person has to approve this order first. Nothing was sent."
    ),
    "declined": StatusText(
        money_moved="no",
        summary="The person declined this order. Nothing was sent.",
        next="Do not ask for it again unless the person says so; before {until} it would be refused.",
        title="This order was declined",
        person="Somebody said no to it elsewhere. Nothing was sent.",
    ),
    "expired": StatusText(
        money_moved="no",
        summary="The person did not answer in time.",
        next="Ask the person, then make the call again.",
        title="This question has expired",
        person="Nothing was sent. Ask your assistant to order again.",
    ),
    "replaced": StatusText(
        money_moved="no",
        summary="The person was asked about another order since.",
        next="Ask the person, then make the call again.",
        title="Your assistant asks something newer",
        person="It ordered again, so this question counts no more and nothing was sent for it. Answer the new one.",
    ),
    # The attempt that used it states the money.
    "used": StatusText(
        money_moved="unknown",
        summary="The person approved this order elsewhere.",
        next="get_order_status states how it ended.",
        title="This order was approved elsewhere",
        person="It is not placed a second time. Your assistant, or `firmly-mcp orders list`, tells how it ended.",
    ),
}

STATUS_OF: Final[Mapping[State, OrderStatus]] = {
    State.SENDING: "in_progress",
    State.PLACED: "placed",
    State.NOT_PLACED: "not_placed",
    State.UNKNOWN: "unknown",
}


def state_text(state: State) -> StatusText:
    """Return the words for an attempt's state."""
    return STATUS_TEXT[STATUS_OF[state]]


def closed_text(approval: Approval) -> StatusText:
    """Return the words for an approval that can no longer be answered; one that is still open has expired."""
    return STATUS_TEXT[_CLOSED[approval.status]]


_CLOSED: Final[Mapping[ApprovalStatus, Status]] = {
    ApprovalStatus.OPEN: "expired",
    ApprovalStatus.DECLINED: "declined",
    ApprovalStatus.REPLACED: "replaced",
    ApprovalStatus.USED: "used",
}


Difference = Literal["more", "less", "currency", "not_known"]


@dataclass(frozen=True, slots=True)
class ChargeNote:
    """How the charge of an order differs from what was approved; `charged` is None where it is not known."""

    difference: Difference
    approved: Money
    charged: Money | None

    def for_model(self) -> str:
        """Return the warning in a tool's result; empty where the charge is not known, which its field states."""
        counts = f" Limits count {self.approved}." if self.difference == "less" else ""
        what = f"The store charged {self.charged}; what was approved was {self.approved}.{counts}"
        return "" if self.charged is None else f"{what} Tell the person both amounts."

    def for_page(self) -> str:
        """Return the warning on the page; empty where the charge is not known, which its row states."""
        if self.charged is None:
            return ""
        compare = "Compare it with your card's statement; your limits count what you approved."
        what_to_do = compare if self.difference == "less" else "Ask the store why."
        return f"You approved {self.approved.display()}: the store charged {self.charged.display()}. {what_to_do}"

    def for_terminal(self) -> str:
        """Return what follows the outcome of an order that was approved in the terminal."""
        what = {
            "more": "the store charged another amount. Ask the store why.",
            "less": "the store states less. Compare your card's statement.",
            "currency": "the store charged another currency. Ask the store why.",
            "not_known": "",
        }[self.difference]
        return what and f"You approved {self.approved}: {what}"

    def for_settled(self) -> str:
        """Return what follows both amounts, or takes their place, where a person ended a doubt as placed."""
        if self.charged is None:
            return (
                f"What was charged is not known here: compare your card's statement with the approved {self.approved}."
            )
        if self.difference == "less":
            return "That is less than was approved: compare your card's statement. Your limits count what was approved."
        return "That is not what was approved: ask the store."


def charge_note(attempt: Attempt) -> ChargeNote | None:
    """Return how the charge of an order differs from what was approved; None where it does not."""
    charged, approved = attempt.outcome.charged, attempt.total
    if charged == approved or (charged is None and attempt.state is not State.PLACED):
        return None
    difference: Difference = "more"
    if charged is None:
        difference = "not_known"
    elif charged.currency != approved.currency:
        difference = "currency"
    elif charged < approved:
        difference = "less"
    return ChargeNote(difference, approved, charged)


# The parts of a total. A term binds an approval; what takes off is written without a sign in a cart.


@dataclass(frozen=True, slots=True)
class AmountRow:
    """A part of a cart's total: its attribute there, its label for a person, its field in a cart's view, if any.

    A zero is shown always, never, or once the cart has an address, before which it means nothing.
    """

    attribute: str
    label: str
    field: str = ""
    is_term: bool = True
    is_taken_off: bool = False
    shown_when_zero: Literal["always", "addressed", "never"] = "always"

    @property
    def term(self) -> str:
        """The name of its term."""
        return self.attribute.replace("_", " ")

    def of(self, cart: Cart) -> Money | None:
        """Return its amount in a cart, as the cart has it."""
        amount: Money | None = getattr(cart, self.attribute)
        return amount


AMOUNT_ROWS: Final = (
    AmountRow("sub_total", "Subtotal", "sub_total"),
    AmountRow("cart_discount", "Discount", "discount", is_term=False, is_taken_off=True, shown_when_zero="never"),
    AmountRow("shipping_total", "Shipping", "shipping", shown_when_zero="addressed"),
    AmountRow("tax_total", "Tax", "tax", shown_when_zero="addressed"),
    AmountRow("addon_total", "Addons", "addons", shown_when_zero="never"),
    AmountRow("store_credit", "Store credit", is_term=False, is_taken_off=True, shown_when_zero="never"),
    AmountRow("total", "Total", "total"),
)

# A quote as a person reads it: lines, delivery, addresses and amounts, arranged and cleaned.

_KINDS: Final = {"SHIP_TO_ADDRESS": "Shipped to the address", "SCHEDULED_DELIVERY": "Delivered on a date"}
_LOCATION_WORDS: Final = ("name", "address1", "city", "state_or_province", "postal_code")


@dataclass(frozen=True, slots=True)
class Line:
    """What is bought: `price` is of one piece, `line_price` of all."""

    title: str
    variant: str
    sku: str
    quantity: int
    price: Money | None
    line_price: Money | None
    is_recurring: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a shipment comes: each part is empty where the store says nothing."""

    kind: str
    method: str
    price: Money | None
    when: str
    date: str
    place: str
    notes: str


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who it is for: the address in lines, and how they are reached."""

    lines: tuple[str, ...]
    email: str
    phone: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """All of it. `amounts` are the parts of the total by name, what is taken off with a minus."""

    lines: tuple[Line, ...]
    deliveries: tuple[Delivery, ...]
    recipient: Recipient | None
    billing: Recipient
    addons: tuple[str, ...]
    promo_codes: tuple[str, ...]
    amounts: tuple[tuple[str, Money], ...]
    notices: tuple[str, ...]


def receipt(cart: Cart, billing: Mapping[str, str]) -> Receipt:
    """Arrange a cart for a person; `billing` holds Firmly's address fields."""
    return Receipt(
        lines=tuple(_line(line) for line in cart.line_items),
        deliveries=tuple(_delivery(shipment) for shipment in cart.shipments),
        recipient=_recipient(cart.shipping_info) if cart.shipping_info is not None else None,
        billing=_recipient(Address.model_validate(dict(billing))),
        addons=tuple(_addons(cart)),
        promo_codes=tuple(clean(code, 60) for code in cart.coupons),
        amounts=tuple(_amounts(cart)),
        notices=tuple(_notices(cart)),
    )


def _line(line: LineItem) -> Line:
    return Line(
        title=clean(line.description, 160) or clean(line.sku, 80) or "An item without a name",
        variant=clean(line.variant_description, 120),
        sku=clean(line.sku or line.variant_id, 80),
        quantity=line.quantity or 0,
        price=line.price,
        line_price=line.line_price,
        is_recurring=bool(line.recurring),
    )


def _delivery(shipment: Shipment) -> Delivery:
    kind, method = shipment.fulfillment_type, shipment.shipping_method
    return Delivery(
        kind=_KINDS.get((kind.id or "").upper(), clean(kind.name or kind.id, 80)) if kind else "",
        method=clean(method.description or method.id, 80) if method else "",
        price=method.price if method else None,
        when=clean(method.estimated_delivery, 80) if method else "",
        date=clean(shipment.selected_date, 40),
        place=_place(shipment.selected_location),
        notes=clean(shipment.notes, 200),
    )


def _place(location: Any) -> str:
    if not isinstance(location, dict):
        return clean(str(location), 160) if location else ""
    parts = [clean(str(location[name]), 80) for name in _LOCATION_WORDS if location.get(name)]
    return ", ".join(parts) or clean(str(location.get("id") or ""), 80)


def _recipient(address: Address) -> Recipient:
    town = " ".join(_words(address.city, address.state_or_province or address.state_name, address.postal_code))
    name = " ".join(_words(address.first_name, address.last_name))
    lines = (name, address.company, address.address1, address.address2, town, address.country)
    return Recipient(tuple(_words(*lines)), clean(address.email, 254), clean(address.phone, 40))


def _words(*parts: str | None) -> Iterator[str]:
    yield from (words for part in parts if (words := clean(part, 120)))


def _addons(cart: Cart) -> Iterator[str]:
    names = {offer.addon_id: offer.display.name for offer in cart.addons.offers if offer.display}
    for selection in cart.addons.selections:
        yield clean(names.get(selection.addon_id) or selection.addon_id, 80) or "An addon without a name"


def _amounts(cart: Cart) -> Iterator[tuple[str, Money]]:
    for row in AMOUNT_ROWS[:-1]:
        amount = row.of(cart)
        if amount is not None and (amount.amount or row.shown_when_zero != "never"):
            yield row.label, Money(-abs(amount.amount), amount.currency) if row.is_taken_off else amount


def _notices(cart: Cart) -> Iterator[str]:
    for notice in (*cart.notices, *cart.notice):
        yield from _words(": ".join(part for part in (notice.code, notice.message) if part))
