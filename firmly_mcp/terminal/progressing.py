"""A progress bar on stderr while something long goes on, for a person at a terminal and for nobody else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Told = Callable[[int, int], None]


@contextmanager
def progress_bar(words: str) -> Iterator[Told | None]:
    """What to tell how many are done of how many; None where nobody would see it. One alone needs no bar."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        console=Console(stderr=True), transient=True,
    )  # fmt: skip
    task = bar.add_task(words, total=None)

    def told(done: int, total: int) -> None:
        bar.update(task, completed=done, total=total)
        if total > 1:
            bar.start()

    try:
        yield told
    finally:
        bar.stop()
