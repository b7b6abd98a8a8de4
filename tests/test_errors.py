"""The tree of errors is what its drawing, its codes and the reference show."""

import re
from collections.abc import Iterator
from pathlib import Path

import firmly_mcp
from firmly_mcp import errors
from firmly_mcp.errors import CALL_HINTS, FirmlyError

BRANCH = re.compile(r"^((?:[│ ]  )*)[├└]─ (\w+)", re.MULTILINE)
REFERENCE = Path(firmly_mcp.__file__).parent / "docs" / "reference.md"


def tree(kind: type[FirmlyError], depth: int = 0) -> Iterator[tuple[int, type[FirmlyError]]]:
    """Every class below this one that a reader meets, in the order of the file; a private one is its parent to them."""
    for child in kind.__subclasses__():
        if not child.__name__.startswith("_"):
            yield depth, child
            yield from tree(child, depth + 1)


CLASSES: list[type[FirmlyError]] = [kind for _, kind in tree(FirmlyError)]
EVERY: list[type[FirmlyError]] = [FirmlyError, *CLASSES]


def test_the_drawing_shows_every_error_below_its_parent() -> None:
    drawn = [(len(branch) // 3, name) for branch, name in BRANCH.findall(errors.__doc__ or "")]
    assert drawn == [(depth, kind.__name__) for depth, kind in tree(FirmlyError)]
    assert {kind.__module__ for kind in CLASSES} == {errors.__name__}


def test_a_code_belongs_to_one_class() -> None:
    codes = [kind.code for kind in EVERY if "code" in vars(kind)]
    assert len({*codes, *CALL_HINTS}) == len(codes) + len(CALL_HINTS)


def test_an_error_without_a_code_of_its_own_is_a_kind_of_wallet_error() -> None:
    assert {kind.code for kind in CLASSES if "code" not in vars(kind)} == {"wallet"}


def test_the_reference_has_every_code_with_its_next_step() -> None:
    rows = [[cell.strip() for cell in line.split("|")] for line in REFERENCE.read_text("utf-8").splitlines()]
    shown = {row[1].strip("`"): (row[2] == "yes", row[4]) for row in rows if len(row) == 6 and row[1].startswith("`")}
    for kind in CLASSES:
        safe, following = shown[kind.code]
        assert following == kind.hint
        assert safe == kind.retry_safe
    assert all(shown[code][1] == hint for code, hint in CALL_HINTS.items())


def test_only_an_order_being_sent_or_in_doubt_says_that_money_may_have_moved() -> None:
    assert errors.OutcomeUnknown("sent").money_moved == "unknown"
    assert errors.OrderInProgress("being sent").money_moved == "unknown"
    assert FirmlyError("refused").money_moved == "no"
