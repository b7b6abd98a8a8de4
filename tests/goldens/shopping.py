"""Every tool's text and structured result over one shopping session, over both transports and in both eras."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, Literal

import anyio
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.types import (
    CallToolResult,
    ElicitRequestParams,
    ElicitRequestURLParams,
    ElicitResult,
    PromptReference,
    ResourceTemplateReference,
)

from tests.http_server import http_server

from .browser import Browser
from .household import CODE, HOODIE, STORE, TEE, Household, household
from .layout import laid_out, quoted

Transport = Literal["stdio", "http"]
Era = Literal["auto", "legacy"]
Action = Literal["accept", "decline", "cancel"]
Scene = Callable[["Session"], Awaitable[None]]

VOLTA: Final = "volta-electronics.example"
HEARTH: Final = "hearth-and-home.example"
FERNHILL: Final = "fernhill-garden.example"
RULES: Final = """\
[USD]
ask_above = "100.00"
ask_above_a_day = "2000.00"
refuse_above = "5000.00"

[stores]
refused = ["volta-electronics.example"]

[orders]
largest_quantity = 9
"""
LONDON: Final = {
    "label": "London",
    "first_name": "Ana",
    "last_name": "Lima",
    "email": "ana@example.com",
    "phone": "+44 20 7946 0000",
    "address1": "1 Test Road",
    "city": "London",
    "state_or_province": "England",
    "postal_code": "SW1A 1AA",
    "country": "GB",
}


class Session:
    """A client, and the household in whose record everything goes that it gets."""

    def __init__(self, client: Client, home: Household) -> None:
        self.client = client
        self.home = home

    def title(self, words: str) -> None:
        """A heading in the record."""
        self.home.note(f"\n======== {words}\n")

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool; record arguments, text and structured result."""
        asked = f"# {tool} {json.dumps(arguments, ensure_ascii=False)}"
        try:
            result = await self.client.call_tool(tool, arguments)
        except MCPError as error:
            self.home.note(f"{asked}\nprotocol error {error.error.code}: {error.error.message}\n")
            return {}
        assert isinstance(result, CallToolResult)
        self.home.note(f"{asked}\n{_shown(result)}\n")
        return result.structured_content or {}

    async def read(self, uri: str) -> None:
        """Read a resource."""
        try:
            contents = (await self.client.read_resource(uri)).contents
        except MCPError as error:
            self.home.note(f"# read {uri}\nprotocol error {error.error.code}: {error.error.message}\n")
            return
        for content in contents:
            body = json.loads(getattr(content, "text", "null"))
            self.home.note(f"# read {uri}\n{content.mime_type}\n{laid_out(body)}\n")

    async def approve(self, answer: str) -> None:
        """The person answers the open question at a terminal."""

        def at_the_terminal() -> None:
            with self.home.terminal("approve") as terminal:
                terminal.answer("or no to decline: ", answer)
                if answer != "no":
                    terminal.answer("Security code of the card (not shown): ", CODE)

        await anyio.to_thread.run_sync(at_the_terminal)


def _shown(result: CallToolResult) -> str:
    """The result without what every result of the newer era has."""
    rest = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    if list(rest.get("_meta", {})) == ["io.modelcontextprotocol/serverInfo"]:
        del rest["_meta"]
    if rest.get("resultType") == "complete":
        del rest["resultType"]
    texts = [block.pop("text") for block in rest.get("content", []) if "text" in block]
    structured = rest.pop("structuredContent", None)
    return "\n".join([json.dumps(rest, ensure_ascii=False), *map(quoted, texts), laid_out(structured)])


@asynccontextmanager
async def session(home: Household, transport: Transport, era: Era, **client: Any) -> AsyncIterator[Session]:
    """A server of this household and a client of it."""
    if transport == "stdio":
        async with Client(home.served(), mode=era, **client) as connected:
            yield Session(connected, home)
        return
    with http_server(home.environment) as server:
        http = create_mcp_http_client({"Authorization": f"Bearer {server.token}"})
        at = streamable_http_client(server.url, http_client=http)
        async with http, Client(at, mode=era, **client) as connected:
            yield Session(connected, home)


def shopping() -> str:
    """The record of a long session."""
    return _recorded(
        *(_looking, _wallet, _cart, _delivery, _wrong_arguments, _ordering, _refused, _ends, _tracking),
        transport="stdio",
        era="auto",
    )


