"""Execute an approved order: have all at hand, check the price, record the attempt, encrypt, send once, record.

An order request is sent at most once. The attempt's row is on disk before its first byte; nothing here resends;
whatever is not proven is `unknown`. What waits for the network, the keyring or a command comes before the last read of
the price; only the attempt's row and number and the connection come after it, and a price that is older than a second
by then is read again. The send is a task of the process: the call that asked may be cancelled, it goes on to its end.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from pydantic import SecretStr

from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.api.locks import CartLock
from firmly_mcp.api.models import PaymentKey as FirmlyKey
from firmly_mcp.errors import FirmlyError, NotAllowed, QuoteChanged
from firmly_mcp.redaction import OneUse
from firmly_mcp.system.files import SenderLocks
from firmly_mcp.wallet.cards import CardSummary
from firmly_mcp.wallet.jwe import Encryptor, PaymentKey
from firmly_mcp.wallet.wallet import Wallet

from .journal.inspect import GuardEntry
from .journal.journal import Journal, Permit
from .models import Attempt, Outcome, ProgressEvent, ProgressLog, State
from .price_check import PriceCheck, checked, is_too_old, renewed, seconds_passed
from .proof import outcome_of_answer, outcome_of_error
from .quote import PaymentMethod, Quote
from .requests import OrderRequest
from .text import state_text

_SENDER_GONE: Final = "the program that sent the order ended before the store's answer was recorded"

_TOO_OLD: Final = (
    "The price could not be read within the second before the order. Nothing was sent; the same order may be made "
    "again."
)

_SESSION_ENDS: Final = (
    "The session with the store would have had to be renewed before the order. Nothing was sent; the same order may be "
    "made again."
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Yes:
    """What was said yes to: a quote, for a draft of the attempt, by which right, with the card's security code."""

    shown: Quote
    permit: Permit
    code: OneUse[SecretStr]
    repeat: bool = False
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class _Payment:
    """What a payment needs, all at hand. `by_rules` is False where a person approved it."""

    purchase: OrderRequest
    by_rules: bool
    encrypt: Encryptor
    last_attempt: GuardEntry
    hold: CartLock | None


