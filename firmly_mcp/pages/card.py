"""The page that takes a payment card. Its number goes from the form into the wallet, and comes back on no page.

The security code is not asked for: it is never stored. The first card asks for an approval PIN too.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from firmly_mcp.card_numbers import BRANDS
from firmly_mcp.wallet.addresses import FIELDS
from firmly_mcp.wallet.number import TEST_ONLY, test_numbers

from .address_form import LABEL, OWN_PIN, add_address, address_rows
from .answers import Problem
from .card_form import NEW_ADDRESS, OF_THE_BOOK, read_card
from .forms import Form
from .rendering import Rendering, brand_name
from .saving import Saving, SavingPage, Typed, shown_again
from .visits import Asking

if TYPE_CHECKING:
    from firmly_mcp.wallet.addresses import Address
    from firmly_mcp.wallet.vault import Vault

# Of the card itself, these come back after a problem.
_KEPT: Final = ("label", "expiry", "name")
# Whatever was wrong, these come back empty.
_TYPE_AGAIN: Final = {
    "number": "Type the card number again. It was not kept, and is never shown.",
    "pin": "Type the PIN again, in both fields.",
    OWN_PIN: "Type the PIN again.",
}


def card_page(vault: Vault, rendering: Rendering, now: Callable[[], datetime], saving: Saving) -> SavingPage:
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
