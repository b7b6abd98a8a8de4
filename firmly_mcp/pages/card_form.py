"""What a person typed on the card page, checked field by field before anything is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from firmly_mcp.wallet.cards import Card, expiry_problem, month_and_year, name_problem, new_card, number_problem
from firmly_mcp.wallet.pin import pin_problem
from firmly_mcp.wallet.plain_text import label_problem

from .address_form import LABEL, address_problems, own_pin_problems
from .answers import Problem
from .forms import Form
from .saving import Refused

if TYPE_CHECKING:
    from firmly_mcp.wallet.vault import Vault

# What the choice of a billing address says: a new one, or one of the book with its label behind the colon.
NEW_ADDRESS: Final = "new"
OF_THE_BOOK: Final = "book:"


@dataclass(frozen=True, slots=True)
class CardAnswer:
    """The card to keep, whether a new address came with it, and the new PIN."""

    card: Card
    has_new_address: bool
    pin: SecretStr | None


async def read_card(form: Form, vault: Vault) -> CardAnswer:
    """The card on a form.

    Raises:
        Refused: with every problem, in the order of the fields.
    """
    is_new = form.text("billing") == NEW_ADDRESS
    wants_pin = await vault.wants_pin()
    problems = await _card_problems(form, vault)
    problems += await (_new_address_problems(form, vault) if is_new else _choice_problems(form, vault))
    problems += _pin_problems(form, may_skip=vault.environment == "simulator") if wants_pin else []
    if problems:
        raise Refused(problems)
    pin = form.secret("pin") if wants_pin and form.secret("pin") else None
    return CardAnswer(_card_on(form, vault), is_new, pin)


def _card_on(form: Form, vault: Vault) -> Card:
    is_new = form.text("billing") == NEW_ADDRESS
    month, year = month_and_year(form.secret("expiry"))
    return new_card(
        label=form.text("label"),
        number=form.secret("number"),
        name=form.text("name"),
        month=month,
        year=year,
        billing_address=form.text(LABEL) if is_new else form.text("billing").removeprefix(OF_THE_BOOK),
        environment=vault.environment,
        now=vault.now(),
    )


async def _card_problems(form: Form, vault: Vault) -> list[Problem]:
    label = label_problem(form.text("label"))
    if label is None and await vault.has_card(form.text("label")):
        label = "There is a card of this label already. Choose another one."
    found = {
        "label": label,
        "number": number_problem(form.secret("number"), vault.environment),
        "expiry": expiry_problem(*month_and_year(form.secret("expiry")), vault.now()),
        "name": name_problem(form.text("name")),
    }
    return [Problem(message, field) for field, message in found.items() if message is not None]


async def _new_address_problems(form: Form, vault: Vault) -> list[Problem]:
    return [*await address_problems(form, vault), *await own_pin_problems(form, vault)]


async def _choice_problems(form: Form, vault: Vault) -> list[Problem]:
    chosen = form.text("billing")
    if chosen.startswith(OF_THE_BOOK) and await vault.has_address(chosen.removeprefix(OF_THE_BOOK)):
        return []
    return [Problem("Choose the address that the card's bills go to.", "billing")]


def _pin_problems(form: Form, *, may_skip: bool) -> list[Problem]:
    pin, again = form.secret("pin"), form.secret("pin_again")
    if may_skip and not pin and not again:
        return []
    problem = pin_problem(pin)
    if problem is not None:
        return [Problem(problem, "pin")]
    return [] if pin == again else [Problem("The two PINs are not the same.", "pin_again")]
