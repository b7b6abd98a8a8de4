"""From the yes to the outcome: check, write the attempt, seal, send once, record.

An order request is sent at most once. The attempt's row is on disk before its first byte; nothing here loops, retries
or resends; whatever is not proven is `unknown`. The send is a task of the process: the call that asked may be
cancelled, it goes on to its end.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.api.locks import Hold
from firmly_mcp.api.one_use import OneUseCard
from firmly_mcp.errors import FirmlyError, NotAllowed, QuoteChanged
from firmly_mcp.wallet.seal import PaymentKey
from firmly_mcp.wallet.vault import Vault

from .attempts import Attempt, Draft, Outcome, State
from .feed import Feed, Step
from .journal import Journal, Permit
from .proof import outcome_of_answer, outcome_of_error
from .purchases import Purchase
from .quote import Quote, quote, rises
from .sender_locks import SenderLocks
from .side_by_side import together

_SENDER_GONE: Final = "the program that sent the order ended before the store's answer was recorded"
_LAST_WORDS: Final = {
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
class Yes:
    """What was said yes to: a quote, for a draft of the attempt, by which right, with the card's security code."""

    shown: Quote
    permit: Permit
    code: SecretStr
    repeat: bool = False
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class _Payment:
    quote: Quote
    key: PaymentKey
    hold: Hold | None


