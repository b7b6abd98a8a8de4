"""Everything that one running simulator is: its stores, sessions, carts, books and clock, and what tests may turn."""

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from firmly_mcp.simulator.answers import Json
from firmly_mcp.simulator.carts import Cart, Carts, prune_selections
from firmly_mcp.simulator.faults import Faults
from firmly_mcp.simulator.ledger import AllTerms, Orders, Stock, kept_books
from firmly_mcp.simulator.merchants import Merchant
from firmly_mcp.simulator.pricing import Priced, Till
from firmly_mcp.simulator.search import index_of
from firmly_mcp.simulator.security import Device, PaymentKeys, Tokens
from firmly_mcp.simulator.state import State
from firmly_mcp.simulator.stream import Encoder, Gates
from firmly_mcp.simulator.views import full_cart

REMEMBERED = 2_000


@dataclass(slots=True)
class Request:
    """One request as the log has it from its arrival: neither headers nor body."""

    method: str
    path: str
    host: str  # "api" or "payment"
    at: datetime
    status: int | None = None  # None: not answered yet, or hung up on

    def to_json(self) -> dict[str, Any]:
        """As it is shown on the control path."""
        return {**asdict(self), "at": self.at.isoformat()}


@dataclass(frozen=True, slots=True)
class Received:
    """What a payment request carried: shapes and names, no values but the JWE's public header."""

    path: str
    protected_header: dict[str, Any]
    part_lengths: tuple[int, ...]  # of the five parts, decoded, in bytes
    fields: tuple[str, ...]  # of the plaintext; empty if it did not open
    at: datetime

    def to_json(self) -> dict[str, Any]:
        """As it is shown on the control path."""
        return {**asdict(self), "at": self.at.isoformat()}


class World:
    """One simulator's insides."""

    def __init__(
        self,
        data_dir: Path | None,
        *,
        now: Callable[[], datetime],
        seed: int,
        stores: int,
        step_delay: float,
        encode: Encoder | None = None,
    ) -> None:
        self.state = State(data_dir)
        self._now = now
        self._ahead = timedelta(seconds=self.state.value("ahead", lambda: 0.0))
        self.app_id: str = self.state.value("app_id", lambda: f"app-{secrets.token_hex(8)}")
        self.server_secret: str = self.state.value("server_secret", lambda: secrets.token_urlsafe(32))
        self.control_secret: str = self.state.value("control_secret", lambda: secrets.token_urlsafe(32))
        self.index = index_of(stores, self.state.value("seed", lambda: seed))
        self.catalog = self.index.catalog
        self.stock = Stock(self.state)
        self.terms = AllTerms(self.state)
        self.till = Till(self.catalog, self.stock, self.terms)
        self.carts = Carts(self.state)
        self.tokens = Tokens(self.state, self.app_id, self.now)
        self.keys = PaymentKeys(self.state)
        self.books = kept_books(self.state)
        self.orders = Orders(self.state)
        self.gates = Gates()
        self.faults = Faults()
        self.encode = encode or Encoder()
        self.received: deque[Received] = deque(maxlen=REMEMBERED)
        self.requests: deque[Request] = deque(maxlen=REMEMBERED)
        self.step_delay = step_delay
        self.api_url = self.payment_url = ""
        self.state.commit()

    def now(self) -> datetime:
        """The simulator's clock."""
        return self._now() + self._ahead

    def advance(self, by: timedelta) -> None:
        """Move the clock."""
        self._ahead += by
        self.state.set_value("ahead", self._ahead.total_seconds())

    def merchant(self, store: str) -> Merchant:
        """The store as it sells now."""
        return self.terms.merchant(self.catalog.merchant(store))

    def changed(self, cart: Cart) -> None:
        """Note that a cart changed; what belonged to lines that are gone goes too."""
        self.till.arrange(cart)
        prune_selections(cart)
        self.carts.keep(cart)

    def priced(self, cart: Cart) -> Priced:
        """A cart worked out at this moment."""
        device = self.tokens.known(cart.device_id)
        return self.till.priced(cart, device.postal_code or None, self.now())

    def view(self, cart: Cart) -> Json:
        """The v2 view of a cart: as it is now, or as it was submitted."""
        if cart.submitted is not None and cart.is_submitted(self.now()):
            return cart.submitted
        return full_cart(self.priced(cart))


def anonymous() -> Device:
    """Stands for whoever calls an endpoint that needs no token."""
    return Device("")