def every_tool(transport: Transport, era: Era) -> str:
    """The record of a session that calls each tool, reads what there is, and is then shown links."""
    return _recorded(_greeting, _each, _offered, transport=transport, era=era, links=True)


def _recorded(*scenes: Scene, transport: Transport, era: Era, links: bool = False) -> str:
    async def played() -> None:
        async with session(home, transport, era) as shop:
            for scene in scenes:
                await scene(shop)
        if links:
            await _shown_links(home, transport, era)

    with household() as home:
        home.furnish()
        home.write("rules.toml", RULES)
        home.write("config.toml", 'cvv_command = ["printf", "123"]\n')
        anyio.run(played)
        return "\n".join(home.recorded)


async def _greeting(shop: Session) -> None:
    client = shop.client
    shop.title("initialize")
    info, capabilities = client.server_info, client.server_capabilities
    assert info is not None
    assert capabilities is not None
    shop.home.note(
        f"protocol {client.protocol_version}\n{laid_out(info.model_dump(mode='json', exclude_none=True))}\n"
        f"{laid_out(capabilities.model_dump(mode='json', exclude_none=True))}\n{quoted(client.instructions or '')}"
    )
    shop.title("tools")
    shop.home.note("\n".join(f"{tool.name}: {tool.title}" for tool in (await client.list_tools()).tools))


async def _each(shop: Session) -> None:
    shop.title("each tool once")
    await shop.call("search_products", query="tee", page_size=1)
    shop.home.next_monday()
    await shop.call("list_products", store=STORE, page=12)
    await shop.call("get_product", store=STORE, handle="radiant-tee")
    television = await a_ref(shop, VOLTA, "QLED 4K Smart TV")
    await shop.call("set_postal_code", postal_code="98101")
    await shop.call("add_line_item", store=VOLTA, ref=television)
    await shop.call("set_addon", store=VOLTA, addon_id="installation", child_ids=["wall_mount"])
    await shop.call("set_fulfillment", store=VOLTA, type="SCHEDULED_DELIVERY")
    await shop.call("get_availability", store=VOLTA)
    await shop.call("clear_cart", store=VOLTA)
    line = _id_of((await shop.call("add_line_item", store=STORE, ref=TEE))["lines"][0])
    await shop.call("update_line_item", store=STORE, line_item_id=line, quantity=2)
    await shop.call("set_promo_codes", store=STORE, promo_codes=["SAVE10"])
    await shop.call("list_addresses")
    await shop.call("list_payment_cards")
    await shop.call("add_address", **LONDON)
    await shop.call("add_payment_card")
    await shop.call("set_shipping_info", store=STORE)
    await shop.call("get_cart")
    await shop.call("preview_order", store=STORE)
    await shop.call("complete_order", store=STORE, max_total="60.00")
    await shop.call("complete_order", store=STORE, max_total="60.00")
    await shop.call("place_order", store=STORE, items=[{"ref": TEE, "quantity": 5}], max_total="400.00")
    orders = (await shop.call("list_orders"))["orders"]
    await shop.call("get_order_status", attempt=orders[0]["attempt"])
    await shop.call("get_cart", shop=STORE)
    await shop.call("get_product", store=STORE, handle="no-such-thing")
    await shop.call("no_such_tool")


async def _looking(shop: Session) -> None:
    shop.title("search and catalog")
    found = await shop.call("search_products", query="tee", page_size=3)
    await shop.call("search_products", query="tee", page_size=3, next_page=found["next_page"])
    await shop.call("search_products", query="tee", stores=[STORE], max_price="25.00", in_stock=True, page_size=2)
    await shop.call("search_products", query="tee", options={"color": ["Orange"]}, page_size=2)
    await shop.call("search_products", query="nothing like this anywhere")
    await shop.call("search_products", query="sofa", min_price="200", max_price="100")
    await shop.call("list_products", store=STORE, page=12)
    await shop.call("list_products", store=VOLTA)
    await shop.call("get_product", store=STORE, handle="radiant-tee")
    await shop.call("get_product", url="https://staging.luma.gift/radiant-tee.html")
    await shop.call("get_product", store=STORE, handle="no-such-thing")
    await shop.call("get_product", url="https://elsewhere.example/thing")
    await shop.call("get_product", url="https://hearth-and-home.example/a-sofa.html")
    await shop.call("get_product")
    await shop.call("list_products", store="nowhere.example")


