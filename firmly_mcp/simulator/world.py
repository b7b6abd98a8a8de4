"""Everything inside one running simulator: its stores, sessions, carts, books and clock, and what tests may change."""

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from firmly_mcp.simulator.answers import Json
from firmly_mcp.simulator.carts import Cart, Carts
from firmly_mcp.simulator.faults import Fault, Faults
from firmly_mcp.simulator.ledger import AllTerms, Books, Orders, Stock
from firmly_mcp.simulator.merchants import Merchant
from firmly_mcp.simulator.pricing import PricedCart, Pricing
from firmly_mcp.simulator.search import search_index
from firmly_mcp.simulator.security import PaymentKeys, Tokens
from firmly_mcp.simulator.state import State
from firmly_mcp.simulator.stream import Encoder, Gate
from firmly_mcp.simulator.views import full_cart

MAX_LOGGED = 2_000


@dataclass(slots=True)
class Request:
    """One request in the log, from its arrival on: neither headers nor body. `host` is "api" or "payment"."""

    method: str
    path: str
    host: str
    at: datetime
    status: int | None = None  # None: not answered yet, or the connection was closed without an answer


@dataclass(frozen=True, slots=True)
class Received:
    """What a payment request carried: shapes and names, no values but the JWE's public header."""

    path: str
    protected_header: Json
    part_lengths: tuple[int, ...]  # of the five parts, decoded, in bytes
    fields: tuple[str, ...]  # of the plaintext; empty if it did not open
    at: datetime


class World:
    """The parts of one simulator."""

    def __init__(
        self, data_dir: Path | None, *, now: Callable[[], datetime], seed: int, stores: int, step_delay: float
    ) -> None:
        self.state = State(data_dir)
        self._now = now
        self._ahead = timedelta(seconds=self.state.value("ahead", lambda: 0.0))
        self.app_id: str = self.state.value("app_id", lambda: f"app-{secrets.token_hex(8)}")
        self.server_secret: str = self.state.value("server_secret", lambda: secrets.token_urlsafe(32))
        self.control_secret: str = self.state.value("control_secret", lambda: secrets.token_urlsafe(32))
        self.index = search_index(stores, self.state.value("seed", lambda: seed))
        self.catalog = self.index.catalog
        self.stock: Stock = Stock(self.state)
        self.terms: AllTerms = AllTerms(self.state)
        self.pricing = Pricing(self.catalog, self.stock, self.terms)
        self.carts = Carts(self.state)
        self.tokens = Tokens(self.state, self.app_id, self.now)
        self.keys: PaymentKeys = PaymentKeys(self.state)
        self.books: Books = Books.load(self.state)
        self.orders: Orders = Orders(self.state)
        self.gates: list[Gate] = []
        self.faults: Faults = Faults()
        self.encode = Encoder()
        self.received: deque[Received] = deque(maxlen=MAX_LOGGED)
        self.requests: deque[Request] = deque(maxlen=MAX_LOGGED)
        self.step_delay = step_delay
        self.api_url = self.payment_url = ""
        self.state.commit()

    def now(self) -> datetime:
        """Return the time of the simulator's clock."""
        return self._now() + self._ahead

    def advance(self, by: timedelta) -> None:
        """Move the clock."""
        self._ahead += by
        self.state.set_value("ahead", self._ahead.total_seconds())

    def hold_events(self, store: str | None) -> Gate:
        """Hold back the events of a store's streams, or of all."""
        self.gates.append(Gate(store))
        return self.gates[-1]

    def change(self, fault: Fault) -> None:
        """Apply a fault of the WORLD table: a price, stock, terms, the payment key or the clock changes."""
        options = {name: value for name, value in fault.options.items() if name != "inside"}
        match fault.action:
            case "set-price":
                self.stock.set_price(options["store"], options["sku"], options["cents"])
            case "set-stock":
                self.stock.set_stock(options["store"], options["sku"], options["left"])
            case "change-terms":
                self.terms.change(options.pop("store"), **options)
            case "rotate-key":
                self.keys.rotate(same_kid=options["same_kid"] is True)
            case "advance-clock":
                self.advance(timedelta(seconds=options["seconds"]))

    def merchant(self, store: str) -> Merchant:
        """Return the store as it sells now."""
        return self.terms.merchant(self.catalog.merchant(store))

    def save(self, cart: Cart) -> None:
        """Keep a changed cart, with its lines in shipments and without selections of lines that are gone."""
        self.pricing.arrange(cart)
        cart.prune_selections()
        self.carts.save(cart)

    def price(self, cart: Cart) -> PricedCart:
        """Price a cart at this moment."""
        return self.pricing.price(cart, self.tokens.device_of_id(cart.device_id).postal_code, self.now())

    def view(self, cart: Cart) -> Json:
        """Return the v2 view of a cart: as it is now, or as it was submitted."""
        if cart.submitted is not None and cart.is_submitted(self.now()):
            return cart.submitted
        return full_cart(self.price(cart))