class Executor:
    """Sends orders, each at most once, as tasks of this process."""

    def __init__(
        self,
        *,
        vault: Wallet,
        firmly: Callable[[], Awaitable[FirmlyClient]],
        journal: Callable[[], Awaitable[Journal]],
        senders: SenderLocks,
        order_ended: Callable[[Attempt], Awaitable[None]],
        clock: Callable[[], float] = seconds_passed,
    ) -> None:
        self._vault = vault
        self._firmly = firmly
        self._journal = journal
        self._senders = senders
        self._order_ended = order_ended
        self._clock = clock
        self._live: dict[str, ProgressLog] = {}
        self._unrecorded: dict[str, Attempt] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    async def start(self, purchase: OrderRequest, yes: Yes) -> Attempt:
        """Hand the purchase to a task of the process, and wait until its attempt is on disk.

        Raises:
            NotAllowed, QuoteChanged, WalletError, StoreError, Unreachable, UnexpectedAnswer: nothing was sent.
        """
        if self._closing:
            raise NotAllowed("The server is ending. Nothing was sent; order again once it runs.")
        begun: asyncio.Future[Attempt] = asyncio.get_running_loop().create_future()
        # A call that was cancelled no longer asks; the error is not lost on anyone then.
        begun.add_done_callback(lambda done: done.cancelled() or done.exception())
        task = asyncio.create_task(self._run(purchase, yes, begun))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(begun)

    def progress_of(self, attempt_id: str) -> ProgressLog | None:
        """Return the progress of an attempt that this process is sending; None for any other."""
        return self._live.get(attempt_id)

    async def as_it_stands(self, attempt: Attempt) -> Attempt:
        """The attempt; one whose sender is gone without an outcome is in doubt from here on."""
        if attempt.state is not State.SENDING or attempt.id in self._live:
            return attempt
        if (ended := await self.unrecorded(attempt.id)) is not None:
            return ended
        journal = await self._journal()
        with self._senders.judged(attempt.id) as sender_is_gone:
            if not sender_is_gone:
                return attempt
            return await journal.end(attempt, Outcome(State.UNKNOWN, reason=_SENDER_GONE))

    async def unrecorded(self, attempt_id: str) -> Attempt | None:
        """An attempt that ended here, and whose outcome the journal did not take; it is offered to it once more."""
        ended = self._unrecorded.pop(attempt_id, None)
        return None if ended is None else await self._record(ended, ended.outcome)

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

    async def _run(self, purchase: OrderRequest, yes: Yes, begun: asyncio.Future[Attempt]) -> None:
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
            # An error that is handed on keeps this frame, and the frame what it was given.
            yes.code.forget()
            begun.cancel()
            await purchase.tidy()

    async def _check_and_send(
        self, purchase: OrderRequest, yes: Yes, hold: CartLock | None, begun: asyncio.Future[Attempt]
    ) -> None:
        # Another call may have paid this very cart while this one waited for its turn.
        journal = await self._journal()
        attempt_id = "att_" + secrets.token_hex(8)
        approved = new_attempt(attempt_id, purchase, yes.shown, yes.reference)
        found = await journal.find(approved, yes.permit.window, repeat=yes.repeat)
        if found is not None:
            begun.set_result(await self.as_it_stands(found))
            return
        with self._senders.held(attempt_id), self._followed(attempt_id, purchase) as feed:
            try:
                payment = await self._payment(attempt_id, purchase, yes, hold)
                check = await checked(purchase, yes.shown, hold, self._clock)
                new = new_attempt(attempt_id, purchase, check.quote, yes.reference)
                # Its total is what was approved. A price that falls before the send does not lower it: a store that
                # states less and charges as before would free room in every limit.
                new = replace(new, total=max(approved.total, new.total))
                written = await journal.begin(new, yes.permit, repeat=yes.repeat, kept=payment.last_attempt)
            except FirmlyError:
                await purchase.settled(attempt_id)
                raise
            if not written.is_new:
                await purchase.settled(attempt_id)
                begun.set_result(await self.as_it_stands(written))
                return
            ended = await self._attempt(written, payment, check, begun)
            feed.add(ProgressEvent(ended.state, state_text(ended.state).progress, ended.money_moved))
        if ended.state is not State.UNKNOWN:
            await purchase.settled(attempt_id)
        await self._tell(ended)

    @contextmanager
    def _followed(self, attempt_id: str, purchase: OrderRequest) -> Iterator[ProgressLog]:
        """Let calls follow an attempt from before its row can be seen until its outcome is recorded."""
        feed = self._live[attempt_id] = ProgressLog(purchase.steps)
        try:
            yield feed
        finally:
            del self._live[attempt_id]
            feed.end()

    async def _payment(self, attempt_id: str, purchase: OrderRequest, yes: Yes, hold: CartLock | None) -> _Payment:
        """Have everything at hand that asks the network, the keyring or a command: the price is read after it."""
        firmly = await self._firmly()
        key, _ = await together(firmly.payment_key(), purchase.prepare(attempt_id))
        payer = yes.shown.payer
        encrypted_for = key_at(payer.payment_host, key)
        encrypt = await self._vault.encryptor(payer.card.label, yes.code.take(), encrypted_for)
        _refuse_another_card(payer, encrypt.card)
        last_attempt = await (await self._journal()).last_kept()
        return _Payment(purchase, yes.permit.approval is None, encrypt, last_attempt, hold)

    async def _attempt(
        self, attempt: Attempt, payment: _Payment, check: PriceCheck, begun: asyncio.Future[Attempt]
    ) -> Attempt:
        """Make the check again if writing the attempt took long, send, and record the outcome."""
        feed = self._live[attempt.id]
        try:
            check = await renewed(check, payment.purchase, payment.hold, self._clock)
        except FirmlyError as error:
            ended = await self._record(attempt, _unsent(error))
            if payment.by_rules:
                begun.set_exception(error)
            else:
                # The approval is used up: what the person gets is how its attempt ended.
                begun.set_result(replace(ended, is_new=True))
            return ended
        begun.set_result(attempt)
        return await self._record(attempt, await self._send(payment, check, feed))

    async def _record(self, attempt: Attempt, outcome: Outcome) -> Attempt:
        """Write the outcome down; where that fails, keep it for as long as this process lives."""
        journal = await self._journal()
        try:
            return await journal.end(attempt, outcome)
        except NotAllowed as error:
            _log.error(
                "the order journal did not take the outcome of %s: %s, order number %r, charged %s. %s",
                *(attempt.id, outcome.state, outcome.order_number, outcome.charged, error.message),
            )
            ended = self._unrecorded[attempt.id] = replace(attempt, outcome=outcome)
            return ended

    async def _tell(self, ended: Attempt) -> None:
        try:
            await self._order_ended(ended)
        except Exception:  # noqa: BLE001 - the order has its outcome, whoever can be told of it
            _log.exception("the end of an order could not be told")

    async def _send(self, payment: _Payment, check: PriceCheck, feed: ProgressLog) -> Outcome:
        """Encrypt and send, once. Every way this can end is an outcome; none of them leads back here."""
        try:
            # This frame waits for the store's answer, and must not hold the sealed card until then.
            sealed = OneUse(payment.encrypt(), "an encrypted card")
        except FirmlyError as error:
            return _unsent(error)
        if not payment.purchase.is_ready:
            return Outcome(State.NOT_PLACED, reason=_SESSION_ENDS, error_name=NotAllowed.code)
        unsent: list[FirmlyError] = []

        async def last_look() -> None:
            try:
                await self._refuse_old(check, payment)
            except FirmlyError as error:
                unsent.append(error)
                raise
            feed.add(ProgressEvent("sending", "Payment sent; waiting for the store's answer.", "unknown"))

        try:
            order = await payment.purchase.send(sealed, check.quote.payer.billing, payment.hold, feed.add, last_look)
        except FirmlyError as error:
            return _unsent(error) if error in unsent else outcome_of_error(error)
        except Exception:  # noqa: BLE001 - after the send, even a bug of ours is a doubt and not a failure
            _log.exception("an order request ended in a way that proves nothing")
            return Outcome(State.UNKNOWN, reason="the request broke off in a way that proves nothing")
        return outcome_of_answer(order)

    async def _refuse_old(self, check: PriceCheck, payment: _Payment) -> None:
        """Make the check once more where opening the connection took long. Nothing waits between this and the request.

        Raises:
            NotAllowed: the store answers too slowly; or as for `checked`.
        """
        if not is_too_old(check, self._clock):
            return
        check = await checked(payment.purchase, check.quote, payment.hold, self._clock)
        if is_too_old(check, self._clock):
            raise NotAllowed(_TOO_OLD)


