"""The person's cards and addresses, by their labels. Card numbers are not here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from firmly_mcp.server.tool import Ctx, offered, services_of
from firmly_mcp.server.views import AddressesView, AddressView, CardsView, CardView
from firmly_mcp.wallet.addresses import new_address
from firmly_mcp.wallet.vault import Vault

Plain = Annotated[str, Field(min_length=1, max_length=200)]


@offered("List payment cards", reads=True, open_world=False)
async def list_payment_cards(ctx: Ctx) -> CardsView:
    """List the person's payment cards: label, brand, last four digits, expiry. Order tools take the label."""
    vault = await services_of(ctx).vault()
    cards = tuple(
        CardView(
            label=card.label,
            brand=card.brand,
            last_four=card.last_four,
            expires=f"{card.month}/{card.year}",
            billing_address=card.billing_address,
        )
        for card in await vault.cards()
    )
    return CardsView(
        cards=cards, next=None if cards else "The person runs `firmly-mcp cards add` in a terminal; never in the chat."
    )


@offered("Add an address", open_world=False)
async def add_address(
    ctx: Ctx,
    label: Annotated[str, Field(description="A short name for it", min_length=1, max_length=80)],
    *,
    first_name: Plain,
    last_name: Plain,
    email: Plain,
    phone: Plain,
    address1: Plain,
    city: Plain,
    state_or_province: Plain,
    postal_code: Plain,
    country: Annotated[str, Field(description="ISO 3166 alpha-2, such as US", min_length=2, max_length=2)],
    address2: Annotated[str | None, Field(max_length=200)] = None,
    company: Annotated[str | None, Field(max_length=200)] = None,
) -> AddressesView:
    """Put an address that the person told you into their address book, under a new label. It is marked as coming from
    you: an order to it asks the person first.
    """
    vault = await services_of(ctx).vault()
    await vault.add_address(
        new_address(
            label=label,
            origin="tool",
            first_name=first_name,
            last_name=last_name,
            email=email,
            phone=phone,
            address1=address1,
            address2=address2,
            company=company,
            city=city,
            state_or_province=state_or_province,
            postal_code=postal_code,
            country=country,
        )
    )
    return await _addresses(vault)


@offered("List addresses", reads=True, open_world=False)
async def list_addresses(ctx: Ctx) -> AddressesView:
    """List the person's address book: label, name, city, country. Shipping and order tools take the label."""
    return await _addresses(await services_of(ctx).vault())


async def _addresses(vault: Vault) -> AddressesView:
    addresses = tuple(
        AddressView(
            label=entry.label,
            name=f"{entry.first_name} {entry.last_name}",
            city=entry.city,
            country=entry.country,
            origin=entry.origin,
        )
        for entry in await vault.addresses()
    )
    return AddressesView(
        addresses=addresses,
        next=None if addresses else "The person runs `firmly-mcp addresses add` in a terminal.",
    )
