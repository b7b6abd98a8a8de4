"""`exact_sum` for SQLite: amounts are decimal text, and SQLite's own sum would make floats of them.

The sum protects: of each row the largest amount counts, and never less than nothing. So an amount from outside (what a
store answers, what a person types) can raise the sum and never lower it. A sum that cannot be exact fails the query.
"""

from __future__ import annotations

from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from typing import Final

NAME: Final = "exact_sum"
# The columns that one row brings: what was approved, what was charged; NULL where an amount does not count.
AMOUNTS: Final = 2

# Far more digits than any sum has. A sum that needs more is refused: a rounded one could be too low.
_EXACT: Final = Context(prec=1000, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])


def add(one: Decimal, other: Decimal) -> Decimal:
    """Both together, to the last digit.

    Raises:
        ArithmeticError: the sum has more digits than can be kept, or an amount is not a number.
    """
    return _EXACT.add(one, other)


class ExactSum:
    """An aggregate function, as `sqlite3.Connection.create_aggregate` takes it. What is no amount fails the query."""

    def __init__(self) -> None:
        self._sum = Decimal(0)

    def step(self, *amounts: str | None) -> None:
        """Add one row: the largest of its amounts, or nothing where none is above nothing."""
        known = [_finite(amount) for amount in amounts if amount is not None]
        self._sum = add(self._sum, max(known, default=Decimal(0)).max(Decimal(0)))

    def finalize(self) -> str:
        """The sum, as text."""
        return f"{self._sum:f}"


def _finite(amount: str) -> Decimal:
    number = Decimal(amount)
    if not number.is_finite():
        raise ValueError("not a finite amount")
    return number
