"""What a store says of an order, as a model sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Self

from pydantic import BaseModel, ConfigDict

from firmly_mcp.api.order_status import OrderStatus as ApiOrderStatus
from firmly_mcp.checkout.models import Approval, Attempt, CardRef, State
from firmly_mcp.checkout.text import STATUS_OF, STATUS_TEXT, OrderStatus, charge_note, closed_text, state_text
from firmly_mcp.errors import MoneyMoved
from firmly_mcp.server.subscriptions import order_resources
from firmly_mcp.untrusted import clean, named, quoted, shown_address, suspicions

from .view import MoneyView, View, told, told_by_store, with_next

if TYPE_CHECKING:
    from firmly_mcp.checkout.earlier import Earlier


class ItemStatusView(BaseModel):
    """An ordered item and how far it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sku: str
    status: str
    quantity: int | None = None
    tracking: str | None = None
    delivered: str | None = None
    refund: MoneyView | None = None

    def __str__(self) -> str:
        facts = [f"Item {self.quantity or 1} x {named(self.sku)}: {named(self.status)}"]
        facts += [f"tracking {quoted(self.tracking)}"] if self.tracking else []
        facts += [f"delivered {named(self.delivered)}"] if self.delivered else []
        facts += [f"refund {self.refund}"] if self.refund else []
        return ", ".join(facts)


# An attempt as a model sees it: how it stands, what is known about the money, and what to tell the person.


class OrderView(View):
    """How an attempt to order stands. `status` is a result and not an error; `money_moved` is what is known."""

    status: OrderStatus
    money_moved: MoneyMoved
    store: str
    attempt: str | None = None
    approval: str | None = None
    link: str | None = None
    command: str | None = None
    order_number: str | None = None
    lines: tuple[str, ...] = ()
    total: MoneyView | None = None
    charged: MoneyView | None = None
    card: str | None = None
    reason: str | None = None
    warnings: tuple[str, ...] = ()
    suspicious: tuple[str, ...] = ()
    environment: str | None = None
    next: str

    @classmethod
    def of(cls, attempt: Attempt, *, environment: str, joined: bool, earlier: Earlier | None = None) -> Self:
        """The view of an attempt; `joined` says that it was there before this call.

        `earlier` is another order at its store, which an attempt that was not placed states.
        """
        outcome = attempt.outcome
        return cls(
            status=STATUS_OF[attempt.state],
            money_moved=attempt.money_moved,
            store=attempt.store,
            attempt=attempt.id,
            order_number=outcome.order_number,
            lines=attempt.lines,
            total=MoneyView.of(attempt.total),
            charged=MoneyView.of(outcome.charged),
            card=str(attempt.card),
            reason=clean(outcome.reason, 300) or None,
            warnings=(*_warnings(attempt, joined=joined), *_stated(earlier)),
            suspicious=suspicions(attempt.lines),
            environment=environment,
            next=_next(attempt, joined=joined),
        )

    @classmethod
    def asking(
        cls,
        approval: Approval,
        *,
        environment: str,
        command: str,
        card: CardRef | None = None,
        reached: bool = False,
        link: str | None = None,
        warning: str | None = None,
        earlier: Earlier | None = None,
    ) -> Self:
        """The view of a question that waits for the person; `reached` says that they have it before them.

        `warning` says what of their settings was not used to ask it. `earlier` is an order at its store that is in
        doubt, or was placed a short while ago.
        """
        until = f"{approval.expires_at:%H:%M} UTC"
        if reached:
            following = (
                f"Tell the person to answer on the page that is open for them, before {until}, and end your turn. "
            )
        elif link is not None:
            following = f"Give the person the link, or the command for a terminal. Either works until {until}. "
        else:
            following = f"Ask the person to run the command in a terminal before {until}, and end your turn. "
        following += "Their yes places the order; do not poll."
        view = cls._of_question(approval, "approval_required", environment, approval.reason, following)
        ways = {"card": card and str(card), "link": link, "command": None if reached else command}
        warnings = (*_stated(earlier), *(() if warning is None else (warning,)))
        return view.model_copy(update=ways | {"warnings": warnings})

    @classmethod
    def unanswered(cls, approval: Approval, *, environment: str, earlier: Earlier | None = None) -> Self:
        """The view of a question that can no longer be answered with yes; `earlier` as for `asking`."""
        return cls._closed(approval, environment).model_copy(update={"warnings": _stated(earlier)})

    @classmethod
    def _closed(cls, approval: Approval, environment: str) -> Self:
        words, is_declined = closed_text(approval), approval.status == "declined"
        following = words.next.format(until=f"{approval.expires_at:%H:%M} UTC")
        status: OrderStatus = "declined" if is_declined else "not_placed"
        return cls._of_question(approval, status, environment, None if is_declined else words.summary, following)

    @classmethod
    def _of_question(
        cls, approval: Approval, status: OrderStatus, environment: str, reason: str | None, following: str
    ) -> Self:
        return cls(
            status=status,
            money_moved=STATUS_TEXT[status].money_moved,
            store=approval.store,
            approval=approval.id,
            lines=approval.lines,
            total=MoneyView.of(approval.total),
            reason=reason,
            suspicious=suspicions(approval.lines),
            environment=environment,
            next=following,
        )

    def text(self) -> str:
        return with_next(self.in_lines(), self.next, suspicious=self.suspicious)

    def shows(self) -> tuple[str, ...]:
        return order_resources(self.attempt, self.store) if self.attempt else ()

    def in_lines(self) -> list[str]:
        """What is known, without what to do next."""
        lines = [STATUS_TEXT[self.status].summary]
        number = f"Order number: {named(self.order_number)} at" if self.order_number else "Store:"
        lines += [f"{number} {self.store}", *told_by_store("- Line", self.lines)]
        charged = f" Charged: {self.charged or 'not known'}." if self.money_moved != "no" else ""
        lines += [f"Total: {self.total}.{charged}" + (f" Card: {self.card}." if self.card else "")]
        lines += [f"Reason: {self.reason}"] if self.reason else []
        lines += told("Warning", self.warnings)
        lines += [f"Link: {self.link}"] if self.link else []
        lines += [f"Command: {self.command}"] if self.command else []
        known = f"attempt: {self.attempt}" if self.attempt else f"approval: {self.approval}"
        lines += [f"status: {self.status}. money_moved: {self.money_moved}. {known}."]
        return [*lines, f"Environment: {self.environment}."]


