"""Builds the rooms and hands them to each other. Nothing else knows them all.

A room is built when it is first needed: a server that only lists its tools opens no keyring, no journal, no connection.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, Generic, Literal, TypeVar

from .errors import NotAllowed, WalletError
from .settings import Settings, command_line, declared, pages_declared
from .system.process import forbid_memory_dumps

if TYPE_CHECKING:
    from pydantic import SecretStr

    from .api.client import FirmlyClient
    from .api.encoding import Hosts
    from .api.session import TokenStore
    from .api.transport import Http
    from .checkout.flow import Checkout
    from .checkout.journal.journal import Journal
    from .checkout.models import Attempt
    from .checkout.policy.acceptance import AcceptedSettings
    from .pages.server import Pages
    from .wallet.commands import CardCommand
    from .wallet.wallet import Wallet

T = TypeVar("T")
# What came of putting a page before the person. A client that shows its link reports a decline as the person's own.
Reach = Literal["shown", "declined", "not_reached"]

# How long an order in flight may go on after the program was asked to end.
DRAIN_SECONDS: Final = 20.0
JOURNAL: Final = "journal.sqlite3"


class Once(Generic[T]):
    """Something that is made when it is first asked for, and then kept.

    A failure is not kept: the next call tries again.
    """

    def __init__(self, make: Callable[[], Awaitable[T]]) -> None:
        self._make = make
        self._making = asyncio.Lock()
        self._made: T | None = None

    async def __call__(self) -> T:
        """The thing itself."""
        async with self._making:
            if self._made is None:
                self._made = await self._make()
            return self._made

    @property
    def made(self) -> T | None:
        """The thing, if it was made already."""
        return self._made


@dataclass(frozen=True, slots=True)
class Services:
    """What the server's tools and the commands work with."""

    settings: Settings
    firmly: Once[FirmlyClient]
    vault: Once[Wallet]
    accepted: Once[AcceptedSettings]
    placement: Once[Checkout]
    pages: Once[Pages]
    # Why the pages are not where the settings say; None where they are.
    pages_notice: Callable[[], Awaitable[str | None]]
    close: Callable[[], Awaitable[None]]
    # Whether there is an order journal: at its path, or open here though it was removed from there.
    has_journal: Callable[[], bool]
    # Told of every order that ends here, whether a call waits for it or not.
    on_order_end: list[Callable[[Attempt], Awaitable[None]]] = field(default_factory=list)
    # Which pages were put before the person from here, and what came of it.
    reached: dict[str, Reach] = field(default_factory=dict)
    # When a page was brought before the person, in the event loop's seconds.
    brought: list[float] = field(default_factory=list)
    # Set when the process is about to end: nothing waits for a person any more.
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    # What cuts the calls that are being served; each then answers that it was cut.
    cuts: set[Callable[[], object]] = field(default_factory=set)


@asynccontextmanager
async def open_services(
    settings: Settings, *, now: Callable[[], datetime] = lambda: datetime.now(UTC), demo: bool = False
) -> AsyncIterator[Services]:
    """The rooms, ready to be built. On leaving, an order in flight gets 20 s to end, then all is closed.

    With `demo`, the wallet holds the simulator's published test card in memory and nothing else.
    """
    # Before the wallet does it: a program may send a card number to a tool at once.
    forbid_memory_dumps()
    rooms = _Rooms(settings, now, demo=demo)
    services = rooms.services = Services(
        settings=settings,
        firmly=Once(rooms.firmly),
        vault=Once(rooms.vault),
        accepted=Once(rooms.accepted),
        placement=Once(rooms.placement),
        pages=Once(rooms.pages),
        pages_notice=rooms.pages_notice,
        close=rooms.close,
        has_journal=rooms.has_journal,
    )
    try:
        yield services
    finally:
        await services.close()


