"""The fault matrix: every fault that can concern a payment, at every step of both ways to order, as rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

from firmly_mcp.api.error_codes import PROOF_OF_REFUSAL
from firmly_mcp.app import JOURNAL, simulator_dir
from firmly_mcp.settings import Settings
from firmly_mcp.simulator import Simulator
from firmly_mcp.simulator.answers import STATUS
from firmly_mcp.wallet.memory import MemoryKeychain, fill
from tests.shop import STORE, TEE, announce
from tests.soak.judge import Row, Verdict, judge, read_journal
from tests.soak.rooms import RULES, Clock, Rooms, settings_in, vault_over
from tests.soak.scene import Tool
from tests.soak.trouble import AFTER, ERRORS, KEY, PLACE, READ, SESSION, Trouble
from tests.soak.wishes import PRICE, Aisle, Wished, cents, restore

AISLE: Final = Aisle(STORE, TEE)
TOOLS: Final[tuple[Tool, Tool]] = ("complete_order", "place_order")

# The requests that come before the order request, and how often each is made: quote, check, and what they need.
STEPS: Final[Mapping[Tool, tuple[tuple[str, int], ...]]] = {
    "complete_order": ((READ, 1), (READ, 2), (KEY, 1)),
    "place_order": (
        (SESSION, 1),
        ("add_line_item_v2", 1),
        ("set_shipping_info_v2", 1),
        (READ, 1),
        (KEY, 1),
        (SESSION, 2),
    ),
}
_SECONDS: Final = 0.02
_HERE: Final = {"store": STORE}

# What may happen to any request.
ANYWHERE: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("reset-before-body", {}),
    ("reset-in-body", {}),
    ("reset-after-body", {}),
    ("delay", {"seconds": _SECONDS}),
    ("refuse", {"error": "MerchantError"}),
    ("unauthorized", {}),
    ("rate-limit", {"retry_after": 0}),
    ("unavailable", {}),
    ("refuse-after", {"error": "ErrorCheckout"}),
    ("gateway-timeout", {}),
    ("lose-answer", {}),
    ("delay-answer", {"seconds": _SECONDS}),
    ("truncate", {"keep": 0.5}),
    ("not-json", {}),
)
# What may change in the world meanwhile.
CHANGES: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("set-price", {**_HERE, "sku": TEE, "cents": PRICE + 1}),
    ("set-price", {**_HERE, "sku": TEE, "cents": PRICE - 1}),
    ("set-stock", {**_HERE, "sku": TEE, "left": 0}),
    ("change-terms", {**_HERE, "tax_added": 1000}),
    ("change-terms", {**_HERE, "shipping_added": 100}),
    ("change-terms", {**_HERE, "currency": "EUR"}),
    ("rotate-key", {}),
    ("advance-clock", {"seconds": 3700}),
)
# What the merchant may say after it charged, none of which proves anything.
SAID_AFTER: Final[tuple[dict[str, Any], ...]] = (
    *({"error": error} for error in AFTER),
    *({"error": "ErrorPaymentDeclined", "status": status} for status in (408, 409, 500, 503)),
)


@dataclass(frozen=True)
class Case:
    """One way to order and what goes wrong on it."""

    tool: Tool
    troubles: tuple[Trouble, ...]

    def __str__(self) -> str:
        return f"{self.tool}: " + " and ".join(map(_in_words, self.troubles))


def cases() -> Iterator[Case]:
    """All of them."""
    for tool in TOOLS:
        yield from (Case(tool, (trouble,)) for trouble in (*_before(tool), *_in_the_payment()))
        yield from (Case(tool, troubles) for troubles in _hidden())
    yield from (Case("place_order", (trouble,)) for trouble in _streamed())


def _before(tool: Tool) -> Iterator[Trouble]:
    for match, n in STEPS[tool]:
        yield from (Trouble(action, match, n, options) for action, options in (*ANYWHERE, *CHANGES))


def _in_the_payment() -> Iterator[Trouble]:
    yield from (Trouble(action, options=options) for action, options in (*ANYWHERE, *CHANGES))
    yield from (Trouble(action, options={**options, "inside": True}) for action, options in CHANGES)
    yield from (
        Trouble("refuse", options={"error": error}) for error in (*sorted(PROOF_OF_REFUSAL & set(STATUS)), *ERRORS[3:])
    )
    yield from (Trouble("refuse-after", options=options) for options in SAID_AFTER)
    yield from (Trouble("truncate", options={"keep": keep}) for keep in (0.0, 0.1, 0.95))
    yield from (Trouble("lie-amount", options={"cents": cents}) for cents in (-10_000, 0, 1, 10**7))
    yield Trouble("notice")


def _hidden() -> Iterator[tuple[Trouble, ...]]:
    for action, seconds in product(("hide-order", "hide-cart"), (None, 0.0, 5.0)):
        hidden = Trouble(action, options={"seconds": seconds})
        yield (hidden,)
        yield from ((hidden, Trouble(action)) for action in ("lose-answer", "gateway-timeout", "refuse-after"))


def _streamed() -> Iterator[Trouble]:
    for k in range(5):
        yield from (Trouble("cut-stream", PLACE, options={"after": k, "goes_on": goes_on}) for goes_on in (True, False))
    for k in range(1, 5):
        yield Trouble("stall-stream", PLACE, options={"after": k, "seconds": _SECONDS})
        yield Trouble("unknown-event", PLACE, options={"before": k})
        yield from (
            Trouble(action, PLACE, options={"event": k})
            for action in ("repeat-event", "swap-events", "malformed-event")
        )

    for event, error in product(("item-added", "order-placed"), ERRORS[:4]):
        named = {"event": event, "error": error}
        yield from (Trouble(action, PLACE, options=named) for action in ("error-before", "error-after"))
        yield from (
            Trouble("error-then-cut", PLACE, options={**named, "goes_on": goes_on}) for goes_on in (True, False)
        )


def _in_words(trouble: Trouble) -> str:
    told = ", ".join(f"{name} {value}" for name, value in trouble.options.items() if name not in {"store", "sku"})
    step = trouble.match if trouble.n == 1 else f"{trouble.match} {trouble.n}"
    return f"{trouble.action} at {step}" + (f" ({told})" if told else "")


class Stage:
    """One simulator and one journal for many shoppers; each has a wish of their own, so none meets another's doubts."""

    def __init__(self, folder: Path, simulator: Simulator, clock: Clock) -> None:
        self.simulator = simulator
        self.clock = clock
        self._folder = folder
        self._keychain = MemoryKeychain()
        self._shoppers = 0

    @asynccontextmanager
    async def shopper(self) -> AsyncIterator[Buying]:
        """Somebody new with a test card, an address, a full cart, and the rooms to shop with."""
        settings = await self.newcomer()
        buying = Buying(self, settings, Wished(AISLE, self._shoppers))
        async with buying.host() as host:
            total = (await host.fill(buying.wish)).total
            assert total is not None
            buying.host_one, buying.approved = host, {buying.wish.key: cents(total) or 0}
            try:
                yield buying
            finally:
                self.simulator.faults.clear()
                restore(self.simulator, AISLE)

    async def newcomer(self, rules: str = RULES) -> Settings:
        """The settings of somebody new, who has a test card and an address."""
        self._shoppers += 1
        self.simulator.requests.clear()
        settings = settings_in(self._folder, rules, f"shopper{self._shoppers}")
        await fill(vault_over(self._keychain, settings, self.clock))
        return settings

    def rooms(self, settings: Settings) -> Rooms:
        """Rooms over the stage's keyring."""
        return Rooms(settings, self._keychain, self.clock)