class StatusView(View):
    """How an order stands: `attempt` is what was sent from here, the rest what the store says now."""

    store: str
    order_number: str | None = None
    status: str | None = None
    items: tuple[ItemStatusView, ...] = ()
    returns: tuple[str, ...] = ()
    refunded: MoneyView | None = None
    page: str | None = None
    attempt: OrderView | None = None
    warnings: tuple[str, ...] = ()
    suspicious: tuple[str, ...] = ()
    next: str | None = None

    @classmethod
    def of(cls, store: str, status: ApiOrderStatus, *, attempt: OrderView | None = None) -> Self:
        """The view of a store's answer."""
        return cls(
            store=store,
            order_number=clean(status.order_number, 80) or None,
            status=clean(status.status, 40) or None,
            items=tuple(_items(status)),
            returns=tuple(clean(f"{back.id}: {back.status}", 80) for back in status.returns),
            refunded=MoneyView.of(status.refund_total),
            page=shown_address(status.order_status_page_url),
            attempt=attempt,
            suspicious=suspicions(status),
            next="To cancel or return, the person uses the store's own order page.",
        )

    def structured(self) -> dict[str, Any]:
        shown = super().structured()
        # What to do next is said once, for the whole.
        shown.get("attempt", {}).pop("next", None)
        return shown

    def text(self) -> str:
        lines = self.attempt.in_lines() if self.attempt else []
        number = named(self.order_number or "without a number")
        lines += [f"Order {number} at {self.store}: the store says {named(self.status)}"] if self.status else []
        lines += [f"- {item}" for item in self.items]
        lines += told_by_store("Return", self.returns)
        lines += [f"Refunded: {self.refunded}"] if self.refunded else []
        lines += [f"Order page: {self.page}"] if self.page else []
        lines += told("Warning", self.warnings)
        return with_next(lines, self.next, suspicious=self.suspicious)