async def _wallet(shop: Session) -> None:
    shop.title("wallet")
    await shop.call("list_payment_cards")
    await shop.call("list_addresses")
    await shop.call("add_address", **LONDON)
    await shop.call("add_address", **LONDON)
    await shop.call("add_address", **{**LONDON, "label": "Bad", "postal_code": "12", "email": "nobody"})
    await shop.call("add_address", label="Half")
    await shop.call("list_addresses")
    await shop.call("add_payment_card")
    await shop.call("add_address")


async def _cart(shop: Session) -> None:
    shop.title("cart")
    await shop.call("get_cart")
    await shop.call("get_cart", store=STORE)
    added = await shop.call("add_line_item", store=STORE, ref=TEE, quantity=2)
    await shop.call("add_line_item", store=STORE, ref=HOODIE)
    line = _id_of(added["lines"][0])
    await shop.call("update_line_item", store=STORE, line_item_id=line, quantity=3)
    await shop.call("update_line_item", store=STORE, line_item_id=line, quantity=100000)
    await shop.call("update_line_item", store=STORE, line_item_id="li_none", quantity=1)
    await shop.call("update_line_item", store=STORE, line_item_id=line, quantity=0)
    await shop.call("add_line_item", store=STORE, ref="WS12-M-Orange")
    await shop.call("add_line_item", store=STORE, ref="NO-SUCH-REF")
    await shop.call("set_promo_codes", store=STORE, promo_codes=["SAVE10"])
    await shop.call("set_promo_codes", store=STORE, promo_codes=["NOPE"])
    await shop.call("set_promo_codes", store=STORE, promo_codes=["SPRING20"])
    await shop.call("set_promo_codes", store=STORE, promo_codes=[])
    await shop.call("set_postal_code", postal_code="98101")
    await shop.call("set_postal_code", postal_code="?")
    await shop.call("get_cart", store=STORE)
    await shop.call("set_shipping_info", store=STORE, address="Nowhere")
    await shop.call("set_shipping_info", store=STORE, address="London")
    await shop.call("set_shipping_info", store=STORE, address="Home", billing_address="Home")
    await shop.call("preview_order", store=STORE)
    await shop.call("clear_cart", store=STORE)
    await shop.call("complete_order", store=STORE, max_total="60.00")


def _id_of(line: dict[str, Any]) -> str:
    return str(next(value for name, value in line.items() if name.endswith("id")))


async def a_ref(shop: Session, store: str, query: str) -> str:
    """The first variant in stock of the first product that a search finds."""
    found = await shop.call("search_products", query=query, stores=[store], page_size=1)
    product = await shop.call("get_product", store=store, handle=found["products"][0]["handle"])
    return str(next(one["ref"] for one in product["variants"] if one.get("available", True)))


async def _delivery(shop: Session) -> None:
    shop.title("delivery, addons and other stores")
    shop.home.next_monday()
    television = await a_ref(shop, VOLTA, "QLED 4K Smart TV")
    await shop.call("add_line_item", store=VOLTA, ref=television)
    cart = await shop.call("set_shipping_info", store=VOLTA)
    shipment = _id_of(cart["shipments"][0])
    await shop.call("get_availability", store=VOLTA)
    await shop.call("set_fulfillment", store=VOLTA, shipment_id=shipment, type="PICKUP_IN_STORE")
    await shop.call(
        "set_fulfillment", store=VOLTA, shipment_id=shipment, type="PICKUP_IN_STORE", location_id="volta-seattle"
    )
    await shop.call("set_fulfillment", store=VOLTA, shipment_id=shipment, type="SCHEDULED_DELIVERY")
    days = await shop.call("get_availability", store=VOLTA, shipment_id=shipment)
    day = _first_day(days)
    await shop.call(
        "set_fulfillment", store=VOLTA, shipment_id=shipment, method="SCHEDULED_DAY", date=day, notes="Ring twice"
    )
    await shop.call("set_fulfillment", store=VOLTA, shipment_id=shipment, method="SCHEDULED_DAY", date="2031-01-05")
    await shop.call("set_fulfillment", store=VOLTA, shipment_id=shipment, method="NO_SUCH")
    await shop.call("set_fulfillment", store=VOLTA, shipment_id="ship_none", method="STANDARD")
    await shop.call("set_addon", store=VOLTA, addon_id="installation", child_ids=["wall_mount"])
    await shop.call("set_addon", store=VOLTA, addon_id="extended_warranty")
    await shop.call("set_addon", store=VOLTA, addon_id="extended_warranty", remove=True)
    await shop.call("set_addon", store=VOLTA, addon_id="no_such_addon")
    await shop.call("preview_order", store=VOLTA)
    sofa = await a_ref(shop, HEARTH, "Sofa")
    await shop.call("add_line_item", store=HEARTH, ref=sofa)
    await shop.call("set_shipping_info", store=HEARTH)
    await shop.call("preview_order", store=HEARTH)
    await shop.call("set_addon", store=HEARTH, addon_id="room_delivery")
    await shop.call("set_promo_codes", store=HEARTH, promo_codes=["SAVE10", "FREESHIP"])
    await shop.call("set_promo_codes", store=HEARTH, promo_codes=[])
    rose = await a_ref(shop, FERNHILL, "Climbing Rose")
    await shop.call("add_line_item", store=FERNHILL, ref=rose, quantity=2)
    await shop.call("set_shipping_info", store=FERNHILL, address="Home")
    await shop.call("set_shipping_info", store=FERNHILL, address="London")
    await shop.call("preview_order", store=FERNHILL)
    await shop.call("get_cart")


