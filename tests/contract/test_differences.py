"""The list of differences is about tests that there are, and the suite speaks to whatever service it is pointed at."""

import ast
import os
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from .conftest import ELSEWHERE, PLACES, known
from .differences import DIFFERENCES
from .service import PREFIX, Known, named

HERE: Final = Path(__file__).parent
# Contract section 4: host, method and path of every row that the suite must have had a 200 from.
ROWS: Final = """\
api POST /api/v1/browser-session
api GET /api/v1/domains-products/[^/]+
api GET /api/v1/domains-products/[^/]+/.+
api GET /api/v1/domains-pdp
api POST /api/v1/discovery/search
api GET /api/v1/discovery/options
api GET /api/v2/carts/active-domains
api GET /api/v2/carts/active
api GET /api/v2/carts/postal-code
api POST /api/v2/carts/postal-code
api POST /api/v2/domains/[^/]+/session/transfer
api GET /api/v2/domains/[^/]+/cart/?
api POST /api/v2/domains/[^/]+/cart/line-items
api PUT /api/v2/domains/[^/]+/cart/line-items/[^/]+
api DELETE /api/v2/domains/[^/]+/cart/line-items
api POST /api/v2/domains/[^/]+/cart/promo-codes
api PUT /api/v2/domains/[^/]+/cart/promo-codes
api DELETE /api/v2/domains/[^/]+/cart/promo-codes
api POST /api/v2/domains/[^/]+/cart/shipping-info
api PUT /api/v2/domains/[^/]+/cart/shipping-info
api POST /api/v2/domains/[^/]+/cart/billing-info
api POST /api/v2/domains/[^/]+/cart/shipments/fulfillment-type
api POST /api/v2/domains/[^/]+/cart/shipment/methods
api POST /api/v2/domains/[^/]+/cart/shipments/get-availability
api POST /api/v2/domains/[^/]+/cart/addons
api POST /api/v2/domains/[^/]+/cart/addons/_remove
api GET /api/v1/domains/[^/]+/cart
api POST /api/v1/domains/[^/]+/cart/line-items/[^/]+/quantity/\\d+
api PUT /api/v1/domains/[^/]+/cart/line-items/[^/]+
api DELETE /api/v1/domains/[^/]+/cart/line-items
api POST /api/v1/domains/[^/]+/cart/shipping-info
api POST /api/v1/domains/[^/]+/cart/shipping-method
payment GET /api/v1/payment/key
payment POST /api/v1/payment/domains/[^/]+/complete-order
payment POST /api/v2/payment/domains/[^/]+/complete-order
payment POST /api/v1/payment/domains/[^/]+/place-order
payment POST /api/v2/payment/domains/[^/]+/place-order
api GET /api/v1/orders/domains/[^/]+/order/[^/]+/status"""


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_difference_is_one_of_a_test_that_there_is(name: str) -> None:
    module, test = name.split(".")
    assert callable(getattr(import_module(f"{__package__}.{module}"), test))


def test_the_suite_knows_nothing_of_the_package_but_the_simulator_it_starts() -> None:
    imported = {
        (path.name, name)
        for path in HERE.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for name in _imports(node)
        if name.startswith("firmly_mcp") or (name.startswith("tests") and not name.startswith("tests.contract"))
    }
    assert imported == {("conftest.py", "firmly_mcp.simulator"), ("conftest.py", "tests.dialects")}


def _imports(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []


@pytest.mark.parametrize(
    ("payment", "orders", "may"),
    [
        ("https://cc.firmly.work", "yes", True),
        ("https://cc.firmly.work", "", False),
        ("https://cc.firmly.work", "no", False),
        ("http://127.0.0.1:8000", "yes", True),
        ("https://cc.firmly.online", "yes", False),
        ("https://cc.firmly.work.example", "yes", False),
        ("https://cc.firmly.work@cc.firmly.online", "yes", False),
    ],
)
def test_nothing_is_ordered_but_at_the_sandbox_or_on_this_machine(payment: str, orders: str, may: bool) -> None:
    asked = {"API": "https://api.firmly.work", "PAYMENT": payment, "APP_ID": "app-1", "ORDERS": orders}
    service = named({PREFIX + name: value for name, value in asked.items()})
    assert service is not None
    assert service.orders is may


@pytest.mark.anyio
@pytest.mark.skipif(ELSEWHERE is not None, reason="the suite is pointed somewhere already")
async def test_the_suite_runs_against_a_service_that_differs_as_recorded(as_others_found_it: Any) -> None:
    simulator, places = as_others_found_it, PLACES[:3]
    told: Known = known(simulator)
    environment = {
        "API": simulator.api_url,
        "PAYMENT": simulator.payment_url,
        "APP_ID": simulator.app_id,
        "STORE": ",".join(place.domain for place in places),
        "PRODUCT": ",".join(place.handle for place in places),
        "ORDERS": "yes",
        **{name.upper(): value for name, value in vars(told).items()},
    }
    command = [sys.executable, "-m", "pytest", "-q", str(HERE), f"--ignore={__file__}"]
    suite = await anyio.run_process(
        command,
        env={**os.environ, **{PREFIX + name: value for name, value in environment.items()}},
        cwd=HERE.parents[1],
        check=False,
    )
    out = suite.stdout.decode()
    assert suite.returncode == 0, out
    assert "skipped" not in out
    differed = set(re.findall(r"XFAIL .*/(test_\w+)\.py::(\w+)", out))
    assert differed == {
        ("test_cart", "test_a_cart_is_read_without_a_trailing_slash"),
        ("test_promotions", "test_a_code_that_nobody_gave_is_invalid"),
        ("test_promotions", "test_codes_need_a_cart"),
        ("test_checkout", "test_an_address_needs_a_cart"),
        ("test_payment", "test_without_a_cart_there_is_nothing_to_pay"),
        ("test_simple_cart", "test_without_a_cart_there_is_nothing_to_pay"),
    }
    answered = {f"{asked.host} {asked.method} {asked.path}" for asked in simulator.requests if asked.status == 200}
    assert [row for row in ROWS.splitlines() if not any(re.fullmatch(row, line) for line in answered)] == []