class _Rooms:
    """How each room is built, and what it is given."""

    services: Services

    def __init__(self, settings: Settings, now: Callable[[], datetime], *, demo: bool) -> None:
        self._settings = settings
        self._now = now
        self._stack = AsyncExitStack()
        self._demo = demo
        self._locks = settings.data_dir / "locks"
        self._own_locks: Path | None = None
        self._http = Once(self._connect)
        self._hosts = Once(self._firmly_hosts)
        self._opened_journal = Once(self._journal)

    async def close(self) -> None:
        """Let an order in flight end, then close what was opened. Calling it again does nothing."""
        placement = self.services.placement.made
        if placement is not None:
            await placement.drain(DRAIN_SECONDS)
        # After the orders: a person who said yes still sees how it ended.
        pages = self.services.pages.made
        if pages is not None:
            await pages.close()
        await self._stack.aclose()

    async def vault(self) -> Wallet:
        from .system.files import make_data_dir
        from .wallet.keychain import Keychain
        from .wallet.wallet import Wallet

        make_data_dir(self._settings.data_dir)
        if self._demo:
            return await self._demo_vault()
        settings = self._settings
        return Wallet(
            Keychain(),
            settings.owner,
            self._locks,
            self._now,
            card_command=self._card_command(),
            accept_key_command=command_line(settings, "orders", "accept-payment-key"),
        )

    def _card_command(self) -> CardCommand | None:
        from .wallet.commands import CardCommand

        settings = self._settings

        async def may_run() -> None:
            await (await self.services.accepted()).refuse_unless_accepted("card_command")

        if not settings.card_command:
            return None
        return CardCommand(settings.card_command, settings.environment, may_run=may_run, now=self._now)

    async def _demo_vault(self) -> Wallet:
        from .wallet.memory import demo_wallet

        if self._settings.environment != "simulator":
            raise NotAllowed("The demo's card works in the simulator environment only.")
        return await demo_wallet(self._settings.shopper, self._locks, self._now)

    async def firmly(self) -> FirmlyClient:
        """Firmly for the shopper's own device, whose token is kept in the keyring."""
        from .checkout.shopper_tokens import ShopperTokens

        vault = await self.services.vault()
        tokens = ShopperTokens(vault.device_tokens, vault.attempt_tokens, self._opened_journal)
        return await self._device(self._settings.shopper, tokens, self._locks)

    def has_journal(self) -> bool:
        """Whether earlier orders are recorded; one that was removed while it is open here still has them."""
        journal = self._opened_journal.made
        return (self._settings.data_dir / JOURNAL).exists() if journal is None else journal.exists

    async def new_device(self) -> FirmlyClient:
        """Firmly for a device that lives in memory, and whose locks nobody else needs."""
        from .api.session import TokensInMemory

        if self._own_locks is None:
            self._own_locks = Path(self._stack.enter_context(TemporaryDirectory(prefix="firmly-mcp-")))
        return await self._device(secrets.token_hex(8), TokensInMemory(), self._own_locks)

    async def _device(self, name: str, tokens: TokenStore, locks: Path, *, only_this: bool = False) -> FirmlyClient:
        from .api.client import FirmlyClient
        from .api.session import DeviceSession

        http = await self._http()
        hosts, app_id = await self._hosts()
        session = DeviceSession(
            http, hosts, app_id, tokens, now=self._now, lock_dir=locks, device=name, only_this=only_this
        )
        return FirmlyClient(session)

    async def _connect(self) -> Http:
        from .api.transport import Http

        return await self._stack.enter_async_context(Http())

    async def _firmly_hosts(self) -> tuple[Hosts, str]:
        from .api.encoding import Hosts

        pair = self._settings.hosts
        return await self._simulator() if pair is None else (Hosts(*pair), str(self._settings.app_id))

    async def _simulator(self) -> tuple[Hosts, str]:
        """The simulator of this data directory: started here, unless another process runs it already."""
        from .api.encoding import Hosts
        from .simulator import Simulator

        running = await self._stack.enter_async_context(Simulator.join_or_run(simulator_dir(self._settings)))
        return Hosts(api=running.api_url, payment=running.payment_url), running.app_id

    async def placement(self) -> Checkout:
        from .checkout.deps import Deps
        from .checkout.flow import Checkout
        from .system.files import SenderLocks

        settings, services = self._settings, self.services
        return Checkout(
            Deps(
                owner=settings.owner,
                wallet=await services.vault(),
                stores=_StoreClients(self),
                journal=await self._opened_journal(),
                policy=await services.accepted(),
                locks=SenderLocks(self._locks),
                order_ended=self._order_ended,
                security_code=self._security_code if settings.cvv_command else None,
                now=self._now,
            )
        )

    async def _order_ended(self, attempt: Attempt) -> None:
        for told in list(self.services.on_order_end):
            await told(attempt)

    async def pages_notice(self) -> str | None:
        # The demo has no card or PIN of a person and nothing that could be accepted: its link leads to this machine.
        if self._demo and self._settings.pages_are_here:
            return None
        try:
            return await (await self.services.accepted()).pages_notice()
        except WalletError as error:
            return f"{error.message} Until it can be read, the pages are at this machine's own address alone."

    async def pages(self) -> Pages:
        from .pages.server import Pages

        settings = self._settings
        return Pages(
            placement=self.services.placement,
            vault=self.services.vault,
            environment=settings.environment,
            now=self._now,
            port=settings.pages_port,
            bind=str(settings.pages_bind),
            public_url=settings.pages_url,
            notice=self.pages_notice,
        )

    async def _journal(self) -> Journal:
        from .checkout.journal.journal import Journal

        settings, vault = self._settings, await self.services.vault()
        journal = Journal(settings.data_dir / JOURNAL, vault.journal_mark, owner=settings.owner, now=self._now)
        return await self._stack.enter_async_context(journal)

    async def accepted(self) -> AcceptedSettings:
        return accepted_settings(self._settings, await self.services.vault())

    async def _security_code(self) -> SecretStr:
        from .wallet.commands import security_code

        await (await self.services.accepted()).refuse_unless_accepted("cvv_command")
        return await security_code(self._settings.cvv_command)

    async def attempt_device(self, attempt_id: str) -> FirmlyClient:
        """Firmly for the device of one attempt, whose token is kept until the attempt's outcome is certain."""
        vault = await self.services.vault()
        return await self._device(attempt_id, vault.attempt_tokens(attempt_id), self._locks, only_this=True)

    async def kept_device(self, attempt_id: str) -> FirmlyClient | None:
        """The same where its token is kept: a new device would see a cart of its own."""
        kept = (await self.services.vault()).attempt_tokens(attempt_id)
        return None if await kept.load() is None else await self.attempt_device(attempt_id)

    async def forget_device(self, attempt_id: str) -> None:
        """Delete that token."""
        await (await self.services.vault()).attempt_tokens(attempt_id).forget()


