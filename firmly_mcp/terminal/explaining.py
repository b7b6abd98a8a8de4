"""What an order would meet, before anybody makes it: every rule with its verdict. Nothing is ordered or reserved."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import click

from firmly_mcp.api.models import Address as CartAddress
from firmly_mcp.checkout.accepted import Accepted
from firmly_mcp.checkout.in_force import in_force
from firmly_mcp.checkout.placement import Placement
from firmly_mcp.checkout.recipients import address_hash
from firmly_mcp.checkout.rules import Allow, Ask, Deny, Order, Verdict, decide, explain
from firmly_mcp.errors import CardNotFound, NotAllowed
from firmly_mcp.money import Money
from firmly_mcp.wallet.vault import Vault

from .tables import show

_COLUMNS: Final = {"rule": "Rule", "verdict": "Verdict", "reason": "Why"}
_COLOURS: Final = {"allow": "green", "holds": "green", "ask": "bold yellow", "refuse": "bold red"}
_MEANT: Final[Mapping[type[Verdict], str]] = {Allow: "allowed without asking", Ask: "asked about", Deny: "refused"}


async def explain_order(
    accepted: Accepted, placement: Placement, vault: Vault, asked: Mapping[str, Any], *, as_json: bool
) -> None:
    """Print every rule that such an order would meet now, and what comes of it.

    Raises:
        SettingsError: the rules cannot be read.
        CardNotFound, AddressNotFound: there is none of this label.
    """
    order = await _order(vault, asked)
    rules = in_force(await accepted.standing(), accepted.accept_command)
    history = await placement.history(order)
    steps = explain(rules.written, order, history)
    # What would allow it says nothing where another rule is against it.
    is_allowed = all(step.verdict in {"holds", "allow"} for step in steps)
    met = [step for step in steps if is_allowed or step.verdict != "allow"]
    rows = [{"rule": step.rule, "verdict": step.verdict, "reason": step.reason} for step in met]
    show(rows, _COLUMNS, as_json=as_json, colours=_COLOURS)
    verdict = rules.verdict(lambda each: decide(each, order, history))
    click.echo(f"Such an order is {_MEANT[type(verdict)]}, by {verdict.rule}: {verdict.reason}", err=True)


async def _order(vault: Vault, asked: Mapping[str, Any]) -> Order:
    label = asked["address"]
    address = None if label is None else await vault.address(label)
    where = None if address is None else CartAddress.model_validate(address.as_firmly())
    return Order(
        store=asked["store"].strip().lower(),
        total=_money(asked["total"], asked["currency"]),
        card_label=await _card(vault, asked["card"]),
        quantities=(asked["quantity"],),
        tool=asked["tool"],
        address_hash=None if where is None else address_hash(await vault.address_key(), where),
        known_address=address is None or address.origin == "person",
        repeat=asked["repeat"],
    )


async def _card(vault: Vault, label: str | None) -> str:
    try:
        return (await vault.card_summary(label)).label
    except CardNotFound:
        if label is not None:
            raise
        return ""


def _money(amount: Decimal, currency: str) -> Money:
    try:
        return Money.parse(amount, currency.upper())
    except ValueError:
        raise NotAllowed(f"{currency} is no currency; write it like USD.") from None