def _first_day(value: Any) -> str:
    """The first date anywhere in a result."""
    text = json.dumps(value)
    start = text.index('"20') + 1
    return text[start : start + 10]


async def _wrong_arguments(shop: Session) -> None:
    shop.title("arguments that are refused")
    await shop.call("get_cart", shop=STORE)
    await shop.call("add_line_item", store=STORE)
    await shop.call("add_line_item", store=STORE, ref=TEE, quantity="many")
    await shop.call("add_line_item", store=STORE, ref=TEE, quantity=0)
    await shop.call("search_products", query="tee", page_size=500)
    await shop.call("search_products", query="my card is 4111 1111 1111 1111")
    await shop.call("place_order", store=STORE, items=[], max_total="60.00")
    await shop.call("place_order", store=STORE, items=[{"ref": TEE, "number": 2}], max_total="60.00")
    await shop.call("complete_order", store=STORE, max_total="sixty")
    await shop.call("complete_order", store=STORE, max_total="-5")
    await shop.call("get_cart", store="https://not a store/")
    await shop.call("get_order_status")
    await shop.call("get_order_status", attempt="att_0000000000000000")
    await shop.call("get_order_status", store=STORE, order_number="NO-SUCH")
    await shop.call("list_orders", limit=51)
    await shop.call("no_such_tool")


async def _ordering(shop: Session) -> None:
    shop.title("orders that are placed")
    await shop.call("list_orders")
    await shop.call("add_line_item", store=STORE, ref=TEE, quantity=2)
    await shop.call("set_shipping_info", store=STORE)
    await shop.call("preview_order", store=STORE)
    await shop.call("complete_order", store=STORE)
    await shop.call("complete_order", store=STORE, max_total="50.00")
    await shop.call("complete_order", store=STORE, max_total="60.00", card="Amex")
    await shop.call("complete_order", store=STORE, max_total="60.00", reference="ref-1")
    await shop.call("complete_order", store=STORE, max_total="60.00")
    await shop.call("preview_order", store=STORE)
    placed = (await shop.call("list_orders"))["orders"][0]
    await shop.call("get_order_status", attempt=placed["attempt"])
    await shop.call("get_order_status", store=STORE, order_number=placed["order_number"])
    four = [{"ref": TEE, "quantity": 4}]
    asked = await shop.call("place_order", store=STORE, items=[{"ref": TEE, "quantity": 5}], max_total="400.00")
    await shop.call("get_order_status", attempt=asked["approval"])
    await shop.call("preview_order", store=STORE, items=four)
    await shop.approve("126.00")
    await shop.call("place_order", store=STORE, items=[{"ref": TEE, "quantity": 5}], max_total="400.00")
    await shop.call("place_order", store=STORE, items=[{"ref": TEE, "quantity": 5}], max_total="400.00", repeat=True)
    await shop.approve("no")
    await shop.call("place_order", store=STORE, items=[{"ref": TEE, "quantity": 5}], max_total="400.00", repeat=True)
    await shop.call("place_order", store=STORE, items=four, address="London")
    await shop.call("list_orders", limit=1)
    await shop.call("list_orders", limit=1, before=2)


