"""Addons: what a cart is offered, what of it was chosen, what it costs, and what is still required."""

from collections.abc import Sequence

from firmly_mcp.simulator.carts import Cart, Selection
from firmly_mcp.simulator.cash import share
from firmly_mcp.simulator.lines import PricedLine
from firmly_mcp.simulator.merchants import Addon, Merchant


def eligible(addon: Addon, lines: Sequence[PricedLine]) -> list[PricedLine]:
    """The lines that an addon can cover."""
    return [line for line in lines if not addon.product_types or line.product.product_type in addon.product_types]


def offered(merchant: Merchant, lines: Sequence[PricedLine]) -> list[Addon]:
    """The store's addons that have something to cover."""
    return [addon for addon in merchant.addons if eligible(addon, lines)]


def line_cents(addon: Addon, line: PricedLine) -> int:
    """What an addon costs for one line, all its pieces together."""
    return share(line.line_price, addon.percent, 100) if addon.percent else addon.cents * line.line.quantity


def offer_cents(addon: Addon, lines: Sequence[PricedLine]) -> int:
    """What an addon costs for lines: item addons by the line, others once."""
    if addon.scope == "ITEM":
        return sum(line_cents(addon, line) for line in lines)
    return share(sum(line.line_price for line in lines), addon.percent, 100) if addon.percent else addon.cents


def covered(addon: Addon, selection: Selection, lines: Sequence[PricedLine]) -> list[PricedLine]:
    """The lines that a selection covers: item addons the chosen ones, others all that are eligible."""
    able = eligible(addon, lines)
    if addon.scope != "ITEM":
        return able
    return [line for line in able if line.line.line_item_id in selection.line_item_ids]


def selection_cents(addon: Addon, selection: Selection, lines: Sequence[PricedLine]) -> int:
    """What a selection costs with its children; children alone where only they were chosen."""
    mine = covered(addon, selection, lines)
    children = [child for child in addon.children if child.id in selection.child_ids]
    return offer_cents(addon, mine) + sum(offer_cents(child, mine) for child in children)


def chosen(cart: Cart, merchant: Merchant, lines: Sequence[PricedLine]) -> list[tuple[Addon, Selection]]:
    """The selections that still have something to cover."""
    by_id = {addon.id: addon for addon in offered(merchant, lines)}
    return [(by_id[picked.addon_id], picked) for picked in cart.selections if picked.addon_id in by_id]


def prune(cart: Cart) -> None:
    """Forget selections for lines that are gone."""
    there = {line.line_item_id for line in cart.lines}
    for selection in cart.selections:
        selection.line_item_ids = [id_ for id_ in selection.line_item_ids if id_ in there]
    cart.selections = [selection for selection in cart.selections if selection.line_item_ids]


def missing(cart: Cart, merchant: Merchant, lines: Sequence[PricedLine]) -> list[Addon]:
    """Required addons of which none of their choice was made."""
    picked = {selection.addon_id for selection in cart.selections}
    choices = {addon.choice for addon in merchant.addons if addon.id in picked and addon.choice}
    return [
        addon
        for addon in offered(merchant, lines)
        if addon.required and addon.id not in picked and addon.choice not in choices
    ]
