"""No tool says yes. Over MCP an order asks a person; their yes places it, and the same call then tells of it."""

from __future__ import annotations

import itertools
import os
import pty
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.types import Tool

from firmly_mcp.checkout.models import ApprovalStatus
from firmly_mcp.server.app import build_server
from firmly_mcp.settings import Settings, approve_command
from tests.checkout.gate import ALLOW, CODE, Gate, open_gate
from tests.cli.assistant import an_assistant
from tests.cli.person import Terminal
from tests.proofs import BY_PERSON
from tests.secret_service import DEADLINE, SecretService
from tests.shop import ORDER_TOOLS, STORE, TEE, call, refused, text_of

TWO = [{"ref": TEE, "quantity": 2}]
BOTH = pytest.mark.parametrize(("tool", "arguments"), [("complete_order", {}), ("place_order", {"items": TWO})])


@pytest.fixture
async def client(gate: Gate, era: Any) -> AsyncIterator[Client]:
    async with Client(build_server(gate.services), mode=era) as connected:
        yield connected


@BOTH
@pytest.mark.anyio
async def test_an_order_asks_the_person_and_after_their_yes_the_same_call_tells_of_it(
    client: Client, gate: Gate, tool: str, arguments: dict[str, Any]
) -> None:
    asked = await call(client, tool, store=STORE, **arguments)
    assert (asked["status"], asked["money_moved"]) == ("approval_required", "no")
    assert asked["total"] == {"amount": "53.40", "currency": "USD"}
    assert asked["card"] == "test-visa, visa ending 1111"
    assert asked["command"] == approve_command(gate.settings, asked["approval"])
    assert "end your turn" in asked["next"]
    assert "do not poll" in asked["next"]
    assert "attempt" not in asked
    assert not gate.orders_sent()
    assert await call(client, tool, store=STORE, **arguments) == asked

    async with gate.another() as other:
        review = await other.review(asked["approval"])
        await gate.ended(await other.approve(review, CODE, BY_PERSON), other)
    order = await call(client, tool, store=STORE, **arguments)
    assert (order["status"], order["money_moved"]) == ("placed", "yes")
    assert order["order_number"] == gate.simulator.books.charges[0].order_number
    assert "No new order was sent" in order["warnings"][0]
    assert gate.charges == [5340]
    status = await call(client, "get_order_status", attempt=order["attempt"])
    assert status["order_number"] == order["order_number"]


@pytest.mark.anyio
async def test_the_text_holds_the_whole_command(client: Client) -> None:
    result = await client.call_tool("place_order", {"store": STORE, "items": TWO})
    assert result.structured_content is not None
    assert f"Command: {result.structured_content['command']}\n" in text_of(result)


@BOTH
@pytest.mark.anyio
async def test_a_persons_no_is_told_and_asking_again_does_not_help(
    client: Client, gate: Gate, tool: str, arguments: dict[str, Any]
) -> None:
    asked = await call(client, tool, store=STORE, **arguments)
    await gate.placement.decline(await gate.placement.review(asked["approval"]), "test")
    declined = await call(client, tool, store=STORE, **arguments)
    assert (declined["status"], declined["money_moved"]) == ("declined", "no")
    assert "Do not ask for it again" in declined["next"]
    assert not gate.orders_sent()


@BOTH
@pytest.mark.anyio
async def test_a_rule_that_says_no_is_named(client: Client, gate: Gate, tool: str, arguments: dict[str, Any]) -> None:
    gate.rules('[USD]\nrefuse_above = "53.39"')
    error = await refused(client, tool, store=STORE, **arguments, max_total="1000")
    assert (error["code"], error["money_moved"]) == ("rule_denied", "no")
    assert "53.39" in error["message"]
    gate.rules(ALLOW)
    assert "max_total is required" in (await refused(client, tool, store=STORE, **arguments))["message"]
    assert not gate.orders_sent()


# What a tool's argument may be, by its name: what it is meant to be, then what a model might try instead.
MEANT: dict[str, list[Any]] = {
    "store": [STORE],
    "ref": [TEE],
    "items": [TWO],
    "card": ["test-visa"],
    "address": ["home"],
    "quantity": [1],
    "repeat": [True],
    "max_total": ["1000"],
    "country": ["US"],
    "handle": ["radiant-tee"],
    "query": ["tee"],
}


