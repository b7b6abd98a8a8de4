"""A person's word that a card may be used again after two declined payments, given at the controlling terminal."""

from __future__ import annotations

from typing import Final

from firmly_mcp.checkout.flow import Checkout
from firmly_mcp.wallet.wallet import Wallet

from .controlling import Word, by_person, controlling_terminal
from .telling import give

_WORD: Final = Word("unlock", "let it be used again")


async def unlock_card(vault: Wallet, placement: Checkout, label: str, *, as_json: bool) -> None:
    """Unlock a card once a person said so, with the PIN where one is set.

    Raises:
        CardNotFound: there is none of this label.
        PinRefused: the PIN was wrong too often.
        NotAllowed: no terminal to ask in, or the person said no. Nothing was changed.
    """
    card = await vault.card_summary(label)
    with controlling_terminal("Unlocking a card") as terminal:
        terminal.write(f"{card.label}, {card.brand} ending {card.last_four}, environment {vault.environment}.\n")
        terminal.write("A card is locked after two declined payments within an hour.\n")
        was_locked = await by_person(
            vault.pin, terminal, lambda proof: placement.unlock_card(card.label, proof), without_pin=_WORD
        )
        terminal.write(f"{card.label} is unlocked.\n" if was_locked else f"{card.label} was not locked.\n")
    if as_json:
        give({"unlocked": card.label, "was_locked": was_locked})