class Buying:
    """One shopper's wish, what was said yes to, and what the books and the journal say of it."""

    host_one: Rooms
    approved: dict[tuple[str, int], int]

    def __init__(self, stage: Stage, settings: Settings, wish: Wished) -> None:
        self._stage = stage
        self._settings = settings
        self._charges_before = len(stage.simulator.books.charges)
        self.wish = wish

    @asynccontextmanager
    async def host(self) -> AsyncIterator[Rooms]:
        """One more host of this shopper."""
        rooms = self._stage.rooms(self._settings)
        await rooms.open()
        try:
            yield rooms
        finally:
            await rooms.close()

    def verdict(self, *, could_rise: bool = False) -> Verdict:
        """The verdict over all that was charged and written since this shopper came."""
        charges = self._stage.simulator.books.charges[self._charges_before :]
        return judge(charges, self.rows(), self.approved, [self.wish.key] if could_rise else [])

    def rows(self) -> list[Row]:
        """This shopper's attempts."""
        return read_journal(self._settings.data_dir / JOURNAL, self._settings.shopper)

    async def untold(self) -> list[str]:
        """The attempts that were charged above their total, and do not say so with both amounts."""
        risen = [row.id for row in self.rows() if row.charged is not None and row.charged > row.total]
        return [id_ for id_ in risen if not (await self.host_one.status(id_)).tells_of_a_rise]


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Stage]:
    """The stage in a folder."""
    clock = Clock()
    settings = settings_in(folder, RULES)
    async with Simulator(simulator_dir(settings), now=clock) as simulator:
        announce(simulator_dir(settings), simulator)
        restore(simulator, AISLE)
        yield Stage(folder, simulator, clock)