def shapes(tool: Tool, approval: str) -> Iterator[dict[str, Any]]:
    """Every set of arguments that the tool takes (of very many: none, each and all), each as it is meant; then the
    approval's id wherever a text fits.
    """
    properties: dict[str, Any] = tool.input_schema["properties"]
    required = set(tool.input_schema.get("required", ()))
    meant = {name: MEANT.get(name, [_of_type(schema, approval)])[0] for name, schema in properties.items()}
    optional = sorted(set(properties) - required)
    numbers = range(len(optional) + 1) if len(optional) < 6 else (0, 1, len(optional))
    for number in numbers:
        for chosen in itertools.combinations(optional, number):
            yield {name: meant[name] for name in sorted(required | set(chosen))}
    for name, schema in properties.items():
        if isinstance(_of_type(schema, approval), str):
            yield {each: meant[each] for each in sorted(required)} | {name: approval}


def _of_type(schema: dict[str, Any], approval: str) -> Any:
    """A value that such a schema takes."""
    branches = [branch for branch in schema.get("anyOf", [schema]) if branch.get("type") != "null"]
    kinds = {"boolean": True, "integer": 1, "number": 1, "array": [approval], "object": {}}
    return kinds.get(str(branches[0].get("type")), approval)


@pytest.mark.anyio
async def test_no_tool_approves_whatever_it_is_given(gate: Gate) -> None:
    async with Client(build_server(gate.services)) as client:
        asked = await call(client, "complete_order", store=STORE)
        approval = asked["approval"]
        # The order tools first: others empty the cart.
        for tool in sorted((await client.list_tools()).tools, key=lambda tool: tool.name not in ORDER_TOOLS):
            for arguments in shapes(tool, approval):
                result = await client.call_tool(tool.name, arguments)
                assert "invalid_arguments" not in text_of(result) or approval in arguments.values(), arguments
                if tool.name in ORDER_TOOLS and approval not in arguments.values():
                    assert "status: approval_required. money_moved: no." in text_of(result), arguments
            for consent in ({"approval": approval}, {"approved": True}, {"confirm": "yes"}, {"code": "123"}):
                error = await refused(client, tool.name, **consent)
                assert error["code"] == "invalid_arguments"
    stands = await gate.placement.journal.approvals.get(approval)
    assert stands is not None
    assert stands.status in {ApprovalStatus.OPEN, ApprovalStatus.REPLACED}
    assert not gate.orders_sent()
    assert not gate.charges
    assert not await gate.placement.attempts(limit=50)


@pytest.mark.parametrize("arguments", [{}, {"items": TWO}], ids=["cart", "items"])
@pytest.mark.parametrize(
    ("rules", "says", "ready"),
    [("", "ask", True), (ALLOW, "allow", True), ('[USD]\nrefuse_above = "53.39"', "refuse", False)],
)
@pytest.mark.anyio
async def test_a_preview_shows_every_amount_and_what_the_rules_say(
    client: Client, gate: Gate, arguments: dict[str, Any], rules: str, says: str, *, ready: bool
) -> None:
    gate.rules(rules)
    preview = await call(client, "preview_order", store=STORE, **arguments)
    assert (preview["ready"], preview["rules"], preview["money_moved"]) == (ready, says, "no")
    assert preview["total"] == {"amount": "53.40", "currency": "USD"}
    amounts = {name: view["amount"] for name, view in preview["amounts"].items()}
    assert {"sub total": "44.00", "shipping total": "5.00", "tax total": "4.40"}.items() <= amounts.items()
    assert preview["lines"] == ["2 x Radiant Tee (Color: Orange, Size: XS)"]
    assert preview["card"] == "test-visa, visa ending 1111"
    assert preview["reason"]
    assert not gate.orders_sent()
    assert not await gate.placement.open_approvals()


@pytest.mark.anyio
async def test_a_preview_of_items_leaves_no_cart_behind_and_the_shoppers_as_it_was(client: Client, gate: Gate) -> None:
    before = await call(client, "get_cart", store=STORE)
    await call(client, "preview_order", store=STORE, items=[{"ref": TEE, "quantity": 3}])
    await call(client, "preview_order", store=STORE, items=[{"ref": TEE}], card="none")
    carts = [request for request in gate.simulator.requests if request.path.endswith("/shipping-info")]
    assert len([request for request in gate.simulator.requests if request.method == "DELETE"]) == len(carts) - 1 == 2
    assert await call(client, "get_cart", store=STORE) == before