def _items(status: ApiOrderStatus) -> list[ItemStatusView]:
    return [
        ItemStatusView(
            sku=clean(line.sku, 80),
            status=clean(line.status, 40),
            quantity=line.quantity,
            tracking=_tracking(line.tracking.carrier, line.tracking.tracking_number) if line.tracking else None,
            delivered=clean(line.tracking.delivered_at, 40) or None if line.tracking else None,
            refund=MoneyView.of(line.refund_amount),
        )
        for line in status.line_items
    ]


def _tracking(carrier: str | None, number: str | None) -> str | None:
    return clean(" ".join(part for part in (carrier, number) if part), 80) or None


_PLACED_BEFORE: Final = (
    "Tell the person that this order was placed before, with its number, its total and its time, and that no new one "
    "was sent. Only if they want the same once more, {again} with repeat: true. That sends nothing by itself: it asks "
    "the person, who sees this order."
)

_AGAIN: Final = {
    "complete_order": "fill the cart again, then call complete_order",
    "place_order": "make the same call",
}


class OrderLineView(BaseModel):
    """An attempt in a list: enough to tell it from the others, and its id to ask for more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    attempt: str
    status: OrderStatus
    store: str
    order_number: str | None = None
    total: MoneyView | None = None
    at: str
    lines: tuple[str, ...] = ()
    warning: str | None = None

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        """The view of an attempt in a list."""
        return cls(
            attempt=attempt.id,
            status=STATUS_OF[attempt.state],
            store=attempt.store,
            order_number=attempt.outcome.order_number,
            total=MoneyView.of(attempt.outcome.charged or attempt.total),
            at=f"{attempt.begun_at:%Y-%m-%dT%H:%MZ}",
            lines=attempt.lines[:3],
            warning=attempt.alarm or None,
        )

    def __str__(self) -> str:
        number = f", order {named(self.order_number)}" if self.order_number else ""
        bought = "; ".join(map(quoted, self.lines))
        line = f"{self.at} {self.store}: {self.status}{number}, {self.total}, {bought} [{self.attempt}]"
        return f"{line} Tell the person: {self.warning}" if self.warning else line


class OrdersView(View):
    """Attempts to order, newest first; `before` is what the tool takes to go on."""

    orders: tuple[OrderLineView, ...] = ()
    before: int | None = None
    next: str | None = None

    @classmethod
    def of(cls, attempts: Sequence[Attempt], *, limit: int) -> Self:
        """The view of a list that may hold one attempt more than is shown."""
        shown = attempts[:limit]
        return cls(
            orders=tuple(OrderLineView.of(attempt) for attempt in shown),
            before=shown[-1].number if len(attempts) > limit else None,
            next="get_order_status with an attempt's id" if shown else "search_products, to find something to order",
        )

    def text(self) -> str:
        lines = [f"- {order}" for order in self.orders] or ["Nothing was ordered from here yet."]
        lines += [f"More: before {self.before}"] if self.before else []
        return with_next(lines, self.next)


def _next(attempt: Attempt, *, joined: bool) -> str:
    if joined and attempt.state is State.PLACED:
        return _PLACED_BEFORE.format(again=_AGAIN["place_order" if attempt.on_own_device else "complete_order"])
    return state_text(attempt.state).next


def _stated(earlier: Earlier | None) -> tuple[str, ...]:
    return () if earlier is None else (earlier.words,)


def _warnings(attempt: Attempt, *, joined: bool) -> list[str]:
    warnings = []
    if attempt.alarm:
        warnings.append(f"Tell the person: {attempt.alarm}")
    if joined:
        warnings.append(f"No new order was sent: this is the attempt of {attempt.begun_at:%Y-%m-%d %H:%M} UTC.")
    if (note := charge_note(attempt)) is not None and (words := note.for_model()):
        warnings.append(words)
    return warnings