async def _refused(shop: Session) -> None:
    shop.title("orders that are refused")
    await shop.call("place_order", store=STORE, items=[{"ref": TEE, "quantity": 10}], max_total="9000")
    await shop.call("complete_order", store=VOLTA, max_total="9000")
    await shop.call("place_order", store="nowhere.example", items=[{"ref": TEE, "quantity": 1}], max_total="9000")
    await shop.call("place_order", store=STORE, items=[{"ref": "WS12-M-Orange"}], max_total="60.00")
    await shop.call("place_order", store=STORE, items=[{"ref": "NO-SUCH-REF"}], max_total="60.00")
    sofa = await a_ref(shop, HEARTH, "Sectional Sofa")
    await shop.call("place_order", store=HEARTH, items=[{"ref": sofa, "quantity": 3}], max_total="20000")
    await shop.call("complete_order", store=HEARTH, max_total="9000", repeat=True)


async def _ends(shop: Session) -> None:
    shop.title("orders with another end")
    home = shop.home
    one = [{"ref": HOODIE, "quantity": 1}]
    home.fault("refuse", "*_order_v2", error="ErrorPaymentDeclined")
    await shop.call("place_order", store=STORE, items=one, max_total="90.00")
    home.control("price", {"store": STORE, "sku": "WS12-XS-Blue", "cents": 2000})
    home.fault("set-price", "*_order_v2", store=STORE, sku="WS12-XS-Blue", cents=2600, inside=True)
    blue = [{"ref": "WS12-XS-Blue", "quantity": 1}]
    await shop.call("place_order", store=STORE, items=blue, max_total="90.00")
    home.fault("set-price", "get_key", store=STORE, sku="WS12-S-Blue", cents=2900)
    await shop.call("place_order", store=STORE, items=[{"ref": "WS12-S-Blue", "quantity": 1}], max_total="90.00")
    home.control("faults", method="DELETE")
    home.fault("cut-stream", "*_order_v2", after=2, goes_on=True)
    await shop.call("place_order", store=STORE, items=[{"ref": "WS12-L-Blue", "quantity": 1}], max_total="90.00")
    home.fault("reset-after-body", "*_order_v2")
    doubt = [{"ref": "WS12-XL-Blue", "quantity": 1}]
    unknown = await shop.call("place_order", store=STORE, items=doubt, max_total="90.00")
    await shop.call("get_order_status", attempt=unknown["attempt"])
    await shop.call("place_order", store=STORE, items=doubt, max_total="90.00")
    await shop.call("place_order", store=STORE, items=[{"ref": "WS12-XL-Purple", "quantity": 1}], max_total="90.00")
    await shop.call("place_order", store=STORE, items=[{"ref": "WS12-M-Orange"}], max_total="60.00")
    await shop.call("list_orders")


async def _offered(shop: Session) -> None:
    shop.title("resources")
    client = shop.client
    for kind, listed in (
        ("resource", (await client.list_resources()).resources),
        ("template", (await client.list_resource_templates()).resource_templates),
        ("prompt", (await client.list_prompts()).prompts),
    ):
        for one in listed:
            shop.home.note(f"{kind} {laid_out(one.model_dump(mode='json', by_alias=True, exclude_none=True))}")
    placed = (await client.call_tool("list_orders", {})).structured_content or {}
    attempt = placed["orders"][0]["attempt"]
    for uri in (
        *("firmly://stores", "firmly://orders", "firmly://rules", f"firmly://{VOLTA}/cart", f"firmly://{STORE}/cart"),
        *(f"firmly://orders/{attempt}", "firmly://orders/att_none", "firmly://nowhere.example/cart", "firmly://other"),
    ):
        await shop.read(uri)
    shop.title("prompts")
    for prompt in (await client.list_prompts()).prompts:
        names = [argument.name for argument in prompt.arguments or []]
        for given in ({}, {name: f"the {name}" for name in names}):
            got = await client.get_prompt(prompt.name, given)
            texts = [f"{message.role}:\n{quoted(getattr(message.content, 'text', ''))}" for message in got.messages]
            shop.home.note(f"# prompt {prompt.name} {json.dumps(given)}\n{got.description}\n" + "\n".join(texts))
    shop.title("completions")
    for reference, argument, typed in (
        (PromptReference(type="ref/prompt", name="shop"), "address", ""),
        (PromptReference(type="ref/prompt", name="checkout"), "store", "st"),
        (PromptReference(type="ref/prompt", name="compare"), "stores", f"{STORE}, v"),
        (PromptReference(type="ref/prompt", name="checkout"), "card", "v"),
        (PromptReference(type="ref/prompt", name="track_order"), "order", "SIM-000001"),
        (PromptReference(type="ref/prompt", name="shop"), "budget", "1"),
        (ResourceTemplateReference(type="ref/resource", uri="firmly://orders/{attempt}"), "attempt", ""),
        (ResourceTemplateReference(type="ref/resource", uri="firmly://{store}/cart"), "store", ""),
    ):
        done = await client.complete(reference, {"name": argument, "value": typed})
        where = getattr(reference, "name", getattr(reference, "uri", ""))
        shop.home.note(
            f"# complete {where} {argument} {typed!r}\n{laid_out(done.completion.model_dump(exclude_none=True))}"
        )


