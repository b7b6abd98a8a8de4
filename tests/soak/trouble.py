"""The faults that a purchase may meet, as rows: an action, the step that it strikes, and its options."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from .wishes import PRICE, Aisle

ORDER: Final = "*_order_v2"
PLACE: Final = "place_order_v2"
READ: Final = "get_cart_v2"
ADD: Final = "add_line_item_v2"
KEY: Final = "get_key"
SESSION: Final = "browser_session"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One fault, as `Faults.add` takes it."""

    action: str
    match: str = ORDER
    n: int = 1
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def raises(self) -> bool:
        """Whether the price may rise."""
        return self.action in {"set-price", "change-terms"}

    @property
    def raises_inside(self) -> bool:
        """Whether it may rise where no client can see it: in the order request itself."""
        return self.raises and self.match == ORDER


ERRORS: Final = (
    *("ErrorPaymentDeclined", "ErrorNotEnoughStock", "ErrorInvalidInputBody", "ErrorCheckout", "MerchantError"),
    *("ErrorCartNotFound", "ErrorStoreUnavailable", "ErrorCheckoutBlocked"),
)
# A merchant that charged and says one of these proves nothing by it.
AFTER: Final = ("ErrorStoreUnavailable", "ErrorCheckout", "MerchantError", "ErrorCartNotFound")


def pick(rng: Random, aisle: Aisle) -> list[Trouble]:
    """None, one or two troubles for a purchase."""
    picked = [_one(rng, aisle) for _ in range(rng.choices((0, 1, 2), (2, 5, 3))[0])]
    return [trouble for troubles in picked for trouble in troubles]


def _one(rng: Random, aisle: Aisle) -> list[Trouble]:
    kinds = (_asked, _answered, _hidden, _streamed, _contradicted, _misstated, _read, _turned, _keyed)
    return rng.choice(kinds)(rng, aisle)


def in_the_way(rng: Random) -> list[Trouble]:
    """Now and then, what makes the filling of a cart fail after the line was added."""
    if rng.random() > 0.15:
        return []
    choices = (
        Trouble("refuse-after", ADD, options={"error": "InternalServerError", "status": 502}),
        Trouble("refuse-after", ADD, options={"error": "ErrorStoreUnavailable"}),
        Trouble("gateway-timeout", ADD),
        Trouble("lose-answer", ADD),
        Trouble("not-json", ADD),
    )
    return [rng.choice(choices)]


def _asked(rng: Random, _: Aisle) -> list[Trouble]:
    """The order request does not arrive whole, or is refused before anything is done."""
    choices = (
        Trouble("reset-before-body"),
        Trouble("reset-in-body"),
        Trouble("reset-after-body"),
        Trouble("delay", options={"seconds": rng.uniform(0.02, 0.3)}),
        Trouble("refuse", options={"error": rng.choice(ERRORS)}),
        Trouble("unauthorized"),
        Trouble("rate-limit", options={"retry_after": 0}),
        Trouble("unavailable"),
        Trouble("notice"),
    )
    return [rng.choice(choices)]


def _answered(rng: Random, _: Aisle) -> list[Trouble]:
    """The order is done, and the answer does not say so."""
    choices = (
        Trouble("refuse-after", options={"error": rng.choice(AFTER)}),
        Trouble("gateway-timeout"),
        Trouble("lose-answer"),
        Trouble("delay-answer", options={"seconds": rng.uniform(0.02, 0.3)}),
        Trouble("truncate", options={"keep": rng.uniform(0.0, 0.95)}),
        Trouble("not-json"),
    )
    return [rng.choice(choices)]


def _hidden(rng: Random, _: Aisle) -> list[Trouble]:
    """Charged, and the cart reads active: for a moment, or for ever where the cart is the attempt's own."""
    lost = Trouble("lose-answer")
    hide = rng.choice(("hide-order", "hide-cart"))
    if rng.random() < 0.5:
        return [Trouble(hide, PLACE), lost]
    return [Trouble(hide, options={"seconds": rng.choice((0.1, 2.0, 60.0))}), lost]


def _streamed(rng: Random, _: Aisle) -> list[Trouble]:
    """The stream is cut or bent."""
    k = rng.randint(1, 4)
    choices = (
        Trouble("cut-stream", PLACE, options={"after": k - 1, "goes_on": rng.random() < 0.5}),
        Trouble("stall-stream", PLACE, options={"after": k, "seconds": 0.2}),
        Trouble("repeat-event", PLACE, options={"event": k}),
        Trouble("swap-events", PLACE, options={"event": k}),
        Trouble("unknown-event", PLACE, options={"before": k}),
        Trouble("malformed-event", PLACE, options={"event": k}),
    )
    return [rng.choice(choices)]


def _contradicted(rng: Random, _: Aisle) -> list[Trouble]:
    """An error stands in the stream before, after or instead of what became of the order."""
    options = {
        "error": rng.choice(("ErrorNotEnoughStock", "ErrorPaymentDeclined", "ErrorCheckout")),
        "event": rng.choice(("creating-cart", "item-added", "shipping-updated", "order-placed", "order-placed")),
    }
    choices = (
        Trouble("error-before", PLACE, options=options),
        Trouble("error-after", PLACE, options=options),
        Trouble("error-then-cut", PLACE, options={**options, "goes_on": rng.random() < 0.5}),
    )
    return [rng.choice(choices)]


def _misstated(rng: Random, _: Aisle) -> list[Trouble]:
    """The order's answer states another total than the store charged."""
    return [Trouble("lie-amount", options={"cents": rng.choice((-10_000, 0, 1, PRICE - 1, 10**7))})]


def _read(rng: Random, _: Aisle) -> list[Trouble]:
    """What is read before or after the payment does not come, or comes broken."""
    match = rng.choice((READ, READ, KEY, SESSION))
    choices = (
        Trouble("lose-answer", match, rng.randint(1, 4)),
        Trouble("unavailable", match, rng.randint(1, 4)),
        Trouble("not-json", match, rng.randint(1, 4)),
        Trouble("truncate", match, rng.randint(1, 4)),
        Trouble("reset-after-body", match, rng.randint(1, 4)),
        Trouble("unauthorized", READ, rng.randint(1, 4)),
    )
    return [rng.choice(choices)]


def _turned(rng: Random, aisle: Aisle) -> list[Trouble]:
    """Price, tax, shipping or stock change between the quote and the payment, or inside the payment."""
    store = {"store": aisle.store}
    step: dict[str, Any] = rng.choice(({"match": READ, "n": rng.randint(1, 3)}, {"match": ORDER}))
    inside = {"inside": True} if step["match"] == ORDER and rng.random() < 0.5 else {}
    choices: tuple[tuple[str, dict[str, Any]], ...] = (
        ("set-price", {**store, "sku": aisle.sku, "cents": PRICE + rng.choice((-1, 1, 500))}),
        ("change-terms", {**store, "tax_added": 1000}),
        ("change-terms", {**store, "shipping_added": 100}),
        ("set-stock", {**store, "sku": aisle.sku, "left": 0}),
    )
    action, options = rng.choice(choices)
    return [Trouble(action, **step, options={**options, **inside})]


def _keyed(rng: Random, _: Aisle) -> list[Trouble]:
    """The payment key or the session is not what it was."""
    choices = (
        Trouble("rotate-key"),
        Trouble("rotate-key", KEY),
        Trouble("rotate-key", options={"inside": True}),
        Trouble("advance-clock", options={"seconds": 3700}),
        Trouble("advance-clock", READ, options={"seconds": 3700}),
    )
    return [rng.choice(choices)]
