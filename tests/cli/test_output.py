"""What a list and a long act look like at a terminal."""

import io
import sys

import pytest

from firmly_mcp.cli.output import _show_table, progress_bar


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_words_colour_is_on_that_word_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    rows = [{"id": "one", "state": "placed"}, {"id": "two", "state": "[red]odd[/red]"}]
    _show_table(rows, {"id": "Id", "state": "State"}, {"placed": "green"})
    assert "\x1b[32mplaced" in screen.getvalue()
    assert screen.getvalue().count("\x1b[32m") == 1
    assert "\x1b[31m" not in screen.getvalue()
    assert "[red]odd[/red]" in screen.getvalue()


def test_a_bar_shows_how_many_of_several_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    with progress_bar("Reading") as told:
        assert told is not None
        told(1, 3)
    assert "Reading" in screen.getvalue()
    assert "1/3" in screen.getvalue()


def test_one_alone_needs_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    with progress_bar("Reading") as told:
        assert told is not None
        told(0, 1)
    assert "Reading" not in screen.getvalue()


def test_nobody_is_shown_a_bar_where_nobody_looks() -> None:
    with progress_bar("Reading") as told:
        assert told is None
