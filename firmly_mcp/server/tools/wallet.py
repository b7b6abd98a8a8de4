"""The person's cards and addresses, by their labels. Card numbers are not here: a page of the person's takes them."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.types import InputRequiredResult
from pydantic import Field

from firmly_mcp.server.person import Filling, PersonsForm, ask_with_form
from firmly_mcp.server.tool import Ctx, offered, services_of
from firmly_mcp.server.views.view import AddressesView, AddressView, CardsView, CardView
from firmly_mcp.settings import command_line
from firmly_mcp.wallet.addresses import AddressFields, new_address
from firmly_mcp.wallet.wallet import Wallet


def _line(description: str) -> Any:
    return Field(description=description, min_length=1, max_length=200)


@offered("List payment cards", reads=True, open_world=False)
async def list_payment_cards(ctx: Ctx) -> CardsView:
    """List the person's payment cards: label, brand, last four digits, expiry. Order tools take the label."""
    vault = await services_of(ctx).vault()
    if cards := await _cards(vault):
        return CardsView(cards=cards)
    problems = [damage.message for damage in await vault.damaged_cards()]
    return CardsView(cards=(), next=" ".join(problems) or "Call add_payment_card; never take a card in the chat.")


@offered("Add a payment card", open_world=False)
async def add_payment_card(ctx: Ctx) -> CardsView | InputRequiredResult:
    """Let the person add a payment card: it opens a page of their own, where they type it. You never see its number;
    never ask for it in the chat. Next: list_payment_cards.
    """

    async def form_of(subject: str | None) -> PersonsForm:
        return await (await services_of(ctx).pages()).card_form(subject)

    filling = await ask_with_form(ctx, form_of, "Add a payment card")
    if isinstance(filling, InputRequiredResult):
        return filling
    cards = await _cards(await services_of(ctx).vault())
    command = command_line(services_of(ctx).settings, "cards", "add")
    return CardsView(cards=cards, status=filling.status, link=filling.link, next=_next(filling, command, "cards"))


@offered("Add an address", open_world=False)
async def add_address(
    ctx: Ctx,
    label: Annotated[str | None, Field(description="A new short name", min_length=1, max_length=80)] = None,
    *,
    first_name: Annotated[str | None, _line("The recipient's")] = None,
    last_name: Annotated[str | None, _line("The recipient's")] = None,
    email: Annotated[str | None, _line("The recipient's")] = None,
    phone: Annotated[str | None, _line("The recipient's")] = None,
    address1: Annotated[str | None, _line("Street and number")] = None,
    city: Annotated[str | None, _line("City or town")] = None,
    state_or_province: Annotated[str | None, _line("Such as WA")] = None,
    postal_code: Annotated[str | None, _line("ZIP or postcode")] = None,
    country: Annotated[str | None, Field(description="ISO code, such as US", min_length=2, max_length=2)] = None,
    address2: Annotated[str | None, Field(description="Flat, floor", max_length=200)] = None,
    company: Annotated[str | None, Field(description="If any", max_length=200)] = None,
) -> AddressesView | InputRequiredResult:
    """Put an address that the person told you into their address book; an order to it asks the person first. Without
    any field: a page opens where they type it themselves.
    """
    typed: AddressFields = {
        "first_name": first_name or "",
        "last_name": last_name or "",
        "email": email or "",
        "phone": phone or "",
        "address1": address1 or "",
        "address2": address2,
        "company": company,
        "city": city or "",
        "state_or_province": state_or_province or "",
        "postal_code": postal_code or "",
        "country": country or "",
    }
    vault = await services_of(ctx).vault()
    if label is not None or any(typed.values()):
        await vault.add_address(new_address(label=label or "", origin="tool", **typed))
        return AddressesView(addresses=await _addresses(vault))

    async def form_of(subject: str | None) -> PersonsForm:
        return await (await services_of(ctx).pages()).address_form(subject)

    filling = await ask_with_form(ctx, form_of, "Add an address")
    if isinstance(filling, InputRequiredResult):
        return filling
    command = command_line(services_of(ctx).settings, "addresses", "add")
    return AddressesView(
        addresses=await _addresses(vault),
        status=filling.status,
        link=filling.link,
        next=_next(filling, command, "addresses"),
    )


@offered("List addresses", reads=True, open_world=False)
async def list_addresses(ctx: Ctx) -> AddressesView:
    """List the person's address book: label, name, city, country. Shipping and order tools take the label."""
    addresses = await _addresses(await services_of(ctx).vault())
    return AddressesView(addresses=addresses, next=None if addresses else "Call add_address.")


async def _cards(vault: Wallet) -> tuple[CardView, ...]:
    return tuple(
        CardView(
            label=card.label,
            brand=card.brand,
            last_four=card.last_four,
            expires=f"{card.month}/{card.year}",
            billing_address=card.billing_address,
        )
        for card in await vault.cards()
    )


async def _addresses(vault: Wallet) -> tuple[AddressView, ...]:
    return tuple(
        AddressView(
            label=entry.label,
            name=f"{entry.first_name} {entry.last_name}",
            city=entry.city,
            country=entry.country,
            origin=entry.origin,
        )
        for entry in await vault.addresses()
    )


def _next(filling: Filling, command: str, what: str) -> str | None:
    """What the model does now; nothing where the person is done."""
    if filling.status == "saved":
        return None
    listed = {"cards": "list_payment_cards", "addresses": "list_addresses"}[what]
    if filling.status == "asked":
        return f"The page is before the person. End your turn; when they say that they are done, call {listed}."
    if filling.status == "declined":
        return f"The person declined to open the page. Ask no more; if they change their mind, they run `{command}`."
    way = "open the link, or to run" if filling.link else "run, in a terminal,"
    return f"Ask the person to {way} `{command}`. Then end your turn; when they are done, call {listed}."
