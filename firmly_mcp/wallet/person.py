"""One act has one lock: an act that widens what rules allow takes a `ApprovalProof`, and checks the PIN itself.

A proof is made where a person is: at a controlling terminal (`terminal/controlling.py`), or on a page that they opened
by its link (`pages/visits.py`). No tool and no script makes one, whichever command or page reaches the act.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import SecretStr

from firmly_mcp.errors import MoneyMoved, PinRefused

# `demo`: the published test card and a made-up address, in the simulator environment alone.
Channel = Literal["terminal", "page", "demo"]


@dataclass(frozen=True, slots=True)
class ApprovalProof:
    """That a person acts, by which channel, and the approval PIN that they typed; None where none was asked for."""

    channel: Channel
    pin: SecretStr | None = None


class Pin(Protocol):
    """The approval PIN."""

    async def is_set(self) -> bool: ...
    async def check(self, pin: SecretStr) -> None: ...


async def require_person(
    proof: ApprovalProof, pin: Pin, *, needs_pin: bool = False, money_moved: MoneyMoved = "no"
) -> None:
    """Go on with a person's act: where a PIN is set, the proof has to hold it; with `needs_pin` one has to be set.

    `money_moved` is what is known about the money of an order that the act is about.

    Raises:
        PinRefused: the PIN is missing, wrong or locked. Nothing was changed.
    """
    is_set = await pin.is_set()
    if not is_set and needs_pin:
        raise PinRefused("No approval PIN is set. Set one with `firmly-mcp pin set`.", next="firmly-mcp pin set")
    if not is_set:
        return
    try:
        await _check(proof, pin)
    except PinRefused as refused:
        refused.money_moved = money_moved
        raise


async def _check(proof: ApprovalProof, pin: Pin) -> None:
    if proof.pin is None:
        raise PinRefused("This needs the approval PIN. Nothing was sent or changed.")
    await pin.check(proof.pin)
