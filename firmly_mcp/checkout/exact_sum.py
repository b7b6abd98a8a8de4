"""`exact_sum` for SQLite: amounts are decimal text, and SQLite's own sum would make floats of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

NAME: Final = "exact_sum"


class ExactSum:
    """An aggregate function, as `sqlite3.Connection.create_aggregate` takes it. What is no amount fails the query."""

    def __init__(self) -> None:
        self._sum = Decimal(0)

    def step(self, amount: str) -> None:
        """Add one row's amount."""
        self._sum += Decimal(amount)

    def finalize(self) -> str:
        """The sum, as text."""
        if not self._sum.is_finite():
            raise ValueError("not a finite amount")
        return f"{self._sum:f}"
