"""The MCP prompts: each is a Markdown file in `prompts/`, with its name, title, description and arguments on top."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mcp.server import MCPServer

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
