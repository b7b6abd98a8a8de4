"""What an order would meet, without making it: the checks before the rules, every rule, and what follows them.

Nothing is ordered or reserved, and no command runs.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final

import click

from firmly_mcp.api.encoding import store_name
from firmly_mcp.app import Services
from firmly_mcp.checkout.policy.acceptance import WHERE, AcceptedSettings
from firmly_mcp.checkout.policy.evaluate import OrderFacts, RuleResult, explain, in_practice
from firmly_mcp.checkout.quote import address_hash, as_sent, recipient
from firmly_mcp.errors import CardNotFound, NotAllowed
from firmly_mcp.money import CURRENCIES, Money, nearest_currency
from firmly_mcp.settings import Settings
from firmly_mcp.wallet.wallet import Wallet

from .output import show

_COLUMNS: Final = {"rule": "Rule", "verdict": "Verdict", "reason": "Why"}
_COLOURS: Final = {"allow": "green", "holds": "green", "ask": "bold yellow", "refuse": "bold red"}
_MEANT: Final = {"allow": "allowed without asking", "ask": "asked about", "refuse": "refused"}
# Without an address, one is meant that was ordered to long before; no hash is spelled like this.
_USUAL_ADDRESS: Final = "usual"
_LONG_AGO: Final = timedelta(days=36_500)


async def explain_order(services: Services, asked: Mapping[str, Any], *, as_json: bool) -> None:
    """Print what the order would meet now, and what comes of it; `asked` holds the command's options."""
    accepted, checkout, wallet = await services.accepted(), await services.placement(), await services.vault()
    order = await _order(wallet, asked)
    rules = await accepted.load()
    history = await checkout.history(order)
    if asked["address"] is None:
        history = replace(history, address_since=history.now - _LONG_AGO)
    before = [step async for step in _before_the_rules(accepted, order)]
    result = _outcome(services.settings, rules.decide(order, history))
    if before and result.verdict != "refuse":
        result = before[0]
    steps = (*before, *(_assumed(step, asked) for step in explain(rules.written, order, history)))
    # A rule that would allow the order is left out if another rule or check is against it.
    met = [step for step in steps if result.verdict == "allow" or step.verdict != "allow"]
    if all(step.rule != result.rule or step.verdict == "holds" for step in met):
        met.append(result)
    rows = [{"rule": step.rule, "verdict": step.verdict, "reason": step.reason} for step in met]
    show(rows, _COLUMNS, as_json=as_json, colours=_COLOURS)
    bound = f" The call has to give max_total, {order.total.plain} or more." if result.verdict == "allow" else ""
    click.echo(f"Such an order is {_MEANT[result.verdict]}, by {result.rule}: {result.reason}{bound}", err=True)


async def _before_the_rules(accepted: AcceptedSettings, order: OrderFacts) -> AsyncIterator[RuleResult]:
    """Yield what stops every order before the rules are asked."""
    if not order.card_label:
        yield RuleResult("card", "refuse", "There is no card to pay with, or several and none is the default.")
    if accepted.is_needed:
        acts: dict[str, Callable[[], Awaitable[None]]] = {
            "pin": accepted.refuse_without_pin,
            "not_accepted": partial(accepted.refuse_unless_accepted, *WHERE),
        }
        for rule, act in acts.items():
            try:
                await act()
            except NotAllowed as stopped:
                yield RuleResult(rule, "refuse", stopped.message)


def _outcome(settings: Settings, result: RuleResult) -> RuleResult:
    """Return what follows from the rules' result once the card's security code is needed."""
    command = settings.cvv_command
    if result.verdict == "allow" and command and shutil.which(command[0]) is None:
        reason = f"Your rules allow it, and the cvv_command {command[0]} is not there or cannot be run."
        return RuleResult("security_code", "refuse", reason)
    return in_practice(result, prints_code=bool(command))


def _assumed(step: RuleResult, asked: Mapping[str, Any]) -> RuleResult:
    if asked["address"] is None and step.rule == "addresses.cooling_off":
        return replace(step, reason="It is taken to go to an address that you ordered to before; --address names one.")
    return step


async def _order(wallet: Wallet, asked: Mapping[str, Any]) -> OrderFacts:
    label = asked["address"]
    address = None if label is None else await wallet.address(label)
    where = None if address is None else as_sent(address)
    return OrderFacts(
        store=store_name(asked["store"].strip()),
        total=_money(asked["total"], asked["currency"]),
        card_label=await _card(wallet, asked["card"]),
        quantities=(asked["quantity"],),
        tool=asked["tool"],
        address_hash=_USUAL_ADDRESS if where is None else address_hash(await wallet.address_key(), where),
        known_address=where is None or recipient(await wallet.addresses(), where, label).is_own,
        repeat=asked["repeat"],
    )


async def _card(wallet: Wallet, label: str | None) -> str:
    try:
        return (await wallet.card_summary(label)).label
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
