"""What the tools make of every answer that a store can give, and what a client hears while an order is placed."""

from __future__ import annotations

from typing import Any, Final

import anyio
import anyio.to_thread

from .household import STORE, TEE, Household, household
from .shopping import HEARTH, RULES, VOLTA, Era, Session, Transport, a_ref, session

# Every error name that Firmly documents, and one that it does not.
NAMES: Final = (
    *("MissingAuthHeader", "InvalidToken", "InvalidJWTToken", "ErrorUnauthorized", "Unauthorized", "TokenExpired"),
    *("InvalidAPIToken", "Forbidden", "InvalidAppId", "ErrorMissingAppId", "ErrorCartNotFound", "CartNotFound"),
    *("ErrorProductNotFound", "InvalidSKU", "ErrorNotEnoughStock", "InvalidQuantity", "ErrorNoLineItem"),
    *("ErrorCannotTransferSession", "AllProductsNotImplemented", "ProductUrlNotImplemented", "SizeInvalid"),
    *("ErrorShipmentNotFound", "ErrorInvalidFulfillmentType", "ErrorInvalidShippingMethod"),
    *("ErrorMissingShippingMethod", "ErrorMissingTaxSync", "ErrorCountryNotSupported", "ErrorInvalidState"),
    *("ErrorInvalidPromoCode", "ErrorPromoNotAvailable", "ErrorClearPromoCodeNotAllowed", "ErrorAddonNotFound"),
    *("ErrorPaymentDeclined", "ErrorMissingRequiredParameters", "ErrorBadRequest", "ErrorGatewayNotFound"),
    *("ErrorCheckout", "MerchantError", "ErrorInvalidInputBody", "ValidationError", "InvalidRequest", "BadRequest"),
    *("RateLimitExceeded", "ErrorStoreUnavailable", "ServiceUnavailable", "RouteNotFound", "ErrorDomainNotFound"),
    *("ErrorCaptchaRequired", "ErrorOfAnotherKind"),
)
TROUBLE: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("reset-after-body", {}), ("rate-limit", {"retry_after": 1}), ("unavailable", {}),
    ("notice", {}), ("refuse-after", {}), ("gateway-timeout", {}), ("lose-answer", {}), ("truncate", {}),
    ("not-json", {}), ("lie-amount", {"cents": 1}), ("unauthorized", {}),
)  # fmt: skip


def refusals() -> str:
    """Every error name as a tool answers it, trouble on the line, and orders that end so."""
    with household() as home:
        home.furnish()
        home.write("rules.toml", '[USD]\nask_above = "5000.00"\nask_above_a_day = "50000.00"\n')
        home.write("config.toml", 'cvv_command = ["printf", "123"]\n')
        anyio.run(_refused, home)
        return "\n".join(home.recorded)


async def _refused(home: Household) -> None:
    async with session(home, "stdio", "auto") as shop:
        await shop.client.call_tool("add_line_item", {"store": STORE, "ref": TEE})
        for name in NAMES:
            await _struck(shop, "refuse", "update_line_item_v2", "update_line_item", error=name)
        await _struck(shop, "reset-before-body", "get_cart_v2", "get_cart")
        for action, options in TROUBLE:
            await _struck(shop, action, "get_cart_v2", "get_cart", **options)
            await _struck(shop, action, "add_line_item_v2", "add_line_item", **options)
        for match, tool in (("get_product", "get_product"), ("search", "search_products")):
            await _struck(shop, "unavailable", match, tool)
        for error in (
            "ErrorNotEnoughStock",
            "ErrorInvalidInputBody",
            "RateLimitExceeded",
            "ErrorMissingRequiredParameters",
        ):
            await _ordered(shop, STORE, TEE, "refuse", error=error)
        await _ordered(shop, STORE, TEE, "refuse", match="get_key", error="ServiceUnavailable")
        await _ordered(shop, STORE, TEE, "reset-before-body", match="get_key")
        await _ordered(shop, STORE, TEE, "refuse", error="ErrorCheckout")
        await _ordered(shop, VOLTA, "QN404-75", "reset-after-body")
        await _ordered(shop, HEARTH, await a_ref(shop, HEARTH, "Throw Pillow"), "gateway-timeout")


_ARGUMENTS: Final[dict[str, dict[str, Any]]] = {
    "update_line_item": {"store": STORE, "line_item_id": "item_none", "quantity": 2},
    "get_cart": {"store": STORE},
    "add_line_item": {"store": STORE, "ref": TEE},
    "get_product": {"store": STORE, "handle": "radiant-tee"},
    "search_products": {"query": "tee", "page_size": 1},
}


async def _struck(shop: Session, action: str, match: str, tool: str, **options: Any) -> None:
    shop.home.fault(action, match, times=None, **options)
    shop.home.note(f"-- {action} {options} at {match}")
    await shop.call(tool, **_ARGUMENTS[tool])
    shop.home.control("faults", method="DELETE")


async def _ordered(shop: Session, store: str, ref: str, action: str, match: str = "*_order_v2", **options: Any) -> None:
    shop.home.fault(action, match, times=None, **options)
    shop.home.note(f"-- {action} {options} at {match}")
    order = {"store": store, "items": [{"ref": ref, "quantity": 1}], "max_total": "5000.00"}
    await shop.call("place_order", **order)
    shop.home.control("faults", method="DELETE")


def progress(transport: Transport, era: Era) -> str:
    """What a client hears while an order is placed, event by event."""
    with household() as home:
        home.furnish()
        home.write("rules.toml", RULES)
        home.write("config.toml", 'cvv_command = ["printf", "123"]\n')
        anyio.run(_heard, home, transport, era)
        return "\n".join(home.recorded)


async def _heard(home: Household, transport: Transport, era: Era) -> None:
    tell, hear = anyio.create_memory_object_stream[str | None](100)

    async def told(progress: float, total: float | None, message: str | None) -> None:
        await tell.send(f"progress {progress:g} of {'?' if total is None else f'{total:g}'}: {message}")

    async def order(shop: Session) -> None:
        arguments = {"store": STORE, "items": [{"ref": TEE, "quantity": 2}], "max_total": "60.00"}
        result = await shop.client.call_tool("place_order", arguments, progress_callback=told)
        home.note(f"result {(result.structured_content or {}).get('status')}")
        await tell.send(None)

    async with tell, hear, session(home, transport, era) as shop, anyio.create_task_group() as tasks:
        await shop.client.call_tool("search_products", {"query": "tee"})
        gate = home.control("gates", {"store": STORE})["gate"]
        tasks.start_soon(order, shop)
        event = ""
        while (heard := await hear.receive()) is not None:
            # Whether a client hears of what follows the last event depends on how fast the machine is.
            if event == "order-placed":
                continue
            home.note(heard)
            if "Checking the price" not in heard:
                event = (await anyio.to_thread.run_sync(home.control, "gates/release", {"gate": gate}))["event"]
                home.note(f"-- the store goes on: {event}")
