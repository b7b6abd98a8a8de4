"""What the whole program says and shows is what was recorded."""

import pytest

from .parts import PARTS, check


@pytest.mark.parametrize("part", PARTS)
def test_it_says_and_shows_what_was_recorded(part: str) -> None:
    difference = check(part)
    assert not difference, f"{part} differs from its record:\n{difference}"
