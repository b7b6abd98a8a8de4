"""What a person typed on the card page, checked field by field before anything is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr
from starlette.responses import Response

from firmly_mcp.errors import PinRefused
from firmly_mcp.redaction import BRANDS
from firmly_mcp.wallet.addresses import FIELDS, Address, clean_field, field_problem, new_address
from firmly_mcp.wallet.cards import (
    TEST_ONLY,
    Card,
    expiry_problem,
    month_and_year,
    name_problem,
    new_card,
    number_problem,
    test_numbers,
)
from firmly_mcp.wallet.entries import label_problem
from firmly_mcp.wallet.pin import LONGEST, pin_problem

from .forms import Form, Problem
from .rendering import Rendering, brand_name
from .saving import Refused, Saving, SavingPage, Typed, shown_again
from .sessions import Asking

if TYPE_CHECKING:
    from firmly_mcp.wallet.wallet import Wallet

# What the choice of a billing address says: a new one, or one of the book with its label behind the colon.
NEW_ADDRESS: Final = "new"

OF_THE_BOOK: Final = "book:"


@dataclass(frozen=True, slots=True)
class CardAnswer:
    """The card to keep, whether a new address came with it, and the new PIN."""

    card: Card
    has_new_address: bool
    pin: SecretStr | None


async def read_card(form: Form, vault: Wallet) -> CardAnswer:
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


def _card_on(form: Form, vault: Wallet) -> Card:
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


async def _card_problems(form: Form, vault: Wallet) -> list[Problem]:
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


async def _new_address_problems(form: Form, vault: Wallet) -> list[Problem]:
    return [*await address_problems(form, vault), *await own_pin_problems(form, vault)]


async def _choice_problems(form: Form, vault: Wallet) -> list[Problem]:
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


# The page that takes a payment card.

# Of the card itself, these come back after a problem.
_KEPT: Final = ("label", "expiry", "name")

OWN_PIN: Final = "own_pin"

# Whatever was wrong, these come back empty.
_TYPE_AGAIN: Final = {
    "number": "Type the card number again. It was not kept, and is never shown.",
    "pin": "Type the PIN again, in both fields.",
    OWN_PIN: "Type the PIN again.",
}


def card_page(vault: Wallet, rendering: Rendering, now: Callable[[], datetime], saving: Saving) -> SavingPage:
    """The page, for one visitor."""

    async def show(asking: Asking, typed: Typed, problems: list[Problem]) -> Response:
        book = await vault.addresses()
        return rendering.page(
            "card",
            asking=asking,
            problems=problems,
            brands=[{"name": brand_name(brand.name), "prefixes": brand.prefixes} for brand in BRANDS],
            test_numbers=test_numbers() if vault.environment in TEST_ONLY else (),
            book=[(OF_THE_BOOK + address.label, _in_words(address)) for address in book],
            new_address=NEW_ADDRESS,
            rows=address_rows("billing"),
            wants_pin=await vault.wants_pin(),
            pin_set=await vault.pin.is_set(),
            may_skip_pin=vault.environment == "simulator",
            values=shown_again(typed, _defaults(book)),
        )

    async def save(asking: Asking, form: Form) -> Callable[[], Response]:
        answer = await read_card(form, vault)
        if answer.has_new_address:
            await add_address(vault, asking, form)
        added = await vault.add_card(answer.card)
        if answer.pin is not None:
            await vault.pin.set(answer.pin, asking.proof(None))
        return partial(
            rendering.page,
            "card_saved",
            card=added,
            kept_in=vault.description,
            pin_set=answer.pin is not None,
            lacks_pin=answer.pin is None and not await vault.pin.is_set(),
        )

    fields = (*_KEPT, "billing", LABEL, *FIELDS)
    return SavingPage("card", show=show, save=save, saving=saving, now=now, fields=fields, remarks=_with_secrets)


def _defaults(book: list[Address]) -> dict[str, str]:
    billing = OF_THE_BOOK + book[0].label if book else NEW_ADDRESS
    address_label = "" if book else "Home"
    fields = dict.fromkeys((*_KEPT, *FIELDS), "")
    return fields | {"billing": billing, LABEL: address_label}


def _with_secrets(form: Form, problems: list[Problem]) -> list[Problem]:
    """Whatever was wrong, say beside each secret that it has to be typed again, unless it was typed wrong itself."""
    said = {problem.field.removesuffix("_again") for problem in problems}
    lost = [name for name in _TYPE_AGAIN if problems and form.secret(name) and name not in said]
    return [*problems, *(Problem(_TYPE_AGAIN[name], name) for name in lost)]


def _in_words(address: Address) -> str:
    came = {"tool": " (from your assistant)", "script": " (from a script)"}.get(address.origin, "")
    return f"{address.label}: {address.first_name} {address.last_name}, {address.address1}, {address.city}{came}"


# The fields of an address on a form: their order, what is wrong with each, and the address that they make.

LABEL: Final = "address_label"

# What a browser may fill in by itself, in the words of HTML's autofill.
_AUTOFILL: Final = {
    "first_name": "given-name",
    "last_name": "family-name",
    "company": "organization",
    "email": "email",
    "phone": "tel",
    "address1": "address-line1",
    "address2": "address-line2",
    "city": "address-level2",
    "country": "country",
    "state_or_province": "address-level1",
    "postal_code": "postal-code",
}

_ROWS: Final = (
    ("first_name", "last_name"),
    ("company",),
    ("email", "phone"),
    ("address1",),
    ("address2",),
    ("city", "state_or_province"),
    ("postal_code", "country"),
)

_KEYBOARDS: Final = {"email": "email", "phone": "tel"}

_HINTS: Final = {"country": "Two letters, such as US."}


def address_rows(section: str) -> list[list[dict[str, object]]]:
    """The fields as a template draws them, those side by side that belong together; `section`: shipping or billing."""
    return [[_input(name, section) for name in row] for row in _ROWS]


async def add_address(vault: Wallet, asking: Asking, form: Form) -> Address:
    """Keep the address on a form that has no problems; a person typed it.

    Raises:
        Refused: the PIN is wrong or locked. Nothing was added.
    """
    address = address_on(form)
    try:
        await vault.add_own_address(address, asking.proof(form.secret(OWN_PIN) or None))
    except PinRefused as refused:
        raise Refused([Problem(refused.message, OWN_PIN)]) from None
    return address


async def own_pin_problems(form: Form, vault: Wallet) -> list[Problem]:
    """What is wrong with the PIN that an address of the person's own takes, where one is set."""
    if not await vault.pin.is_set() or 0 < len(form.secret(OWN_PIN).get_secret_value()) <= LONGEST:
        return []
    return [Problem("Type your approval PIN.", OWN_PIN)]


