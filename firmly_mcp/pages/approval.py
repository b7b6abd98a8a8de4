"""What a person answered to an approval, and what is wrong with it before anything else is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr
from starlette.responses import JSONResponse, RedirectResponse, Response

from firmly_mcp.checkout.text import closed_text
from firmly_mcp.errors import FirmlyError, NotAllowed, PinRefused, QuoteChanged
from firmly_mcp.redaction import holds_card_number

from .approval_view import approval_values, outcome_of
from .forms import Form, Problem
from .rendering import Rendering
from .sessions import Asking

if TYPE_CHECKING:
    from firmly_mcp.checkout.flow import Checkout, Review
    from firmly_mcp.checkout.models import Approval, Attempt, ProgressLog
    from firmly_mcp.checkout.quote import Quote

_LONGEST_PIN: Final = 200

_LONGEST_NUMBER: Final = 120

# Every doubt on a page has fields of its own, named so and by the attempt's id.
NUMBER: Final = "order_number_"

PIN: Final = "pin_"


@dataclass(frozen=True, slots=True)
class Answer:
    """A yes with its secrets, or a no; a yes with problems is none."""

    declines: bool
    code: SecretStr
    pin: SecretStr | None
    problems: list[Problem]


def read_answer(form: Form, review: Review) -> Answer:
    """The answer that a form holds. Whatever is not the yes button is no yes."""
    code = form.secret("security_code")
    pin = form.secret("pin") if review.pin_required else None
    problems = [problem for problem in (_code_problem(code, review), _pin_problem(pin)) if problem is not None]
    if form.text("answer") != "approve":
        return Answer(declines=form.text("answer") == "decline", code=code, pin=pin, problems=[_NO_ANSWER])
    return Answer(declines=False, code=code, pin=pin, problems=problems)


@dataclass(frozen=True, slots=True)
class Ending:
    """How an earlier order ended, as a person says who asked the store: under an `order_number`, or not placed."""

    attempt: Attempt
    order_number: str | None
    pin: SecretStr | None
    problems: list[Problem]


def read_ending(form: Form, review: Review) -> Ending | None:
    """What a form says of a doubt that stands on the page; None where the form is about no such doubt."""
    attempt = next((doubt for doubt in review.in_doubt if doubt.id == form.text("doubt")), None)
    answer = form.text("answer")
    if attempt is None or answer not in {"was_placed", "was_not_placed"}:
        return None
    number, pin = form.text(NUMBER + attempt.id), form.secret(PIN + attempt.id) if review.pin_set else None
    problems = []
    if answer == "was_placed" and not 0 < len(number) <= _LONGEST_NUMBER:
        problems.append(Problem("Type the number that the store gave the order.", field=NUMBER + attempt.id))
    if answer == "was_not_placed" and number:
        problems.append(Problem("An order that was not placed has no number.", field=NUMBER + attempt.id))
    problems += [Problem(problem.message, field=PIN + attempt.id) for problem in [_pin_problem(pin)] if problem]
    return Ending(attempt, number if answer == "was_placed" else None, pin, problems)


def without_secrets(ending: Ending) -> Ending:
    """What of it may be kept and shown again: neither the PIN nor a number that may be a card's."""
    number = ending.order_number
    shown = None if number is None or holds_card_number(number) else number
    return replace(ending, order_number=shown, pin=None)


_NO_ANSWER: Final = Problem("Choose one of the two buttons below: pay, or decline.")


def _code_problem(code: SecretStr, review: Review) -> Problem | None:
    problem = review.check_code(code)
    return None if problem is None else Problem(problem, field="security_code")


def _pin_problem(pin: SecretStr | None) -> Problem | None:
    if pin is None or 0 < len(pin.get_secret_value()) <= _LONGEST_PIN:
        return None
    return Problem("Type your approval PIN.", field="pin")


# The page that asks for a yes, and follows the order to its end.

CHANNEL: Final = "page"

# How long the end of an order can still be read on its page.
READABLE: Final = timedelta(minutes=10)

# A store that takes longer to say its price gets a page that says so.
_PATIENCE: Final = 2.0

# One question for more steps waits this long at most.
_WAIT: Final = 20.0


