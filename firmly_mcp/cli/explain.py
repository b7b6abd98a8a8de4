"""What would become of an order, before it is made: what comes before the rules, every rule, and what comes after.

Nothing is ordered or reserved, and no command runs.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final, Literal

import click

from firmly_mcp.api.encoding import store_name
from firmly_mcp.checkout.flow import Checkout
from firmly_mcp.checkout.policy.acceptance import WHERE, AcceptedSettings, in_force
from firmly_mcp.checkout.policy.evaluate import Allow, Ask, Deny, Order, Step, Verdict, decide, explain
from firmly_mcp.checkout.quote import address_hash, as_sent, recipient
from firmly_mcp.checkout.ruling import in_practice
from firmly_mcp.errors import CardNotFound, NotAllowed
from firmly_mcp.money import CURRENCIES, Money, nearest_currency
from firmly_mcp.settings import Settings
from firmly_mcp.wallet.wallet import Wallet

from .output import show

_COLUMNS: Final = {"rule": "Rule", "verdict": "Verdict", "reason": "Why"}
_COLOURS: Final = {"allow": "green", "holds": "green", "ask": "bold yellow", "refuse": "bold red"}
_MEANT: Final[Mapping[type[Verdict], str]] = {Allow: "allowed without asking", Ask: "asked about", Deny: "refused"}
_WORDS: Final[Mapping[type[Verdict], Literal["allow", "ask", "refuse"]]] = {Allow: "allow", Ask: "ask", Deny: "refuse"}
# Where no address is named, one that was ordered to long before is meant; no hash is spelled so.
_USUAL_ADDRESS: Final = "usual"
_LONG_AGO: Final = timedelta(days=36_500)


async def explain_order(
    settings: Settings,
    accepted: AcceptedSettings,
    placement: Checkout,
    vault: Wallet,
    asked: Mapping[str, Any],
    *,
    as_json: bool,
) -> None:
    """Print all that such an order would meet now, and what comes of it.

    Raises:
        SettingsError: the rules cannot be read.
        InvalidRequest, NotAllowed: the store is no host name, the currency no currency.
        CardNotFound, AddressNotFound: there is none of this label.
    """
    order = await _order(vault, asked)
    rules = in_force(await accepted.standing(), accepted.accept_command)
    history = await placement.history(order)
    if asked["address"] is None:
        history = replace(history, address_since=history.now - _LONG_AGO)
    before = [step async for step in _before_the_rules(accepted, order)]
    verdict = _outcome(settings, rules.verdict(lambda each: decide(each, order, history)))
    if before and not isinstance(verdict, Deny):
        verdict = Deny(before[0].rule, before[0].reason)
    steps = (*before, *(_assumed(step, asked) for step in explain(rules.written, order, history)))
    # What would allow it says nothing where a rule, or what comes before or after the rules, is against it.
    met = [step for step in steps if isinstance(verdict, Allow) or step.verdict != "allow"]
    if all(step.rule != verdict.rule or step.verdict == "holds" for step in met):
        met.append(Step(verdict.rule, _WORDS[type(verdict)], verdict.reason))
    rows = [{"rule": step.rule, "verdict": step.verdict, "reason": step.reason} for step in met]
    show(rows, _COLUMNS, as_json=as_json, colours=_COLOURS)
    bound = f" The call has to give max_total, {order.total.plain} or more." if isinstance(verdict, Allow) else ""
    click.echo(f"Such an order is {_MEANT[type(verdict)]}, by {verdict.rule}: {verdict.reason}{bound}", err=True)


async def _before_the_rules(accepted: AcceptedSettings, order: Order) -> AsyncIterator[Step]:
    """What stops every order, whatever the rules say of it."""
    if not order.card_label:
        yield Step("card", "refuse", "There is no card to pay with, or several and none is the default.")
    if accepted.is_needed:
        acts: dict[str, Callable[[], Awaitable[None]]] = {
            "pin": accepted.refuse_without_pin,
            "not_accepted": partial(accepted.refuse_unless_accepted, *WHERE),
        }
        for rule, act in acts.items():
            try:
                await act()
            except NotAllowed as stopped:
                yield Step(rule, "refuse", stopped.message)


def _outcome(settings: Settings, verdict: Verdict) -> Verdict:
    """What comes of the rules' verdict once the card's security code is needed."""
    command = settings.cvv_command
    if isinstance(verdict, Allow) and command and shutil.which(command[0]) is None:
        reason = f"Your rules allow it, and the cvv_command {command[0]} is not there or cannot be run."
        return Deny("security_code", reason)
    return in_practice(verdict, prints_code=bool(command))


def _assumed(step: Step, asked: Mapping[str, Any]) -> Step:
    if asked["address"] is None and step.rule == "addresses.cooling_off":
        return replace(step, reason="It is taken to go to an address that you ordered to before; --address names one.")
    return step


async def _order(vault: Wallet, asked: Mapping[str, Any]) -> Order:
    label = asked["address"]
    address = None if label is None else await vault.address(label)
    where = None if address is None else as_sent(address)
    return Order(
        store=store_name(asked["store"].strip()),
        total=_money(asked["total"], asked["currency"]),
        card_label=await _card(vault, asked["card"]),
        quantities=(asked["quantity"],),
        tool=asked["tool"],
        address_hash=_USUAL_ADDRESS if where is None else address_hash(await vault.address_key(), where),
        known_address=where is None or recipient(await vault.addresses(), where, label).is_own,
        repeat=asked["repeat"],
    )


async def _card(vault: Wallet, label: str | None) -> str:
    try:
        return (await vault.card_summary(label)).label
    except CardNotFound:
        if label is not None:
            raise
        return ""


def _money(amount: Decimal, currency: str) -> Money:
    code = currency.strip().upper()
    if code not in CURRENCIES:
        nearest = nearest_currency(code)
        meant = f" Did you mean {nearest}?" if nearest else ""
        raise NotAllowed(f"{currency} is no currency; write it like USD.{meant}")
    return Money.parse(amount, code)
