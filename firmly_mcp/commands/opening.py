"""What subcommands share: the rooms, opened for one act and closed after it; and amounts as arguments."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from firmly_mcp.app import Services
    from firmly_mcp.checkout.flow import Checkout
    from firmly_mcp.pages.saving import Saving
    from firmly_mcp.pages.server import Pages
    from firmly_mcp.wallet.wallet import Wallet

T = TypeVar("T")

# Digits alone: no sign, no exponent, and no more digits than a price has.
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,4})?", re.ASCII)


class Amount(click.ParamType[Decimal]):
    """An amount of money in major units, such as 53.40."""

    name = "amount"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Read it; what is no amount is wrong usage."""
        if not _AMOUNT.fullmatch(str(value)):
            self.fail("is no amount; write it like 53.40", param, ctx)
        return Decimal(str(value))


def with_placement(act: Callable[[Checkout], Awaitable[T]]) -> T:
    """Open the rooms that orders need, act, close."""

    async def in_rooms(services: Services) -> T:
        return await act(await services.placement())

    return with_services(in_rooms)


def with_vault(act: Callable[[Wallet], Awaitable[T]]) -> T:
    """Open the wallet, act, close."""

    async def in_rooms(services: Services) -> T:
        return await act(await services.vault())

    return with_services(in_rooms)


def with_services(act: Callable[[Services], Awaitable[T]]) -> T:
    """Have the rooms at hand, act, close what was opened."""
    import anyio

    from firmly_mcp.app import open_services
    from firmly_mcp.settings import read_settings

    async def run() -> T:
        async with open_services(read_settings()) as services:
            return await act(services)

    return anyio.run(run)


def in_browser(form_of: Callable[[Pages], Awaitable[Saving]], *, from_stdin: bool, as_json: bool) -> None:
    """Open a page, and wait until the person has filled it in."""
    import anyio

    from firmly_mcp.app import open_services
    from firmly_mcp.pages.server import fill_in_browser
    from firmly_mcp.settings import read_settings
    from firmly_mcp.terminal.telling import tell

    if from_stdin:
        raise click.UsageError("Choose one of --stdin and --browser.")
    settings = read_settings()

    async def run() -> None:
        async with open_services(settings) as services:
            form = await form_of(await services.pages())
            await fill_in_browser(form, may_open=settings.open_pages)
            tell(f"The {form.kind} is saved.", {"saved": form.kind}, as_json=as_json)

    anyio.run(run)
