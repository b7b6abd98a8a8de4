"""The MCP prompts: each is a Markdown file in `prompts/`, with its name, title, description and arguments on top."""

from __future__ import annotations

import tomllib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Final

from mcp.types import Completion, CompletionArgument, CompletionContext, PromptReference, ResourceTemplateReference

from firmly_mcp.errors import FirmlyError

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from firmly_mcp.app import Services

_PACKAGE: Final = Path(__file__).parents[1]

_FENCE: Final = "+++\n"


@dataclass(frozen=True, slots=True)
class PromptFile:
    """A prompt as it is written: TOML between two `+++` lines, then the text with `$argument` where one goes."""

    name: str
    title: str
    description: str
    arguments: Mapping[str, str]
    text: Template

    def filled(self, values: Mapping[str, Any]) -> str:
        """The text with its arguments; what was not given stands as `not said`."""
        given = {name: str(values.get(name) or "not said") for name in self.arguments}
        return self.text.substitute(given).strip()


def read_prompts() -> Iterator[PromptFile]:
    """The prompts, by name. In the wheel they lie in the package, in a checkout beside it."""
    installed = _PACKAGE / "prompts"
    folder = installed if installed.is_dir() else _PACKAGE.parent / "prompts"
    return (_read(path) for path in sorted(folder.glob("*.md")))


def _read(path: Path) -> PromptFile:
    _, head, text = path.read_text("utf-8").split(_FENCE, 2)
    front = tomllib.loads(head)
    return PromptFile(front["name"], front["title"], front["description"], front.get("arguments", {}), Template(text))


def add_prompts(server: MCPServer[Any]) -> None:
    """Serve every prompt file."""
    for file in read_prompts():
        server.add_prompt(_prompt(file))


def _prompt(file: PromptFile) -> Any:
    from mcp.server.mcpserver.prompts.base import Prompt, PromptArgument

    arguments = [
        PromptArgument(name=name, description=description, required=False)
        for name, description in file.arguments.items()
    ]
    return Prompt(
        name=file.name,
        title=file.title,
        description=file.description,
        arguments=arguments,
        fn=lambda **values: file.filled(values),
        context_kwarg=None,
    )


# What a person may mean while they type a prompt's argument: stores, orders, labels of cards and addresses.

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
    from firmly_mcp.untrusted import clean

    from .resources import latest_attempts

    attempts = await latest_attempts(services)
    return [clean(attempt.outcome.order_number, 80) for attempt in attempts if attempt.outcome.order_number]


async def _attempts(services: Services) -> Iterable[str]:
    from .resources import latest_attempts

    return [attempt.id for attempt in await latest_attempts(services)]


async def _stores(services: Services) -> Iterable[str]:
    from .resources import known_stores

    return [known.store for known in await known_stores(services)]


_VALUES: Final[dict[str, Values]] = {
    "store": _stores,
    "stores": _stores,
    "card": _cards,
    "address": _addresses,
    "order": _orders,
    "attempt": _attempts,
}
