"""What an order would be, as a model sees it, or what is still missing for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Self, cast

from pydantic import Field

from firmly_mcp.errors import FirmlyError, MoneyMoved
from firmly_mcp.money import Money
from firmly_mcp.untrusted import clean, named, suspicions

from .view import MoneyView, View, told, told_by_store, with_next

if TYPE_CHECKING:
    from collections.abc import Iterator

    from firmly_mcp.checkout.flow import Preview
    from firmly_mcp.checkout.quote import Quote

_NO_MONEY: Final = "The preview charged nothing. money_moved: {}."

Rules = Literal["allow", "ask", "refuse"]
_NEXT: Final[dict[Rules, str]] = {
    "allow": "Tell the person the total, then complete_order or place_order with max_total",
    "ask": "Tell the person the total, then complete_order or place_order",
    "refuse": "Tell the person why it is refused; only they can change that",
}


class PreviewView(View):
    """A quote. `rules` says what an order of it would meet: allowed, asked of the person, or refused."""

    store: str
    ready: bool
    lines: tuple[str, ...] = ()
    amounts: dict[str, MoneyView] = Field(default_factory=dict)
    total: MoneyView | None = None
    card: str | None = None
    rules: Rules | None = None
    reason: str | None = None
    missing: str | None = None
    suspicious: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    money_moved: MoneyMoved = "no"
    next: str | None = None

    @classmethod
    def of(cls, preview: Preview) -> Self:
        """The view of a quote that could be ordered; an earlier order at the store is stated."""
        quote, result = preview.quote, preview.result
        rules = cast("Rules", result.verdict)
        return cls(
            store=quote.store,
            ready=rules != "refuse",
            lines=quote.lines,
            amounts=dict(_parts(quote)),
            total=MoneyView.of(quote.total),
            card=str(quote.payer.card),
            rules=rules,
            reason=result.reason,
            suspicious=suspicions(quote.lines),
            warnings=() if preview.earlier is None else (preview.earlier.words,),
            money_moved="unknown" if preview.earlier is not None and preview.earlier.in_doubt else "no",
            next=_NEXT[rules],
        )

    @classmethod
    def lacking(cls, store: str, error: FirmlyError) -> Self:
        """The view of what is missing, and of the tool that supplies it."""
        known = ", ".join(named(clean(label, 80)) for label in getattr(error, "known", ()))
        missing = f"{error.message} Known: {known}." if known else error.message
        return cls(
            store=clean(store, 253), ready=False, missing=missing, money_moved=error.money_moved, next=error.next
        )

    def text(self) -> str:
        if self.missing is not None:
            no_money = _NO_MONEY.format(self.money_moved)
            return with_next([f"Not ready to order at {self.store}: {self.missing}", no_money], self.next)
        lines = [f"An order at {self.store} would be:", *told_by_store("- Line", self.lines)]
        lines += [", ".join(f"{name} {amount}" for name, amount in self.amounts.items())]
        lines += [f"Total: {self.total}. Card: {self.card}."]
        lines += [f"The rules say: {self.rules}. {self.reason}", *told("Warning", self.warnings)]
        lines += [_NO_MONEY.format(self.money_moved)]
        return with_next(lines, self.next, suspicious=self.suspicious)


def _parts(quote: Quote) -> Iterator[tuple[str, MoneyView]]:
    """Yield the parts of the total by name."""
    for term in quote.terms:
        if term.kind == "total" and term.field != "total" and isinstance(term.value, Money):
            yield term.label, MoneyView(amount=term.value.plain, currency=term.value.currency)
