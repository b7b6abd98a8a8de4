"""How the demo is shown: panels in a terminal, or a JSON object a line."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.progress import TaskID

Seen = Sequence[tuple[str, str]]
Received = Sequence[Mapping[str, Any]]
Booked = Sequence[tuple[str, str, str]]


class Display(Protocol):
    """What a demo can be watched on."""

    def note(self, words: str) -> None:
        """Say something about the demo itself."""

    def calling(self, tool: str, arguments: Mapping[str, Any]) -> None:
        """A tool is being called."""

    def progress(self, value: float, total: float | None, words: str) -> None:
        """The server sent a progress notification."""

    def answered(self, tool: str, text: str, structured: Mapping[str, Any]) -> None:
        """A tool answered."""

    def panels(self, seen: Seen, received: Received, booked: Booked, *, leaked: bool) -> None:
        """What the model saw, what Firmly received, what the books say."""

    def verdict(self, *, agree: bool, order_number: str, total: str) -> None:
        """Whether the books agree with what was shown."""

    def failed(self, words: str) -> None:
        """The demo could not be finished."""


class JsonLines:
    """One JSON object a line on standard output."""

    def note(self, words: str) -> None:
        self._line("note", words=words)

    def calling(self, tool: str, arguments: Mapping[str, Any]) -> None:
        self._line("call", tool=tool, arguments=arguments)

    def progress(self, value: float, total: float | None, words: str) -> None:
        self._line("progress", value=value, total=total, words=words)

    def answered(self, tool: str, text: str, structured: Mapping[str, Any]) -> None:
        self._line("result", tool=tool, text=text, structured=structured)

    def panels(self, seen: Seen, received: Received, booked: Booked, *, leaked: bool) -> None:
        sizes = [{"of": name, "characters": len(text)} for name, text in seen]
        self._line("model_saw", results=sizes, card_number=leaked)
        self._line("firmly_received", requests=list(received))
        self._line("books", charges=[{"order_number": n, "amount": a, "currency": c} for n, a, c in booked])

    def verdict(self, *, agree: bool, order_number: str, total: str) -> None:
        self._line("verdict", agree=agree, order_number=order_number, total=total)

    def failed(self, words: str) -> None:
        self._line("failed", words=words)

    def _line(self, event: str, **facts: Any) -> None:
        sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
        sys.stdout.flush()


class Panels:
    """Colour and a progress bar in a terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._console = Console(highlight=False)
        self._bar = Progress(BarColumn(bar_width=30), TextColumn("{task.description}"), console=self._console)
        self._task: TaskID | None = None

    def note(self, words: str) -> None:
        self._print(f"[dim]{_plain(words)}[/dim]")

    def calling(self, tool: str, arguments: Mapping[str, Any]) -> None:
        words = ", ".join(f"{name}={json.dumps(value)}" for name, value in arguments.items())
        self._print(f"\n[bold cyan]{tool}[/bold cyan]({_plain(words)})")

    def progress(self, value: float, total: float | None, words: str) -> None:
        if not self._console.is_terminal:
            of_all = f" of {total:g}" if total else ""
            self._print(f"  {value:g}{of_all}: {_plain(words)}")
            return
        if self._task is None:
            self._task = self._bar.add_task("", total=total)
            self._bar.start()
        self._bar.update(self._task, completed=value, total=total, description=_plain(words))

    def answered(self, tool: str, text: str, structured: Mapping[str, Any]) -> None:
        if self._task is not None:
            self._bar.update(self._task, completed=structured.get("order_number") and 1, total=1)
            self._bar.stop()
            self._task = None
        shown = text.splitlines()
        for line in shown[:9]:
            self._print(f"  {_plain(line)}")
        if len(shown) > 9:
            self._print(f"  [dim]and {len(shown) - 9} more lines[/dim]")

    def panels(self, seen: Seen, received: Received, booked: Booked, *, leaked: bool) -> None:
        from rich.panel import Panel

        results = [(name, text) for name, text in seen if name != "progress"]
        saw = "\n".join(f"{name}: {len(text)} characters" for name, text in results)
        notified = sum(name == "progress" for name, _ in seen)
        self._console.print()
        number = "A CARD NUMBER" if leaked else "no card number in any of it"
        words = f"{saw}\n{notified} progress notifications\n{number}"
        self._console.print(Panel(words, title="What the model saw"))
        got = "\n".join(map(_received_in_words, received))
        self._console.print(Panel(_plain(got), title="What Firmly received"))
        books = "\n".join(f"{number}: {amount} {currency}" for number, amount, currency in booked)
        self._console.print(Panel(f"{len(booked)} charge\n{books}", title="What the simulator's books say"))

    def verdict(self, *, agree: bool, order_number: str, total: str) -> None:
        if agree:
            self._print(f"[bold green]Order {_plain(order_number)} for {total}: the books agree.[/bold green]")
        else:
            self._print("[bold red]The books do not agree with what was shown.[/bold red]")

    def failed(self, words: str) -> None:
        self._bar.stop()
        self._print(f"[bold red]{_plain(words)}[/bold red]")

    def _print(self, markup: str) -> None:
        self._console.print(markup, soft_wrap=True)


def _received_in_words(request: Mapping[str, Any]) -> str:
    parts = ", ".join(map(str, request["part_lengths"]))
    return (
        f"POST {request['path']}\n"
        f"encrypted_card: a JWE of five parts ({parts} bytes); no card data in plain text\n"
        f"protected header: {json.dumps(request['protected_header'])}\n"
        f"inside, once opened: {', '.join(request['fields'])}"
    )


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
