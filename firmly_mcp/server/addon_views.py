"""A cart's addons as a model sees them: what is offered, what it costs, what is chosen, what is required."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict

from firmly_mcp.api.models import AddonOffer, Cart
from firmly_mcp.store_text import clean, clean_markup, named, quoted

from .views import MOST_LISTED, MoneyView


class AddonView(BaseModel):
    """An addon of a cart. `choices` are the ids of its children; `required` is there where the store says so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    addon_id: str
    name: str | None = None
    price: MoneyView | None = None
    chosen: bool | None = None
    required: bool | None = None
    line_item_ids: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()

    @classmethod
    def of(cls, offer: AddonOffer, *, chosen: bool) -> Self:
        """The view of an offer."""
        # How a store says "required" is not documented; this is the plain word for it.
        required = (offer.model_extra or {}).get("required") is True
        return cls(
            addon_id=clean(offer.addon_id, 200),
            name=clean_markup(offer.display.name, 80) or None if offer.display else None,
            price=MoneyView.of(offer.price),
            chosen=True if chosen else None,
            required=True if required else None,
            line_item_ids=tuple(clean(line, 200) for line in offer.eligible_line_item_ids[:MOST_LISTED]),
            choices=tuple(clean(child.addon_id, 200) for child in offer.child_offers[:MOST_LISTED] if child.addon_id),
        )

    def __str__(self) -> str:
        facts = [quoted(self.name) if self.name else "", str(self.price) if self.price else ""]
        facts += ["chosen"] if self.chosen else []
        facts += ["required"] if self.required else []
        facts += [f"choices {', '.join(map(named, self.choices))}"] if self.choices else []
        facts += [f"for lines {', '.join(map(named, self.line_item_ids))}"] if self.line_item_ids else []
        return ", ".join(fact for fact in facts if fact) + f" [addon_id {named(self.addon_id)}]"


def addon_views(cart: Cart) -> tuple[AddonView, ...]:
    """The addons that a cart offers, the chosen ones first, and those that were chosen and are no longer offered."""
    chosen = {selection.addon_id for selection in cart.addons.selections}
    offered = sorted(cart.addons.offers, key=lambda offer: offer.addon_id not in chosen)
    offers = tuple(AddonView.of(offer, chosen=offer.addon_id in chosen) for offer in offered[:MOST_LISTED])
    gone = chosen - {offer.addon_id for offer in cart.addons.offers} - {None}
    return offers + tuple(
        AddonView(addon_id=clean(addon_id, 200), chosen=True) for addon_id in sorted(filter(None, gone))
    )
