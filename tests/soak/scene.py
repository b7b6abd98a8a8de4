"""What the story of a purchase needs of its stage: hosts that can be killed, a person, and the clock.

Two stages play the same story: `outside` with servers as processes, `inside` with their rooms in this process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Protocol

from firmly_mcp.app import Services
from firmly_mcp.simulator import Simulator

from .wishes import Wished, amount_of

Tool = Literal["complete_order", "place_order"]


class Gone(Exception):
    """The host was killed while it was asked."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call was answered with: an order's view, or an error's."""

    view: Mapping[str, Any]

    @property
    def status(self) -> str:
        """`placed`, `in_progress`, `approval_required`, `not_placed`, `unknown`, or an error's code."""
        return str(self.view.get("code") or self.view.get("status"))

    @property
    def attempt(self) -> str | None:
        """The attempt's id, where there is one."""
        return self.view.get("attempt")

    @property
    def approval(self) -> str | None:
        """The id of the question that a person has to answer."""
        return self.view.get("approval")

    @property
    def tells_of_a_rise(self) -> bool:
        """Whether it warns of a charge above the total, with both amounts."""
        charged, total = self.view.get("charged"), self.view.get("total")
        words = " ".join(self.view.get("warnings") or ())
        return amount_of(charged) is not None and all(view and view["amount"] in words for view in (charged, total))


@dataclass(frozen=True, slots=True)
class Filled:
    """A cart after an agent filled it: its total, None where that did not work, and how many are in it."""

    total: Decimal | None
    quantity: int = 0


class Host(Protocol):
    """One server, or its rooms."""

    async def fill(self, wish: Wished) -> Filled:
        """Put the wish alone into the cart at its store; a change is repeated only where its answer allows that."""

    async def empty(self, wish: Wished) -> bool:
        """Empty the cart at the wish's store, as a tool does; False where the call is refused."""

    async def order_and_leave(self, wish: Wished, tool: Tool, max_total: Decimal) -> Answer | None:
        """Order, and end the input at once; the answer, or None where the server ended without one."""

    async def order(self, wish: Wished, tool: Tool, max_total: Decimal) -> Answer:
        """Order it by one of the two tools. Raises Gone if the host is killed meanwhile."""

    async def status(self, attempt: str) -> Answer:
        """What `get_order_status` says of an attempt."""

    async def kill(self) -> None:
        """End it at once, as a crash would."""


class Scene(Protocol):
    """The whole stage."""

    simulator: Simulator
    journal: Path
    person: Services

    async def host(self, number: int) -> Host:
        """The first or the second host, started where it is not running."""

    async def later(self) -> None:
        """Let some time pass, where the clock is ours."""
