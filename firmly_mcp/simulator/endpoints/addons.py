"""Addons v2 (contract 5.8). A single choice replaces the other of its group."""

from typing import Any

from firmly_mcp.simulator import addons
from firmly_mcp.simulator.answers import Answer, Refusal
from firmly_mcp.simulator.calls import Call, text_field
from firmly_mcp.simulator.carts import Cart, Selection
from firmly_mcp.simulator.merchants import Addon


def add_addon(call: Call) -> Answer:
    """Choose one addon, for all lines it can cover or for some, with some of its children."""
    cart, wish = call.open_cart(), _wish(call)
    lines = call.world.priced(cart).lines
    offered = {addon.id: addon for addon in addons.offered(call.world.catalog.merchant(cart.store), lines)}
    addon = offered.get(text_field(wish, "addon_id"))
    if addon is None:
        raise Refusal("ErrorAddonNotFound", f"No addon '{wish['addon_id']}' is offered")
    able = [line.line.line_item_id for line in addons.eligible(addon, lines)]
    line_ids = _among(wish, "selected_line_item_ids", able)
    child_ids = _among(wish, "selected_child_ids", [child.id for child in addon.children])
    _choose(cart, addon, line_ids or able, child_ids, offered)
    call.world.changed(cart)
    return Answer(call.world.view(cart))


def remove_addon(call: Call) -> Answer:
    """Give up an addon: all of it, one line's, or one child."""
    cart, body = call.open_cart(), call.json()
    addon_id = text_field(body, "addon_id")
    selection = next((picked for picked in cart.selections if picked.addon_id == addon_id), None)
    if selection is None:
        raise Refusal("ErrorAddonNotFound", f"Addon '{addon_id}' is not selected", status=422)
    line_id, child_id = body.get("deselected_line_item_id"), body.get("deselected_child_id")
    if line_id is not None:
        _give_up(selection.line_item_ids, line_id, "line item")
    if child_id is not None:
        _give_up(selection.child_ids, child_id, "child")
    if (line_id is None and child_id is None) or not selection.line_item_ids:
        cart.selections.remove(selection)
    call.world.changed(cart)
    return Answer(call.world.view(cart))


def _wish(call: Call) -> dict[str, Any]:
    selections = call.json().get("selections")
    if not isinstance(selections, list) or len(selections) != 1 or not isinstance(selections[0], dict):
        raise Refusal("ErrorInvalidInputBody", "selections must hold exactly one object")
    wish: dict[str, Any] = selections[0]
    return wish


def _among(wish: dict[str, Any], name: str, known: list[str]) -> list[str]:
    wanted = wish.get(name) or []
    if not isinstance(wanted, list) or not all(isinstance(item, str) for item in wanted):
        raise Refusal("ErrorInvalidInputBody", f"{name} must be a list of strings")
    wrong = [item for item in wanted if item not in known]
    if wrong:
        raise Refusal("ErrorInvalidAddon", f"{name}: not possible for {', '.join(wrong)}")
    return wanted


def _choose(cart: Cart, addon: Addon, line_ids: list[str], child_ids: list[str], offered: dict[str, Addon]) -> None:
    rivals = {other.id for other in offered.values() if addon.choice and other.choice == addon.choice} - {addon.id}
    cart.selections = [picked for picked in cart.selections if picked.addon_id not in rivals]
    selection = next((picked for picked in cart.selections if picked.addon_id == addon.id), None)
    if selection is None:
        selection = Selection(addon.id)
        cart.selections.append(selection)
    selection.line_item_ids = list(dict.fromkeys((*selection.line_item_ids, *line_ids)))
    selection.child_ids = list(dict.fromkeys((*selection.child_ids, *child_ids)))


def _give_up(held: list[str], one: Any, what: str) -> None:
    if one not in held:
        raise Refusal("ErrorAddonNotFound", f"The addon is not selected for this {what}", status=422)
    held.remove(one)
