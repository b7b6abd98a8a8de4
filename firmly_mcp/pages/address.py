"""The page that takes an address into the address book. What is typed here is a person's: its origin says so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from starlette.responses import Response

from firmly_mcp.wallet.addresses import FIELDS

from .address_form import LABEL, add_address, address_problems, address_rows, own_pin_problems
from .answers import Problem
from .forms import Form
from .rendering import Rendering
from .saving import Refused, Saving, SavingPage, Typed, shown_again
from .visits import Asking

if TYPE_CHECKING:
    from firmly_mcp.wallet.vault import Vault


def address_page(vault: Vault, rendering: Rendering, now: Callable[[], datetime], saving: Saving) -> SavingPage:
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