class Sending:
    """Sends orders, each at most once, as tasks of this process."""

    def __init__(
        self,
        *,
        vault: Vault,
        firmly: Callable[[], Awaitable[FirmlyClient]],
        journal: Callable[[], Awaitable[Journal]],
        senders: SenderLocks,
        order_ended: Callable[[Attempt], Awaitable[None]],
    ) -> None:
        self._vault = vault
        self._firmly = firmly
        self._journal = journal
        self._senders = senders
        self._order_ended = order_ended
        self._live: dict[str, Feed] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    async def start(self, purchase: Purchase, yes: Yes) -> Placing:
        """Hand the purchase to a task of the process, and wait until its attempt is on disk.

        Raises:
            NotAllowed, QuoteChanged, WalletError, StoreError, Unreachable, UnexpectedAnswer: nothing was sent.
        """
        if self._closing:
            raise NotAllowed("The server is ending. Nothing was sent; order again once it runs.")
        begun: asyncio.Future[Placing] = asyncio.get_running_loop().create_future()
        # A call that was cancelled no longer asks; the error is not lost on anyone then.
        begun.add_done_callback(lambda done: done.cancelled() or done.exception())
        task = asyncio.create_task(self._run(purchase, yes, begun))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(begun)

    async def join(self, found: Attempt) -> Placing:
        """An attempt that was there before, as it now stands."""
        return Placing(await self.as_it_stands(found), self._live.get(found.id), is_new=False)

    async def as_it_stands(self, attempt: Attempt) -> Attempt:
        """The attempt; one whose sender is gone without an outcome is in doubt from here on."""
        if attempt.state is not State.SENDING or attempt.id in self._live:
            return attempt
        journal = await self._journal()
        with self._senders.judged(attempt.id) as sender_is_gone:
            if not sender_is_gone:
                return attempt
            return await journal.end(attempt, Outcome(State.UNKNOWN, reason=_SENDER_GONE))

    async def drain(self, seconds: float) -> None:
        """Let sends in flight end, for at most this long; what has not ended by then stays in doubt."""
        self._closing = True
        await self.let_end(seconds)

    async def let_end(self, seconds: float) -> None:
        """Let the sends that are in flight now end, for at most this long; others may begin meanwhile."""
        tasks = set(self._tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _run(self, purchase: Purchase, yes: Yes, begun: asyncio.Future[Placing]) -> None:
        try:
            async with purchase.hold() as hold:
                await self._check_and_send(purchase, yes, hold, begun)
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
        self, purchase: Purchase, yes: Yes, hold: Hold | None, begun: asyncio.Future[Placing]
    ) -> None:
        # Another call may have paid this very cart while this one waited for its turn.
        journal = await self._journal()
        found = await journal.find(draft_of(purchase, yes), yes.permit.window, repeat=yes.repeat)
        if found is not None:
            begun.set_result(await self.join(found))
            return
        attempt_id = "att_" + secrets.token_hex(8)
        try:
            payment = await self._check(attempt_id, purchase, yes.shown, hold)
        except FirmlyError:
            await purchase.settled(attempt_id)
            raise
        await self._attempt(attempt_id, purchase, yes, payment, begun)

    async def _check(self, attempt_id: str, purchase: Purchase, shown: Quote, hold: Hold | None) -> _Payment:
        """Read the cart again, right before paying, with all at hand that asks the network.

        Read while the key is being fetched, a price could rise between the two: a fault that raises it there is paid.
        """
        firmly = await self._firmly()
        key, _ = await together(firmly.payment_key(), purchase.prepare(attempt_id))
        cart = await purchase.price_again(hold)
        now = quote(purchase.store, cart, shown.payer)
        if difference := rises(shown, now):
            raise QuoteChanged(
                "The price or a term changed right before paying. Nothing was sent.", difference=difference
            )
        plain = {"n": key.n or "", "e": key.e or "", "kty": key.kty or ""}
        host = shown.payer.payment_host
        sealed_for = PaymentKey(host, key.kid, **plain, use=key.use, alg=key.alg, header_kid=key.header_kid)
        return _Payment(now, sealed_for, hold)

    async def _attempt(
        self, attempt_id: str, purchase: Purchase, yes: Yes, payment: _Payment, begun: asyncio.Future[Placing]
    ) -> None:
        journal = await self._journal()
        with self._senders.held(attempt_id):
            draft = draft_of(purchase, yes, payment.quote)
            try:
                written = await journal.begin(attempt_id, draft, yes.permit, repeat=yes.repeat)
            except FirmlyError:
                await purchase.settled(attempt_id)
                raise
            if not written.is_new:
                await purchase.settled(attempt_id)
                begun.set_result(await self.join(written.attempt))
                return
            feed = self._live[attempt_id] = Feed(purchase.steps)
            begun.set_result(Placing(written.attempt, feed, is_new=True))
            try:
                outcome = await self._send(purchase, yes, payment, feed)
                ended = await journal.end(written.attempt, outcome)
                feed.add(Step(ended.state, _LAST_WORDS[ended.state], ended.money_moved))
            finally:
                del self._live[attempt_id]
                feed.end()
        if ended.state is not State.UNKNOWN:
            await purchase.settled(attempt_id)
        await self._tell(ended)

    async def _tell(self, ended: Attempt) -> None:
        try:
            await self._order_ended(ended)
        except Exception:  # noqa: BLE001 - the order has its outcome, whoever can be told of it
            _log.exception("the end of an order could not be told")

    async def _send(self, purchase: Purchase, yes: Yes, payment: _Payment, feed: Feed) -> Outcome:
        """Seal and send, once. Every way this can end is an outcome; none of them leads back here."""
        payer = payment.quote.payer
        try:
            # This frame waits for the store's answer, and must not hold the sealed card until then.
            sealed = OneUseCard(await self._vault.seal(payer.card_label, yes.code, payment.key))
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


def draft_of(purchase: Purchase, yes: Yes, now: Quote | None = None) -> Draft:
    """The attempt that a yes makes: of the quote as it now is, or as it was shown."""
    return new_draft(purchase, now or yes.shown, yes.reference)


def new_draft(purchase: Purchase, quoted: Quote, reference: str | None) -> Draft:
    """The attempt that this purchase would be."""
    return Draft(
        store=quoted.store,
        tool=purchase.tool,
        purchase_key=quoted.purchase_key,
        digest=quoted.digest,
        cart_id=quoted.cart_id if purchase.sends_cart else None,
        total=quoted.total,
        lines=quoted.lines,
        card_label=quoted.payer.card_label,
        card_brand=quoted.payer.card_brand,
        card_last_four=quoted.payer.card_last_four,
        reference=reference,
        address_hash=quoted.address_hash,
    )
