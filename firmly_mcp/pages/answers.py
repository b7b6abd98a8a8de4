"""What a person answered to an approval, and what is wrong with it before anything else is done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from firmly_mcp.card_numbers import holds_card_number
from firmly_mcp.errors import FirmlyError

from .forms import Form

if TYPE_CHECKING:
    from firmly_mcp.checkout.attempts import Attempt
    from firmly_mcp.checkout.desk import Review

_LONGEST_PIN: Final = 200
_LONGEST_NUMBER: Final = 120
# Every doubt on a page has fields of its own, named so and by the attempt's id.
NUMBER: Final = "order_number_"
PIN: Final = "pin_"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an answer was not taken: beside the `field` that it is about, if it is about one."""

    message: str
    field: str = ""
    money_moved: str = ""

    @classmethod
    def of(cls, error: FirmlyError) -> Problem:
        """What the person is told of an error, with what is known about the money."""
        return cls(error.message, money_moved=error.money_moved)


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
    attempt = next((doubt for doubt in review.doubts if doubt.id == form.text("doubt")), None)
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