def key_at(host: str, key: FirmlyKey) -> PaymentKey:
    """Return a key that Firmly shows at this payment host, as the wallet takes it."""
    plain = {"n": key.n or "", "e": key.e or "", "kty": key.kty or ""}
    return PaymentKey(host, key.kid, **plain, use=key.use, alg=key.alg, header_kid=key.header_kid)


def _unsent(error: FirmlyError) -> Outcome:
    """The outcome of an attempt that an error ended before its request: nothing was sent, whatever the error."""
    difference = error.difference if isinstance(error, QuoteChanged) else ()
    return Outcome(State.NOT_PLACED, reason=" ".join((error.message, *difference)), error_name=error.code)


def _refuse_another_card(payer: PaymentMethod, card: CardSummary) -> None:
    """Pay with the card that was shown, or not at all: its label may stand for another one by now."""
    shown, now = (payer.card.brand, payer.card.last_four), (card.brand, card.last_four)
    if shown != now:
        difference = f"card {payer.card.label}: {' ending '.join(shown)} → {' ending '.join(now)}"
        raise QuoteChanged("The card changed right before paying. Nothing was sent.", difference=(difference,))


def new_attempt(attempt_id: str, purchase: OrderRequest, quoted: Quote, reference: str | None) -> Attempt:
    """Return the attempt that an order of this quote would be, before it is written."""
    return Attempt(
        id=attempt_id,
        store=quoted.store,
        tool=purchase.tool,
        purchase_key=quoted.purchase_key,
        digest=quoted.digest,
        cart_id=quoted.cart_id if purchase.sends_cart else None,
        total=quoted.total,
        lines=quoted.lines,
        card=quoted.payer.card,
        reference=reference,
        address_hash=quoted.address_hash,
        intent_key=purchase.intent_key,
    )


# Readings that do not wait for each other.

A = TypeVar("A")

B = TypeVar("B")


async def together(first: Awaitable[A], second: Awaitable[B]) -> tuple[A, B]:
    """What both give. The first error ends the other too, and is raised once that has ended."""
    tasks = asyncio.ensure_future(first), asyncio.ensure_future(second)
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
