"""A person's word that a card may be used again after two declined payments, given at the controlling terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TextIO

from firmly_mcp.checkout.placement import Placement
from firmly_mcp.errors import NotAllowed
from firmly_mcp.wallet.vault import Vault

from .controlling import answered, controlling_terminal
from .pin import checked_pin
from .telling import give

_WORD: Final = "unlock"


async def unlock_card(vault: Vault, placement: Placement, label: str, *, as_json: bool) -> None:
    """Unlock a card once a person said so, with the PIN where one is set.

    Raises:
        CardNotFound: there is none of this label.
        PinRefused: the PIN was wrong too often.
        NotAllowed: no terminal to ask in, or the person said no. Nothing was changed.
    """
    card = await vault.card_summary(label)
    refusal = "A card is unlocked by a person in a terminal, and this program has none. Nothing was changed."
    with controlling_terminal(refusal) as terminal:
        terminal.write(f"{card.label}, {card.brand} ending {card.last_four}, environment {vault.environment}.\n")
        terminal.write("A card is locked after two declined payments within an hour.\n")
        if await vault.pin.is_set():
            await checked_pin(vault.pin, terminal)
        elif await answered(_line(f"Type {_WORD} to let it be used again: "), terminal) != _WORD:
            raise NotAllowed("The card was not unlocked. Nothing was changed.")
        was_locked = await placement.unlock_card(card.label)
        terminal.write(f"{card.label} is unlocked.\n" if was_locked else f"{card.label} was not locked.\n")
    if as_json:
        give({"unlocked": card.label, "was_locked": was_locked})


def _line(question: str) -> Callable[[TextIO], str]:
    def ask(terminal: TextIO) -> str:
        terminal.write(question)
        return terminal.readline().strip()

    return ask
