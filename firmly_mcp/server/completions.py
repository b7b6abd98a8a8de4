"""What a person may mean while they type a prompt's argument: stores, orders, labels of cards and addresses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from mcp.types import Completion, CompletionArgument, CompletionContext, PromptReference, ResourceTemplateReference

from firmly_mcp.errors import FirmlyError

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from firmly_mcp.services import Services

# The protocol takes no more values at a time.
_MOST: Final = 100

Reference = PromptReference | ResourceTemplateReference
Values = Callable[["Services"], Awaitable[Iterable[str]]]


def add_completions(server: MCPServer[Any], services: Services) -> None:
    """Complete the arguments of prompts and resources from what this shopper has."""

    @server.completion()  # type: ignore[no-untyped-call, untyped-decorator]  # the SDK's decorator has no types
    async def complete(
        reference: Reference, argument: CompletionArgument, context: CompletionContext | None
    ) -> Completion | None:
        del reference, context
        values = _VALUES.get(argument.name)
        if values is None:
            return None
        try:
            found = await values(services)
        except FirmlyError:
            # A keyring that is locked is told by the tool that needs it, not while somebody types.
            return None
        return _matching(argument.value, found)


def _matching(typed: str, values: Iterable[str]) -> Completion:
    """The values that go on as typed; of a list set apart by commas, its last part."""
    before, comma, last = typed.rpartition(",")
    start = f"{before}{comma} " if comma else ""
    wanted = last.strip().casefold()
    fitting = [start + value for value in dict.fromkeys(values) if value.casefold().startswith(wanted)]
    return Completion(values=fitting[:_MOST], total=len(fitting), has_more=len(fitting) > _MOST)


async def _cards(services: Services) -> Iterable[str]:
    return [card.label for card in await (await services.vault()).cards()]


async def _addresses(services: Services) -> Iterable[str]:
    return [address.label for address in await (await services.vault()).addresses()]


async def _orders(services: Services) -> Iterable[str]:
    from firmly_mcp.store_text import clean

    from .known import latest_attempts

    attempts = await latest_attempts(services)
    return [clean(attempt.outcome.order_number, 80) for attempt in attempts if attempt.outcome.order_number]


async def _attempts(services: Services) -> Iterable[str]:
    from .known import latest_attempts

    return [attempt.id for attempt in await latest_attempts(services)]


async def _stores(services: Services) -> Iterable[str]:
    from .known import known_stores

    return [known.store for known in await known_stores(services)]


_VALUES: Final[dict[str, Values]] = {
    "store": _stores,
    "stores": _stores,
    "card": _cards,
    "address": _addresses,
    "order": _orders,
    "attempt": _attempts,
}
