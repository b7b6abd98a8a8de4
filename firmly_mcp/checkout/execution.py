"""Execute an authorized order: read the price again, record the attempt, encrypt, send once, record the outcome.

An order request is sent at most once. The attempt's row is on disk before its first byte; nothing here resends;
whatever is not proven is `unknown`. What waits for the network, the keyring or a command comes before the last read of
the price. Only the attempt's row and number and the connection come after it, and a price that is older than a second
by then is read again. Execution is a task of the process: the call that started it may be cancelled, it goes on.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from firmly_mcp.api.locks import CartLock
from firmly_mcp.api.models import PaymentKey as FirmlyKey
from firmly_mcp.errors import FirmlyError, NotAllowed, QuoteChanged
from firmly_mcp.redaction import OneUse
from firmly_mcp.wallet.cards import CardSummary
from firmly_mcp.wallet.jwe import Encryptor, PaymentKey

from .deps import Deps
from .journal.inspect import GuardEntry
from .journal.journal import Authorization
from .models import Attempt, CardRef, Outcome, ProgressEvent, ProgressLog, State
from .proof import outcome_of_answer, outcome_of_error
from .quote import Quote, price_increases, quote
from .requests import OrderRequest, new_attempt
from .text import state_text

A = TypeVar("A")
B = TypeVar("B")

# The age of a price, in seconds, up to which it may be sent on; and how often a slow store is asked for a younger one.
FRESH: Final = 1.0
_TRIES: Final = 3

_CHANGED: Final = "The price or a term changed right before paying. Nothing was sent."
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
class _Price:
    """A quote with no term worse than what was authorized; when the store was asked for it, and when it answered."""

    quote: Quote
    asked_at: float
    answered_at: float


@dataclass(frozen=True, slots=True)
class _Payment:
    """Everything at hand that a payment needs from the network, the keyring or a command."""

    request: OrderRequest
    cart_lock: CartLock | None
    encrypt: Encryptor
    guard: GuardEntry
    clock: Callable[[], float]

    async def read_price(self, authorized: Quote) -> _Price:
        """Read the cart again, and compare every term.

        Raises:
            QuoteChanged: the price rose, or a term is another.
        """
        asked_at = self.clock()
        cart = await self.request.price_again(self.cart_lock)
        now = quote(self.request.store, cart, authorized.payer)
        if increases := price_increases(authorized, now):
            raise QuoteChanged(_CHANGED, difference=increases)
        return _Price(now, asked_at, self.clock())

    async def renewed(self, price: _Price) -> _Price:
        """Return the price, read again while it is older than a second.

        A store that needs longer for an answer can never give a younger one: it is asked a few times.
        """
        for _ in range(_TRIES):
            if self.clock() - price.asked_at <= FRESH:
                break
            price = await self.read_price(price.quote)
        return price

    async def require_fresh(self, price: _Price) -> None:
        """Read the price once more if opening the connection took long. Nothing waits between this and the request.

        Raises:
            NotAllowed: the store answers too slowly; or as for `read_price`.
        """
        if self._is_too_old(price) and self._is_too_old(await self.read_price(price.quote)):
            raise NotAllowed(_TOO_OLD)

    def _is_too_old(self, price: _Price) -> bool:
        return self.clock() - price.answered_at > FRESH


class Executor:
    """Executes orders, each sent at most once, as tasks of this process."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._clock = deps.clock
        self._live: dict[str, ProgressLog] = {}
        self._unrecorded: dict[str, Attempt] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    async def start(self, request: OrderRequest, authorization: Authorization) -> Attempt:
        """Execute the order in a task of the process, and wait until its attempt is on disk.

        The request belongs to the task from here on, whatever becomes of the call.

        Raises:
            NotAllowed, QuoteChanged, WalletError, StoreError, Unreachable, UnexpectedAnswer: nothing was sent.
        """
        if self._closing:
            await request.discard_cart()
            raise NotAllowed("The server is ending. Nothing was sent; order again once it runs.")
        started: asyncio.Future[Attempt] = asyncio.get_running_loop().create_future()
        # A call that was cancelled does not fetch the error; asyncio would log it as never retrieved.
        started.add_done_callback(lambda done: done.cancelled() or done.exception())
        task = asyncio.create_task(self._run(request, authorization, started))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(started)

    async def _run(self, request: OrderRequest, authorization: Authorization, started: asyncio.Future[Attempt]) -> None:
        try:
            # From here to the outcome no other call changes the cart.
            async with request.hold() as cart_lock:
                await self._execute(request, authorization, cart_lock, started)
        except Exception as error:  # noqa: BLE001 - it is raised in the waiting call, or logged
            if started.done():
                # The row says `sending`; its next reader finds the sender's lock free and calls it unknown.
                _log.exception("an attempt's outcome could not be recorded")
            else:
                started.set_exception(error)
        finally:
            # A raised error keeps this frame, and the frame its arguments.
            authorization.security_code.forget()
            started.cancel()
            await request.discard_cart()

    async def _execute(
        self,
        request: OrderRequest,
        authorization: Authorization,
        cart_lock: CartLock | None,
        started: asyncio.Future[Attempt],
    ) -> None:
        """Execute one order, from its authorization to its recorded outcome."""
        journal = self._deps.journal
        attempt_id = "att_" + secrets.token_hex(8)
        authorized = new_attempt(attempt_id, request, authorization.quote, authorization.reference)
        # Another call may have paid this very cart while this one waited for its lock.
        found = await journal.find(authorized, authorization.window, repeat=authorization.repeat)
        if found is not None:
            started.set_result(await self.with_current_state(found))
            return
        with self._deps.locks.held(attempt_id), self._followed(attempt_id, request) as progress:
            try:
                payment = await self._prepare(attempt_id, request, authorization, cart_lock)
                price = await payment.read_price(authorization.quote)
                current = new_attempt(attempt_id, request, price.quote, authorization.reference)
                # Limits count what was authorized. A price that falls before the send does not lower it: a store that
                # states less and charges as before would free room in every limit.
                current = replace(current, total=max(authorized.total, current.total))
                attempt = await journal.begin(current, authorization, guard=payment.guard)
            except FirmlyError:
                await request.settled(attempt_id)
                raise
            if not attempt.is_new:
                await request.settled(attempt_id)
                started.set_result(await self.with_current_state(attempt))
                return
            ended = await self._pay(attempt, authorization, payment, price, started)
            progress.add(ProgressEvent(ended.state, state_text(ended.state).progress, ended.money_moved))
        if ended.state is not State.UNKNOWN:
            await request.settled(attempt_id)
        await self._publish(ended)

    async def _prepare(
        self, attempt_id: str, request: OrderRequest, authorization: Authorization, cart_lock: CartLock | None
    ) -> _Payment:
        """Have at hand what comes from the network, the keyring or a command: the price is read after all of it."""
        payer = authorization.quote.payer
        firmly = await self._deps.stores.shopper()
        key, _ = await gather_both(firmly.payment_key(), request.prepare(attempt_id))
        encrypted_for = key_at(payer.payment_host, key)
        encrypt = await self._deps.wallet.encryptor(payer.card.label, authorization.security_code.take(), encrypted_for)
        _refuse_another_card(payer.card, encrypt.card)
        return _Payment(request, cart_lock, encrypt, await self._deps.journal.last_kept(), self._clock)

    async def _pay(
        self,
        attempt: Attempt,
        authorization: Authorization,
        payment: _Payment,
        price: _Price,
        started: asyncio.Future[Attempt],
    ) -> Attempt:
        """Read the price again if recording the attempt took long, send, and record the outcome."""
        try:
            price = await payment.renewed(price)
        except FirmlyError as error:
            ended = await self._record(attempt, _unsent(error))
            if authorization.approval_id is None:
                started.set_exception(error)
            else:
                # The approval is used: what the person gets is how its attempt ended.
                started.set_result(replace(ended, is_new=True))
            return ended
        started.set_result(attempt)
        return await self._record(attempt, await self._send_once(payment, price, self._live[attempt.id]))

    async def _send_once(self, payment: _Payment, price: _Price, progress: ProgressLog) -> Outcome:
        """Encrypt and send. Every way this can end is an outcome; none of them leads back here."""
        try:
            # This frame waits for the store's answer, and must not hold the JWE until then.
            card = OneUse(payment.encrypt(), "an encrypted card")
        except FirmlyError as error:
            return _unsent(error)
        if not payment.request.is_ready:
            return Outcome(State.NOT_PLACED, reason=_SESSION_ENDS, error_name=NotAllowed.code)
        before_first_byte: list[FirmlyError] = []

        async def last_look() -> None:
            try:
                await payment.require_fresh(price)
            except FirmlyError as error:
                before_first_byte.append(error)
                raise
            progress.add(ProgressEvent("sending", "Payment sent; waiting for the store's answer.", "unknown"))

        billing = price.quote.payer.billing
        try:
            answer = await payment.request.send(card, billing, payment.cart_lock, progress.add, last_look)
        except FirmlyError as error:
            return _unsent(error) if error in before_first_byte else outcome_of_error(error)
        except Exception:  # noqa: BLE001 - after the send, even a bug of ours is a doubt and not a failure
            _log.exception("an order request ended in a way that proves nothing")
            return Outcome(State.UNKNOWN, reason="the request broke off in a way that proves nothing")
        return outcome_of_answer(answer)

    async def _record(self, attempt: Attempt, outcome: Outcome) -> Attempt:
        """Record the outcome; if the journal does not take it, keep it for as long as this process lives."""
        try:
            return await self._deps.journal.end(attempt, outcome)
        except NotAllowed as error:
            _log.error(
                "the order journal did not take the outcome of %s: %s, order number %r, charged %s. %s",
                *(attempt.id, outcome.state, outcome.order_number, outcome.charged, error.message),
            )
            ended = self._unrecorded[attempt.id] = replace(attempt, outcome=outcome)
            return ended

    async def _publish(self, ended: Attempt) -> None:
        try:
            await self._deps.order_ended(ended)
        except Exception:  # noqa: BLE001 - the order has its outcome, whoever hears of it
            _log.exception("the end of an order could not be told")

    # What others ask of an execution.

    @contextmanager
    def _followed(self, attempt_id: str, request: OrderRequest) -> Iterator[ProgressLog]:
        """Let calls follow an attempt from before its row can be seen until its outcome is recorded."""
        progress = self._live[attempt_id] = ProgressLog(request.steps)
        try:
            yield progress
        finally:
            del self._live[attempt_id]
            progress.end()

    def progress_of(self, attempt_id: str) -> ProgressLog | None:
        """Return the progress of an attempt that this process is sending; None for any other."""
        return self._live.get(attempt_id)

    async def with_current_state(self, attempt: Attempt) -> Attempt:
        """Return the attempt; one whose sender is gone without an outcome is in doubt from here on."""
        if attempt.state is not State.SENDING or attempt.id in self._live:
            return attempt
        if (ended := await self.unrecorded(attempt.id)) is not None:
            return ended
        with self._deps.locks.judged(attempt.id) as sender_is_gone:
            if not sender_is_gone:
                return attempt
            return await self._deps.journal.end(attempt, Outcome(State.UNKNOWN, reason=_SENDER_GONE))

    async def unrecorded(self, attempt_id: str) -> Attempt | None:
        """Return an attempt that ended here and whose outcome the journal did not take; offer it to it once more."""
        ended = self._unrecorded.pop(attempt_id, None)
        return None if ended is None else await self._record(ended, ended.outcome)

    async def drain(self, seconds: float) -> None:
        """Begin no more sends, and let those in flight end for at most this long; then they are in doubt."""
        self._closing = True
        await self.let_end(seconds)

    async def let_end(self, seconds: float) -> None:
        """Let the sends that are in flight now end, for at most this long; others may begin meanwhile."""
        if tasks := set(self._tasks):
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