class ApprovalPage:
    """One question, for one visitor."""

    kind = "approval"

    def __init__(
        self, placement: Checkout, approval: Approval, rendering: Rendering, now: Callable[[], datetime]
    ) -> None:
        self._placement = placement
        self._approval = approval
        self._rendering = rendering
        self._now = now
        self._closes_at = approval.expires_at
        self._reading: asyncio.Task[Review] | None = None
        self._review: Review | None = None
        self._refused: Quote | None = None
        self._ended: Attempt | None = None
        self._problems: list[Problem] = []
        self._typed: Ending | None = None
        # What was shown and is shown once more beside a problem, without reading the order anew.
        self._kept: Review | None = None
        self._ending = asyncio.Lock()
        self._paying: asyncio.Task[Attempt] | None = None
        self._attempt: Attempt | None = None
        self._log: ProgressLog | None = None
        self._declined = False

    @property
    def closes_at(self) -> datetime:
        """Until when it can be answered, and then how long the answer can be read."""
        return self._now() + READABLE if self._is_under_way() else self._closes_at

    def _is_under_way(self) -> bool:
        """Whether an order is being checked or sent, which takes as long as it takes."""
        if self._attempt is not None:
            return self._log is not None and not self._log.ended
        return self._paying is not None

    async def get(self, asking: Asking) -> Response:
        """The question; or, once it is answered, what became of it."""
        if self._attempt is not None:
            return await (self._steps(asking) if asking.part else self._outcome(self._attempt))
        if asking.part or self._paying is not None:
            return self._waiting("paying")
        if self._declined:
            return self._rendering.page("declined", store=self._approval.store)
        return await self._question(asking)

    async def post(self, asking: Asking, form: Form) -> Response:
        """Take the answer. Whatever comes of it is on the page that a browser is then sent to."""
        back = RedirectResponse(asking.path, 303)
        if self._paying is None and self._attempt is None and not self._declined:
            review = self._review
            if review is None or form.text("shown") != review.quote.digest:
                self._tell([Problem("The order was read anew meanwhile. This is how it stands now.")])
                return back
            ending = read_ending(form, review)
            if ending is not None:
                await self._end(asking, review, ending)
                return back
            answer = read_answer(form, review)
            if answer.problems and not answer.declines:
                self._tell(answer.problems, review)
                return back
            if not self._claimed(asking):
                return back
            if answer.declines:
                await self._decline(review)
                return back
            self._paying = asyncio.create_task(self._pay(asking, review, answer))
        if self._paying is not None:
            await self._paid(self._paying)
        return back

    def _tell(self, problems: list[Problem], shown: Review | None = None, typed: Ending | None = None) -> None:
        """Keep what was wrong for the next look, which shows `shown` once more, or reads the order anew."""
        self._problems, self._kept, self._typed = problems, shown, typed

    def _claimed(self, asking: Asking) -> bool:
        """Whether the form was not answered before. One that was decides nothing and tries no PIN."""
        if asking.claim():
            self._tell([])
            return True
        if not self._problems and self._ended is None:
            self._tell([Problem("This form was sent before, so it was not taken again. This is how it stands now.")])
        return False

    async def leave(self) -> None:
        """Leave no cart behind that was made to show its price."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        await self._put_away()

    async def _question(self, asking: Asking) -> Response:
        kept, self._kept = self._kept, None
        if kept is not None and kept is self._review:
            return self._asked(asking, kept)
        reading = self._reading = self._reading or asyncio.create_task(self._read())
        await asyncio.wait({reading}, timeout=_PATIENCE)
        if not reading.done():
            return self._waiting("reading")
        if self._reading is reading:
            self._reading = None
        try:
            review = reading.result()
        except NotAllowed:
            closed = await self._closed()
            if closed is None:
                raise
            return closed
        if self._paying is not None or self._declined:
            return RedirectResponse(asking.path, 303)
        return self._asked(asking, review)

    async def _closed(self) -> Response | None:
        """What became of a question that cannot be answered any more; None where it still can."""
        placement = self._placement
        if any(waiting.id == self._approval.id for waiting in await placement.open_approvals()):
            return None
        stands = await placement.answered(self._approval.id) or self._approval
        words = closed_text(stands)
        return self._rendering.page("closed", status=410, title=words.title, words=words.person, approval=stands)

    async def _read(self) -> Review:
        """The order as it is now, in the place of what was shown before."""
        review = await self._placement.review(self._approval.id)
        before = self._review
        if self._paying is None and not self._declined:
            self._review = review
            await _discard(before)
        else:
            await _discard(review)
        return review

    async def _pay(self, asking: Asking, review: Review, answer: Answer) -> Attempt:
        return await self._placement.approve(review, answer.code, asking.proof(answer.pin))

    async def _paid(self, paying: asyncio.Task[Attempt]) -> None:
        """Wait until the order is on its way or was refused; a second click waits for the same."""
        try:
            attempt = await asyncio.shield(paying)
        except PinRefused as refused:
            if self._again(paying):
                # A PIN that was set since the page was shown needs its field, so the order is read anew.
                shown = self._review if self._review is not None and self._review.pin_required else None
                self._tell([Problem(refused.message, field="pin")], shown)
        except FirmlyError as refused:
            if self._again(paying) and self._review is not None:
                self._tell([Problem.of(refused)])
                # What was shown cannot be approved any more: the next look reads the order anew.
                changed = isinstance(refused, QuoteChanged)
                self._refused, self._review = self._review.quote if changed else None, None
        else:
            if self._attempt is None:
                self._attempt, self._log = attempt, self._placement.progress(attempt)
            self._closes_at = self._now() + READABLE

    def _again(self, paying: asyncio.Task[Attempt]) -> bool:
        """Take answers again, whichever of several clicks learns first that this one was refused."""
        is_first = self._paying is paying
        if is_first:
            self._paying = None
        return is_first

    async def _end(self, asking: Asking, review: Review, ending: Ending) -> None:
        """End an earlier doubt as the person says. The next look reads the order anew, without it."""
        async with self._ending:
            problems = ending.problems
            if not problems:
                if not self._claimed(asking):
                    return
                problems = await self._settled(asking, ending)
            if problems:
                self._tell(problems, review, without_secrets(ending))
            elif self._review is review:
                self._review = None
                await _discard(review)

    async def _settled(self, asking: Asking, ending: Ending) -> list[Problem]:
        """Why a doubt was not ended; nothing when it was."""
        proof = asking.proof(ending.pin)
        try:
            self._ended = await self._placement.settle_manually(ending.attempt, ending.order_number, proof=proof)
        except PinRefused as refused:
            return [Problem(refused.message, field=PIN + ending.attempt.id)]
        except FirmlyError as refused:
            return [Problem.of(refused)]
        return []

    async def _decline(self, review: Review) -> None:
        self._declined = True
        if await self._placement.decline(review, CHANNEL):
            self._closes_at = self._now() + READABLE
        else:
            # Answered elsewhere, replaced or expired: the next look says which.
            self._declined, self._review = False, None

    async def _outcome(self, approved: Attempt) -> Response:
        attempt = await self._placement.attempt(approved.id) or approved
        outcome = outcome_of(attempt, is_new=approved.is_new)
        if outcome is None:
            steps = self._log.steps if self._log is not None else ()
            return self._rendering.page("following", refresh=1, attempt=attempt, steps=steps)
        return self._rendering.page("outcome", outcome=outcome, attempt=attempt)

    async def _steps(self, asking: Asking) -> Response:
        """The steps after those that a script has shown, as soon as there are more."""
        log, told = self._log, asking.query.get("told", "")
        if log is None or not (told.isascii() and told.isdigit() and len(told) < 6):
            return JSONResponse({"steps": [], "ended": True})
        with suppress(TimeoutError):
            await asyncio.wait_for(log.more_than(int(told)), _WAIT)
        return JSONResponse({"steps": [step.words for step in log.steps[int(told) :]], "ended": log.ended})

    def _asked(self, asking: Asking, review: Review) -> Response:
        values = approval_values(review, self._refused) | {"ended": self._ended, "typed": self._typed}
        return self._rendering.page("approval", asking=asking, problems=self._problems, **values)

    def _waiting(self, why: str) -> Response:
        return self._rendering.page("waiting", refresh=1, why=why, store=self._approval.store)

    async def _put_away(self) -> None:
        """Let go of a review that nobody will answer."""
        if self._paying is None and not self._declined:
            review, self._review = self._review, None
            await _discard(review)


async def _discard(review: Review | None) -> None:
    if review is not None:
        await review.request.discard_cart()
