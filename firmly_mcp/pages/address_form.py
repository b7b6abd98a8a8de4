"""The fields of an address on a form: their order, what is wrong with each, and the address that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from firmly_mcp.errors import PinRefused
from firmly_mcp.wallet.addresses import FIELDS, Address, clean_field, field_problem, new_address
from firmly_mcp.wallet.pin import LONGEST
from firmly_mcp.wallet.plain_text import label_problem

from .answers import Problem
from .forms import Form
from .saving import Refused
from .visits import Asking

if TYPE_CHECKING:
    from firmly_mcp.wallet.vault import Vault

LABEL: Final = "address_label"
OWN_PIN: Final = "own_pin"
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


async def add_address(vault: Vault, asking: Asking, form: Form) -> Address:
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


async def own_pin_problems(form: Form, vault: Vault) -> list[Problem]:
    """What is wrong with the PIN that an address of the person's own takes, where one is set."""
    if not await vault.pin.is_set() or 0 < len(form.secret(OWN_PIN).get_secret_value()) <= LONGEST:
        return []
    return [Problem("Type your approval PIN.", OWN_PIN)]


async def address_problems(form: Form, vault: Vault) -> list[Problem]:
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


async def _label_problem(typed: SecretStr, vault: Vault) -> str | None:
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
