"""A payment key that was renewed under its old id: a person asks Firmly about it, and accepts the key that is shown.

Nothing here can tell a renewed key from an attacker's. The one key whose thumbprint was on the screen is accepted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.checkout.execution import key_at
from firmly_mcp.checkout.policy.acceptance import AcceptedSettings
from firmly_mcp.untrusted import clean
from firmly_mcp.wallet.jwe import ComparedKey
from firmly_mcp.wallet.wallet import Wallet

from .controlling import Word, by_person, controlling_terminal
from .telling import tell

_ACCEPT: Final = Word("accept", "encrypt cards for the new key")


async def accept_payment_key(firmly: FirmlyClient, vault: Wallet, accepted: AcceptedSettings, *, as_json: bool) -> None:
    """Fetch the payment key, show it beside the one that was used before, and accept it once the person said so.

    Raises:
        NotAllowed: no PIN where money moves, no terminal to ask in, or the person said no. Nothing was changed.
        PinRefused: the PIN was wrong too often. Nothing was changed.
        UnexpectedAnswer: the key cannot be used at all.
    """
    key = key_at(firmly.session.hosts.payment, await firmly.payment_key())
    compared = await vault.compare_payment_key(key)
    if not compared.is_refused:
        tell(_nothing_to_accept(compared), _facts(compared, accepted=False), as_json=as_json)
        return
    if accepted.is_needed:
        await accepted.refuse_without_pin()
    with controlling_terminal("Accepting a payment key") as terminal:
        terminal.writelines(f"{line}\n" for line in _shown(compared))
        await by_person(vault.pin, terminal, lambda proof: vault.accept_payment_key(key, proof), without_pin=_ACCEPT)
    tell("Accepted. Cards are encrypted for this key from now on.", _facts(compared, accepted=True), as_json=as_json)


def _shown(compared: ComparedKey) -> Iterator[str]:
    kid = clean(compared.kid)
    before = "cannot be read: the keyring's entry is damaged" if compared.is_damaged else clean(compared.before)
    yield "The payment host shows another key than the one that cards were encrypted for before."
    yield ""
    yield f"  Payment host  {compared.host}"
    yield f"  Key id        {kid}"
    yield f"  Thumbprint before  {before}"
    yield f"  Thumbprint now     {compared.now}"
    yield ""
    yield "Firmly may have renewed its key. Someone between you and Firmly could also show a key of their own, and read"
    yield "your card with it. Ask Firmly, by an address or a number that you know already:"
    yield ""
    yield f'  "Is {compared.now} the SHA-256 thumbprint (RFC 7638)'
    yield f'  of your payment key {kid} at {compared.host}?"'
    yield ""
    yield "Accept it only if Firmly says yes. Every later change is asked about again."


def _nothing_to_accept(compared: ComparedKey) -> str:
    if compared.before is None:
        return "This key id was not used before: the next order remembers its key. There is nothing to accept."
    return "The payment key is the one that was used before. There is nothing to accept."


def _facts(compared: ComparedKey, *, accepted: bool) -> dict[str, Any]:
    shown = {name: fact for name, fact in asdict(compared).items() if name != "is_damaged"}
    return {"accepted": accepted, "payment_key": shown}