async def _tracking(shop: Session) -> None:
    shop.title("an order on its way")
    placed = [order for order in (await shop.call("list_orders"))["orders"] if order.get("status") == "placed"][-1]
    for days in (1, 2, 9):
        shop.home.control("clock", {"advance_seconds": days * 86400})
        await shop.call("get_order_status", attempt=placed["attempt"])
    shop.home.control("return", {"order_number": placed["order_number"]})
    await shop.call("get_order_status", attempt=placed["attempt"])
    shop.home.control("clock", {"advance_seconds": 5 * 86400})
    await shop.call("get_order_status", attempt=placed["attempt"])


class Host:
    """A host that shows links, and what its person does with one."""

    def __init__(self, home: Household) -> None:
        self._home = home
        self.action: Action = "accept"
        self.then: Callable[[Browser], object] | None = None

    async def elicited(self, _: Any, params: ElicitRequestParams) -> ElicitResult:
        """Show the link; the person does what they do before the host answers."""
        assert isinstance(params, ElicitRequestURLParams)
        self._home.note(f"-- the host shows: {params.message}\n   {params.url}\n   and answers {self.action}")
        if self.then is not None:
            await anyio.to_thread.run_sync(self.then, Browser(self._home, params.url, records=False))
        return ElicitResult(action=self.action)


async def _shown_links(home: Household, transport: Transport, era: Era) -> None:
    host = Host(home)
    async with session(home, transport, era, elicitation_callback=host.elicited) as shop:
        shop.title("a host that shows links")
        roses = await a_ref(shop, FERNHILL, "Shrub Rose")
        buy = partial(shop.call, "place_order", store=FERNHILL, address="London", max_total="900.00")
        host.then = _pay
        await buy(items=[{"ref": roses, "quantity": 1}])
        await buy(items=[{"ref": roses, "quantity": 1}])
        host.action, host.then = "decline", None
        await buy(items=[{"ref": roses, "quantity": 2}])
        await buy(items=[{"ref": roses, "quantity": 2}])
        host.action = "cancel"
        await buy(items=[{"ref": roses, "quantity": 3}])
        host.action, host.then = "accept", _decline
        await buy(items=[{"ref": roses, "quantity": 4}])
        host.then = _add_card
        await shop.call("add_payment_card")
        host.then = _add_address
        await shop.call("add_address")
        await shop.call("list_payment_cards")
        await shop.call("list_addresses")


def _pay(browser: Browser) -> None:
    browser.open(recorded=False)
    browser.post(answer="approve", security_code=CODE)


def _decline(browser: Browser) -> None:
    browser.open(recorded=False)
    browser.post(answer="decline", security_code="")


def _add_card(browser: Browser) -> None:
    browser.open(recorded=False)
    card = {"label": "Master", "number": "5555 5555 5555 4444", "expiry": "08/35", "name": "Ana Lima"}
    browser.post(**card, billing="book:Home", pin="", pin_again="")


def _add_address(browser: Browser) -> None:
    browser.open(recorded=False)
    fields = {name: value for name, value in LONDON.items() if name != "label"}
    browser.post(address_label="Flat", **fields)