class _StoreClients:
    """`StoreClients`, made of the rooms."""

    def __init__(self, rooms: _Rooms) -> None:
        self._rooms = rooms

    async def shopper(self) -> FirmlyClient:
        return await self._rooms.services.firmly()

    async def throwaway(self) -> FirmlyClient:
        return await self._rooms.new_device()

    async def of_attempt(self, attempt_id: str) -> FirmlyClient:
        return await self._rooms.attempt_device(attempt_id)

    async def kept(self, attempt_id: str) -> FirmlyClient | None:
        return await self._rooms.kept_device(attempt_id)

    async def forget(self, attempt_id: str) -> None:
        await self._rooms.forget_device(attempt_id)


def accepted_settings(settings: Settings, vault: Wallet) -> AcceptedSettings:
    """What a person accepted of these settings, and what of them counts."""
    from .checkout.policy.acceptance import AcceptedSettings, AcceptedTexts

    return AcceptedSettings(
        environment=settings.environment,
        shopper=settings.shopper,
        declared=lambda: declared(settings),
        pages=pages_declared(settings),
        entry=vault.acceptance,
        texts=AcceptedTexts.of(settings.data_dir, settings.environment, settings.shopper),
        pin=vault.pin,
        accept_command=command_line(settings, "rules", "accept"),
        pin_command=command_line(settings, "pin", "set"),
    )


def simulator_dir(settings: Settings) -> Path:
    """Where the simulator of this data directory keeps its books and its address."""
    return settings.data_dir / "simulator"