async def address_problems(form: Form, vault: Wallet) -> list[Problem]:
    """What is wrong with the address on a form, in the order of its fields."""
    problems = [Problem(problem, LABEL)] if (problem := await _label_problem(form.secret(LABEL), vault)) else []
    for name in (name for row in _ROWS for name in row):
        country = clean_field("country", form.text("country"))
        found = field_problem(name, clean_field(name, form.text(name)), country=country)
        if found is not None:
            problems.append(Problem(_title(name) + found.removeprefix(name), name))
    return problems


def address_on(form: Form) -> Address:
    """The address on a form that has no problems; a person typed it."""
    return new_address(
        label=form.text(LABEL),
        origin="person",
        first_name=form.text("first_name"),
        last_name=form.text("last_name"),
        company=form.text("company"),
        email=form.text("email"),
        phone=form.text("phone"),
        address1=form.text("address1"),
        address2=form.text("address2"),
        city=form.text("city"),
        country=form.text("country"),
        state_or_province=form.text("state_or_province"),
        postal_code=form.text("postal_code"),
    )


async def _label_problem(typed: SecretStr, vault: Wallet) -> str | None:
    problem = label_problem(typed.get_secret_value())
    if problem is None and await vault.has_address(typed.get_secret_value()):
        return "There is an address of this label already. Choose another one."
    return problem


def _input(name: str, section: str) -> dict[str, object]:
    rule = FIELDS[name]
    extra = {
        "autocomplete": f"{section} {_AUTOFILL[name]}",
        "maxlength": rule.length,
        "inputmode": _KEYBOARDS.get(name),
        "required": None if rule.optional else True,
        "autocapitalize": "characters" if name == "country" else None,
    }
    label = f"{_title(name)} (optional)" if rule.optional else _title(name)
    return {"name": name, "label": label, "hint": _HINTS.get(name, ""), "extra": extra}


def _title(name: str) -> str:
    return FIELDS[name].title.partition(" (")[0]


# The page that takes an address into the address book.


def address_page(vault: Wallet, rendering: Rendering, now: Callable[[], datetime], saving: Saving) -> SavingPage:
    """The page, for one visitor."""

    async def show(asking: Asking, typed: Typed, problems: list[Problem]) -> Response:
        default = "" if await vault.addresses() else "Home"
        return rendering.page(
            "address",
            asking=asking,
            problems=problems,
            rows=address_rows("shipping"),
            values=shown_again(typed, {LABEL: default} | dict.fromkeys(FIELDS, "")),
            pin_set=await vault.pin.is_set(),
        )

    async def save(asking: Asking, form: Form) -> Callable[[], Response]:
        problems = [*await address_problems(form, vault), *await own_pin_problems(form, vault)]
        if problems:
            raise Refused(problems)
        address = await add_address(vault, asking, form)
        return partial(rendering.page, "address_saved", address=address, kept_in=vault.description)

    return SavingPage("address", show=show, save=save, saving=saving, now=now, fields=(LABEL, *FIELDS))