@pytest.mark.anyio
async def test_a_preview_says_what_is_missing_and_which_tool_supplies_it(tmp_path: Path, era: Any) -> None:
    async with open_gate(tmp_path) as gate, Client(build_server(gate.services), mode=era) as client:
        await expect_missing(client, f"The cart at {STORE} is empty.", "add_line_item")
        await call(client, "add_line_item", store=STORE, ref=TEE)
        await expect_missing(client, f"The cart at {STORE} has no shipping address.", "set_shipping_info")
        await call(client, "set_shipping_info", store=STORE)
        await expect_missing(client, "There are: test-visa.", card="none")
        await expect_missing(client, "There are: home.", items=TWO, address="none")
        vault = await gate.services.vault()
        await vault.remove_card("test-visa")
        await expect_missing(client, "There is no card yet. Add one with `firmly-mcp cards add`.")
        await vault.remove_address("home")
        await expect_missing(client, "There is no address yet. Add one with `firmly-mcp addresses add`.", items=TWO)
        assert not gate.orders_sent()


async def expect_missing(client: Client, words: str, tool: str | None = None, **arguments: Any) -> None:
    preview = await call(client, "preview_order", store=STORE, **arguments)
    assert (preview["ready"], preview["money_moved"]) == (False, "no")
    assert words in preview["missing"]
    assert tool is None or preview["next"] == tool


# Takes the terminal of its streams as its own, and becomes a shell that runs what it is given.
_SHELL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp('sh', ['sh', '-c', sys.argv[1]])"
)


@contextmanager
def in_a_shell(command: str, environment: dict[str, str], directory: Path) -> Iterator[Terminal]:
    """A person pastes a command into their own shell, in a directory of theirs."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _SHELL, command],
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=directory, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        yield Terminal(ours, process)
    finally:
        process.kill()
        process.wait(DEADLINE)
        os.close(ours)


def test_the_command_that_a_tool_prints_runs_as_it_is_printed(keyring_bus: SecretService, tmp_path: Path) -> None:
    with an_assistant(tmp_path, FIRMLY_MCP_DATA_DIR=str(tmp_path / "Ana's $data")) as assistant:
        asked = assistant.order()
        assert asked["status"] == "approval_required"
        own = {name: value for name, value in assistant.environment.items() if not name.startswith("FIRMLY")}
        with in_a_shell(asked["command"], own, tmp_path) as terminal:
            terminal.answer("Type the amount to pay (53.40) to approve, or no to decline: ", "53.40")
            terminal.answer("Security code of the card (not shown): ", "123")
            assert terminal.end() == 0
        order = assistant.order()
        assert (order["status"], order["order_number"]) == ("placed", assistant.charges[0][0])
        assert assistant.orders_sent == 1


def variables(command: str) -> dict[str, str]:
    """The variables that a command sets, as a shell reads it."""
    words = itertools.takewhile(lambda word: "=" in word, shlex.split(command))
    return dict(word.split("=", 1) for word in words)


def test_the_command_names_the_settings_that_a_persons_shell_does_not_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert variables(approve_command(Settings(), "ap_1")) == {}
    given = Settings(shopper="ana", data_dir=Path("data"), cvv_command=("pass",))
    assert variables(approve_command(given, "ap_1")) == {
        "FIRMLY_MCP_SHOPPER": "ana",
        "FIRMLY_MCP_DATA_DIR": str(Path.cwd() / "data"),
    }
    real = Settings(environment="sandbox", app_id="app-1")
    assert variables(approve_command(real, "ap_1")) == {
        "FIRMLY_MCP_ENVIRONMENT": "sandbox",
        "FIRMLY_APP_ID": "app-1",
    }
    (tmp_path / "firmly-mcp").mkdir()
    (tmp_path / "firmly-mcp" / "config.toml").write_text('environment = "sandbox"\napp_id = "app-1"\nshopper = "ben"')
    assert variables(approve_command(real.model_copy(update={"shopper": "ben"}), "ap_1")) == {}
    assert variables(approve_command(Settings(), "ap_1")) == {
        "FIRMLY_MCP_ENVIRONMENT": "simulator",
        "FIRMLY_MCP_SHOPPER": "local",
    }
    assert approve_command(Settings(), "ap_1").endswith(" approve ap_1")
