"""What a store changed since it opened: its tax, its shipping prices, its currency, promotions it ended.

Tests and faults move these between a quote and the payment; a store that nobody touched has none.
"""

from dataclasses import dataclass, field, replace

from firmly_mcp.simulator.merchants import Merchant
from firmly_mcp.simulator.state import Row, State


@dataclass(frozen=True, slots=True)
class Terms:
    """Changes of one store. `tax_added` in thousandths of a percent, `shipping_added` in cents per paid shipment."""

    tax_added: int = 0
    shipping_added: int = 0
    currency: str | None = None
    promos_ended: tuple[str, ...] = field(default=())


class AllTerms:
    """The changed terms of every store."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._terms = {
            row.id: Terms(**{**row.body, "promos_ended": tuple(row.body["promos_ended"])})
            for row in state.loaded("terms")
        }

    def of(self, store: str) -> Terms:
        """What this store changed."""
        return self._terms.get(store, UNCHANGED)

    def change(
        self,
        store: str,
        *,
        tax_added: int | None = None,
        shipping_added: int | None = None,
        currency: str | None = None,
        end_promo: str | None = None,
    ) -> None:
        """Change some of a store's terms; what is not named stays."""
        old = self.of(store)
        ended = old.promos_ended if end_promo is None else (*old.promos_ended, end_promo.upper())
        new = Terms(
            old.tax_added if tax_added is None else tax_added,
            old.shipping_added if shipping_added is None else shipping_added,
            currency or old.currency,
            ended,
        )
        self._terms[store] = new
        self._state.keep(Row("terms", store, new))

    def merchant(self, merchant: Merchant) -> Merchant:
        """The store as it sells now: in another currency, if it changed that."""
        currency = self.of(merchant.domain).currency
        return merchant if currency is None else replace(merchant, currency=currency)


UNCHANGED = Terms()