def key_at(host: str, key: FirmlyKey) -> PaymentKey:
    """Return a key that Firmly shows at this payment host, as the wallet takes it."""
    plain = {"n": key.n or "", "e": key.e or "", "kty": key.kty or ""}
    return PaymentKey(host, key.kid, **plain, use=key.use, alg=key.alg, header_kid=key.header_kid)


def _unsent(error: FirmlyError) -> Outcome:
    """Return the outcome of an attempt that an error ended before its request: nothing was sent, whatever the error."""
    difference = error.difference if isinstance(error, QuoteChanged) else ()
    return Outcome(State.NOT_PLACED, reason=" ".join((error.message, *difference)), error_name=error.code)


def _refuse_another_card(authorized: CardRef, card: CardSummary) -> None:
    """Pay with the card that was authorized, or not at all: its label may have been given to another card since."""
    before, now = (authorized.brand, authorized.last_four), (card.brand, card.last_four)
    if before != now:
        difference = f"card {authorized.label}: {' ending '.join(before)} → {' ending '.join(now)}"
        raise QuoteChanged("The card changed right before paying. Nothing was sent.", difference=(difference,))


async def gather_both(first: Awaitable[A], second: Awaitable[B]) -> tuple[A, B]:
    """Return both results. The first error ends the other too, and is raised once that has ended."""
    tasks = asyncio.ensure_future(first), asyncio.ensure_future(second)
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
