"""From the yes to the outcome: check, write the attempt, seal, send once, record.

An order request is sent at most once. The attempt's row is on disk before its first byte; nothing here loops, retries
or resends; whatever is not proven is `unknown`. The send is a task of the process: the call that asked may be
cancelled, it goes on to its end.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from pydantic import SecretStr

from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.api.locks import Hold
from firmly_mcp.api.models import Cart
from firmly_mcp.api.names import store_name
from firmly_mcp.errors import CartNotFound, FirmlyError, NotAllowed, QuoteChanged
from firmly_mcp.money import Money
from firmly_mcp.wallet.seal import PaymentKey
from firmly_mcp.wallet.vault import Vault

from .attempts import Attempt, Draft, Outcome, State
from .feed import Feed, Step
from .journal import Journal
from .proof import outcome_of_answer, outcome_of_error
from .purchases import CartPurchase, Item, ItemsPurchase, Purchase
from .quote import Payer, Quote, quote, rises
from .sender_locks import SenderLocks

# A cart that is gone after an order was its last use: that order is looked for this far back.
_LAST_ORDER = timedelta(days=1)
_SENDER_GONE = "the program that sent the order ended before the store's answer was recorded"
_LAST_WORDS = {
    State.PLACED: "The order is placed.",
    State.NOT_PLACED: "The order was not placed; nothing was charged.",
    State.UNKNOWN: "There is no proof that the order was placed, and none that it was not.",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Placing:
    """An attempt, and its steps where this process is sending it.

    `is_new` is False when the call joined an attempt that was there before.
    """

    attempt: Attempt
    feed: Feed | None
    is_new: bool


@dataclass(frozen=True, slots=True)
class Payment:
    """What one send needs: the checked quote, the security code, Firmly's key, and the store's lock."""

    quote: Quote
    code: SecretStr
    key: PaymentKey
    hold: Hold | None


class Placement:
    """Places orders, each at most once.

    What is handed in as a function is asked for when it is first needed. `firmly` is the shopper's own device,
    `new_device` makes one that nobody else has.
    """

    def __init__(
        self,
        *,
        environment: str,
        shopper: str,
        vault: Vault,
        firmly: Callable[[], Awaitable[FirmlyClient]],
        new_device: Callable[[], Awaitable[FirmlyClient]],
        journal: Callable[[], Awaitable[Journal]],
        security_code: Callable[[], Awaitable[SecretStr]],
        lock_dir: Path,
    ) -> None:
        self._environment = environment
        self._shopper = shopper
        self._vault = vault
        self._firmly = firmly
        self._new_device = new_device
        self._journal = journal
        self._security_code = security_code
        self._senders = SenderLocks(lock_dir)
        self._live: dict[str, Feed] = {}
        self._sends: set[asyncio.Task[None]] = set()

    async def complete_order(self, store: str, *, card: str | None, max_total: Decimal | None) -> Placing:
        """Pay the shopper's cart at this store.

        `max_total` is in the cart's currency and can only refuse.

        Raises:
            NotAllowed, QuoteChanged, WalletError, StoreError, Unreachable, UnexpectedAnswer: nothing was sent.
        """
        self._refuse_outside_the_simulator()
        store = store_name(store)
        in_flight = await self._being_sent(store)
        if in_flight is not None:
            return in_flight
        purchase = CartPurchase(store, await self._firmly())
        cart = await _price_or_none(purchase)
        if cart is None or cart.is_empty or cart.submitted:
            return await self._last_order(store)
        return await self._order(purchase, cart, card=card, max_total=max_total)

    async def place_order(
        self, store: str, items: Sequence[Item], *, address: str | None, card: str | None, max_total: Decimal | None
    ) -> Placing:
        """Buy these items for this address without touching the shopper's cart.

        Raises:
            NotAllowed, QuoteChanged, WalletError, StoreError, Unreachable, UnexpectedAnswer: nothing was sent.
        """
        self._refuse_outside_the_simulator()
        entry = await self._vault.address(address)
        pricing, sending = await self._new_device(), await self._new_device()
        purchase = ItemsPurchase(store_name(store), tuple(items), entry.as_firmly(), pricing, sending)
        async with _tidied_on_error(purchase):
            cart = await purchase.price()
        return await self._order(purchase, cart, card=card, max_total=max_total)

    async def attempt(self, attempt_id: str) -> Attempt | None:
        """An attempt as it now stands."""
        journal = await self._journal()
        found = await journal.attempt(attempt_id)
        return None if found is None else await self._as_it_stands(journal, found)

    async def attempts(self, *, limit: int, before: int | None = None) -> Sequence[Attempt]:
        """Attempts, newest first; `before` is the number of the last one that was seen."""
        journal = await self._journal()
        return [
            await self._as_it_stands(journal, found) for found in await journal.attempts(limit=limit, before=before)
        ]

    async def drain(self, seconds: float) -> None:
        """Let sends in flight end, for at most this long; what has not ended by then stays in doubt."""
        sends = set(self._sends)
        if sends:
            _, late = await asyncio.wait(sends, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _order(self, purchase: Purchase, cart: Cart, *, card: str | None, max_total: Decimal | None) -> Placing:
        async with _tidied_on_error(purchase):
            shown = quote(purchase.store, cart, await self._payer(card))
            journal = await self._journal()
            found = await journal.find(_draft(purchase, shown))
        if found is not None:
            await purchase.tidy()
            return await self._join(journal, found)
        async with _tidied_on_error(purchase):
            _refuse_above(shown, max_total)
            code = await self._security_code()
        return await self._start(purchase, shown, code)

    async def _payer(self, card: str | None) -> Payer:
        summary = await self._vault.card_summary(card)
        billing = await self._vault.address(summary.billing_address)
        firmly = await self._firmly()
        return Payer(
            environment=self._environment,
            shopper=self._shopper,
            payment_host=firmly.session.hosts.payment,
            card_label=summary.label,
            card_brand=summary.brand,
            card_last_four=summary.last_four,
            billing=billing.as_firmly(),
        )

    async def _being_sent(self, store: str) -> Placing | None:
        """The attempt that is paying the cart of this store at this moment."""
        journal = await self._journal()
        for attempt in await journal.sending(store):
            if attempt.draft.cart_id is not None:
                joined = await self._join(journal, attempt)
                if joined.attempt.state is State.SENDING:
                    return joined
        return None

    async def _last_order(self, store: str) -> Placing:
        """The order that used the cart up, where there is one."""
        journal = await self._journal()
        last = await journal.latest(store, within=_LAST_ORDER)
        if last is None or last.state is State.NOT_PLACED:
            raise NotAllowed(f"The cart at {store} is empty. Nothing was sent.", next="add_line_item")
        return await self._join(journal, last)

    async def _join(self, journal: Journal, found: Attempt) -> Placing:
        return Placing(await self._as_it_stands(journal, found), self._live.get(found.id), is_new=False)

    async def _as_it_stands(self, journal: Journal, attempt: Attempt) -> Attempt:
        """The attempt; one whose sender is gone without an outcome is in doubt from here on."""
        if attempt.state is not State.SENDING or attempt.id in self._live:
            return attempt
        with self._senders.judged(attempt.id) as sender_is_gone:
            if not sender_is_gone:
                return attempt
            return await journal.end(attempt, Outcome(State.UNKNOWN, reason=_SENDER_GONE))

    async def _start(self, purchase: Purchase, shown: Quote, code: SecretStr) -> Placing:
        """Hand the purchase to a task of the process, and wait until its attempt is on disk."""
        begun: asyncio.Future[Placing] = asyncio.get_running_loop().create_future()
        # A call that was cancelled no longer asks; the error is not lost on anyone then.
        begun.add_done_callback(lambda done: done.cancelled() or done.exception())
        task = asyncio.create_task(self._run(purchase, shown, code, begun))
        self._sends.add(task)
        task.add_done_callback(self._sends.discard)
        return await asyncio.shield(begun)

    async def _run(self, purchase: Purchase, shown: Quote, code: SecretStr, begun: asyncio.Future[Placing]) -> None:
        try:
            async with purchase.hold() as hold:
                await self._check_and_send(purchase, shown, code, hold, begun)
        except Exception as error:  # noqa: BLE001 - it is handed to the waiting call, or logged
            if begun.done():
                # The row says `sending`; whoever reads it next finds its lock free and calls it unknown.
                _log.exception("an attempt's outcome could not be recorded")
            else:
                begun.set_exception(error)
        finally:
            begun.cancel()
            await purchase.tidy()

    async def _check_and_send(
        self,
        purchase: Purchase,
        shown: Quote,
        code: SecretStr,
        hold: Hold | None,
        begun: asyncio.Future[Placing],
    ) -> None:
        # Another call may have paid this very cart while this one waited for its turn.
        journal = await self._journal()
        found = await journal.find(_draft(purchase, shown))
        if found is not None:
            begun.set_result(await self._join(journal, found))
            return
        now, key = await self._check(purchase, shown, hold)
        await self._attempt(purchase, Payment(now, code, key, hold), begun)

    async def _check(self, purchase: Purchase, shown: Quote, hold: Hold | None) -> tuple[Quote, PaymentKey]:
        """Read the cart again, right before paying, beside the payment key that will be needed."""
        firmly = await self._firmly()
        sent, cart = await asyncio.gather(firmly.payment_key(), purchase.price_again(hold))
        now = quote(purchase.store, cart, shown.payer)
        if difference := rises(shown, now):
            raise QuoteChanged(
                "The price or a term changed right before paying. Nothing was sent.", difference=difference
            )
        return now, PaymentKey(
            host=shown.payer.payment_host,
            kid=sent.kid,
            n=sent.n or "",
            e=sent.e or "",
            kty=sent.kty or "",
            use=sent.use,
            alg=sent.alg,
            header_kid=sent.header_kid,
        )

    async def _attempt(self, purchase: Purchase, payment: Payment, begun: asyncio.Future[Placing]) -> None:
        journal = await self._journal()
        attempt_id = "att_" + secrets.token_hex(8)
        with self._senders.held(attempt_id):
            written = await journal.begin(attempt_id, _draft(purchase, payment.quote))
            if not written.is_new:
                begun.set_result(await self._join(journal, written.attempt))
                return
            feed = self._live[attempt_id] = Feed(purchase.steps)
            begun.set_result(Placing(written.attempt, feed, is_new=True))
            try:
                outcome = await self._send(purchase, payment, feed)
                ended = await journal.end(written.attempt, outcome)
                feed.add(Step(ended.state, _LAST_WORDS[ended.state], ended.money_moved))
            finally:
                del self._live[attempt_id]
                feed.end()

    async def _send(self, purchase: Purchase, payment: Payment, feed: Feed) -> Outcome:
        """Seal and send, once. Every way this can end is an outcome; none of them leads back here."""
        payer = payment.quote.payer
        try:
            sealed = await self._vault.seal(payer.card_label, payment.code, payment.key)
        except FirmlyError as error:
            return Outcome(State.NOT_PLACED, reason=error.message, error_name=error.code)
        feed.add(Step("sending", "Payment sent; waiting for the store's answer.", "unknown"))
        try:
            order = await purchase.send(sealed, payer.billing, payment.hold, feed.add)
        except FirmlyError as error:
            return outcome_of_error(error)
        except Exception:  # noqa: BLE001 - after the send, even a bug of ours is a doubt and not a failure
            _log.exception("an order request ended in a way that proves nothing")
            return Outcome(State.UNKNOWN, reason="the request broke off in a way that proves nothing")
        return outcome_of_answer(order)

    def _refuse_outside_the_simulator(self) -> None:
        if self._environment != "simulator":
            raise NotAllowed(
                "Orders are placed only in the simulator environment: this version has no spending rules and no "
                "approvals yet, and without them no real order is sent. Carts work here all the same."
            )


@asynccontextmanager
async def _tidied_on_error(purchase: Purchase) -> AsyncIterator[None]:
    try:
        yield
    except FirmlyError:
        await purchase.tidy()
        raise


async def _price_or_none(purchase: CartPurchase) -> Cart | None:
    try:
        return await purchase.price()
    except CartNotFound:
        return None


def _draft(purchase: Purchase, shown: Quote) -> Draft:
    return Draft(
        store=shown.store,
        tool=purchase.tool,
        purchase_key=shown.purchase_key,
        digest=shown.digest,
        cart_id=shown.cart_id if purchase.sends_cart else None,
        total=shown.total,
        lines=shown.lines,
        card_label=shown.payer.card_label,
        card_brand=shown.payer.card_brand,
        card_last_four=shown.payer.card_last_four,
    )


def _refuse_above(shown: Quote, max_total: Decimal | None) -> None:
    if max_total is not None and shown.total.amount > max_total:
        limit = Money(max_total, shown.total.currency)
        raise NotAllowed(f"The total is {shown.total}, above the {limit} that max_total allows. Nothing was sent.")
