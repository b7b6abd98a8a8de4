import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.person import at_a_terminal, type_address
from tests.raw_server import RawServer, environment, raw_server
from tests.secret_service import SecretService, private_bus, secret_service
from tests.shop import CVV_COMMAND, RULES, STORE, TEE


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A person's home, with the security code's command in its configuration."""
    config = tmp_path / ".config" / "firmly-mcp" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f"cvv_command = {json.dumps(list(CVV_COMMAND))}\n", "utf-8")
    (config.parent / "rules.toml").write_text(RULES, "utf-8")
    return tmp_path


@contextmanager
def serving(home: Path, *arguments: str, **variables: str) -> Iterator[RawServer]:
    with raw_server(environment(home, **variables), *arguments, forked=True) as server:
        server.initialize()
        yield server


def fill_cart(server: RawServer) -> None:
    server.call("add_line_item", store=STORE, ref=TEE, quantity=1)
    server.call("set_shipping_info", store=STORE)


def only_frames(server: RawServer) -> bool:
    return all(json.loads(line)["jsonrpc"] == "2.0" for line in server.lines)


def attempts(home: Path) -> list[str]:
    with sqlite3.connect(home / ".local" / "share" / "firmly-mcp" / "journal.sqlite3") as journal:
        return [state for (state,) in journal.execute("SELECT state FROM attempts ORDER BY number")]


def test_the_end_of_input_ends_the_server(home: Path) -> None:
    with serving(home, "--demo") as server:
        assert server.request("tools/list", {})["result"]["tools"]
        assert server.close_input() == 0
        assert only_frames(server)
        assert not server.errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server(home: Path, number: signal.Signals) -> None:
    with serving(home, "--demo") as server:
        fill_cart(server)
        assert server.signal(number) == 0
        assert only_frames(server)
        assert not server.errors


@pytest.mark.parametrize("end", ["input", "SIGTERM"])
def test_an_order_in_flight_is_placed_before_the_server_ends(home: Path, end: str) -> None:
    with serving(home, "--demo") as server:
        fill_cart(server)
        slow_down(home)
        server.begin("tools/call", server.calling("complete_order", store=STORE))
        wait_for_row(home)
        assert (server.close_input() if end == "input" else server.signal(signal.SIGTERM)) == 0
    assert attempts(home) == ["placed"]


def test_an_order_whose_server_was_killed_is_in_doubt_and_not_sent_again(home: Path) -> None:
    with serving(home, "--demo") as server:
        fill_cart(server)
        slow_down(home)
        server.begin("tools/call", server.calling("complete_order", store=STORE))
        wait_for_row(home)
        server.signal(signal.SIGKILL)
    assert attempts(home) == ["sending"]
    with serving(home, "--demo") as server:
        fill_cart(server)
        order = server.call("complete_order", store=STORE)["structuredContent"]
        assert order["status"] == "unknown"
        assert order["money_moved"] == "unknown"
    assert attempts(home) == ["unknown"]


def test_garbage_and_a_great_frame_do_not_end_the_server(home: Path) -> None:
    with serving(home, "--demo") as server:
        server.write(b"not json\n\xff\xfe\x00\n[]\n{}\n" + b"[" * 5000 + b"\n")
        server.write(
            b'{"jsonrpc":"2.0","id":77,"method":"tools/call","params":{"name":"get_cart","arguments":{"store":"'
        )
        server.write(b"x" * 10_000_000 + b'"}}}\n')
        told = server.answer(77)["result"]
        assert told["isError"]
        assert told["structuredContent"]["code"] == "invalid_arguments"
        assert len(json.dumps(told)) < 2_000
        assert server.call("list_payment_cards")["structuredContent"]["cards"]
        assert only_frames(server)


def test_a_frame_that_is_not_read_is_answered_by_its_own_id(home: Path) -> None:
    long = b"x" * 5_000_000
    frames = {
        81: b'{"method":"resources/read","params":{"id":5,"uri":"' + long + b'"},"jsonrpc":"2.0","id":81}',
        82: b'{"jsonrpc": "2.0", "id": 82, "method": "prompts/get", "params": {"name": "' + long + b'"}}',
        83: b'{"jsonrpc":"2.0","id":83,"method":"tools/call","params":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        84: b'{"jsonrpc":"2.0","id":84,"method":"tools/list","params":[1]}',
        85: b'{"jsonrpc":"2.0","id":85,"method":"tools/list","params":{"cursor":' + b"9" * 5_000 + b"}}",
    }
    with serving(home, "--demo") as server:
        for number, frame in frames.items():
            server.write(frame + b"\n")
            told = server.answer(number)
            assert told["error"]["code"] < -32_000
            assert len(json.dumps(told)) < 1_000
        assert server.call("list_payment_cards")["structuredContent"]["cards"]


def test_the_simulator_goes_on_from_its_books_in_the_next_server(home: Path) -> None:
    with serving(home, "--demo") as server:
        fill_cart(server)
        first = server.call("complete_order", store=STORE)["structuredContent"]
        assert first["status"] == "placed"
        server.close_input()
    with serving(home, "--demo") as server:
        again = server.call("place_order", store=STORE, items=[{"ref": TEE}])["structuredContent"]
        assert again["order_number"] == first["order_number"]
        assert again["warnings"]


def test_two_servers_share_a_simulator_and_the_second_takes_it_over(home: Path) -> None:
    with serving(home, "--demo") as second:
        with serving(home, "--demo") as first:
            fill_cart(first)
            assert second.call("search_products", query="tee")["structuredContent"]["products"]
            order = first.call("complete_order", store=STORE)["structuredContent"]
            first.close_input()
        retry_until_answered(second, "search_products", query="tee")
        again = second.call("place_order", store=STORE, items=[{"ref": TEE}])["structuredContent"]
        assert again["order_number"] == order["order_number"]


def retry_until_answered(server: RawServer, tool: str, **arguments: Any) -> None:
    """Call a tool until the simulator is back; there is a moment without one."""
    for _ in range(50):
        if not server.call(tool, **arguments)["isError"]:
            return
    pytest.fail("nobody took the simulator over")


def test_the_demo_wallet_is_for_the_simulator_alone(home: Path) -> None:
    with serving(home, "--demo", FIRMLY_MCP_ENVIRONMENT="sandbox", FIRMLY_APP_ID="app") as server:
        error = server.call("list_payment_cards")
        assert error["isError"]
        assert "simulator" in error["content"][0]["text"]


def test_without_a_keyring_cards_say_what_to_do_and_searching_works(home: Path) -> None:
    with serving(home, DBUS_SESSION_BUS_ADDRESS="unix:path=/nonexistent/bus") as server:
        error = server.call("list_payment_cards")
        assert error["isError"]
        assert error["structuredContent"]["code"] == "wallet"
        assert "Secret Service" in error["content"][0]["text"]
        found = server.call("search_products", query="tee")
        assert not found["isError"], found
        cart = server.call("add_line_item", store=STORE, ref=TEE)["structuredContent"]
        assert any("keyring" in warning for warning in cart["warnings"])


def test_with_only_six_variables_the_users_own_bus_is_found(home: Path) -> None:
    with own_bus() as service:
        address = service.bus.address
        add_demo_card(home, environment(home, bus=address))
        with serving(home) as server:
            assert not {"DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"} & set(environment(home))
            cards = server.call("list_payment_cards")["structuredContent"]["cards"]
            assert [card["last_four"] for card in cards] == ["1111"]
            fill_cart(server)
            assert server.call("complete_order", store=STORE)["structuredContent"]["status"] == "placed"


@contextmanager
def own_bus() -> Iterator[SecretService]:
    """A keyring where this user's own would be. Only where there is none, so that nobody's is touched."""
    runtime = Path(f"/run/user/{os.getuid()}")
    if runtime.exists() or not os.access("/run", os.W_OK):
        reason = f"{runtime} is there already, or cannot be made: another's keyring is not touched"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    runtime.mkdir(parents=True, mode=0o700)
    try:
        with private_bus() as bus, secret_service(bus) as service:
            (runtime / "bus").symlink_to(bus.address.removeprefix("unix:path=").split(",")[0])
            try:
                yield service
            finally:
                (runtime / "bus").unlink()
    finally:
        runtime.rmdir()


def add_demo_card(home: Path, variables: dict[str, str]) -> None:
    """A person's own address, typed at a terminal, and a card that a script gives."""
    import subprocess
    import sys

    address = {
        "label": "home", "first_name": "Ana", "last_name": "Lima", "email": "ana@example.com", "phone": "206-555-0100",
        "address1": "1 Test Street", "city": "Seattle", "state_or_province": "WA", "postal_code": "98101",
        "country": "US",
    }  # fmt: skip
    card = {
        "label": "visa", "number": "4111111111111111", "name": "Ana Lima", "month": "12", "year": "2034",
        "billing_address": "home",
    }  # fmt: skip
    with at_a_terminal("addresses", "add", environment=variables) as terminal:
        type_address(terminal, address)
        assert terminal.end() == 0, terminal.screen
    subprocess.run(
        [sys.executable, "-m", "firmly_mcp", "cards", "add", "--stdin"],
        input=json.dumps(card), text=True, env=variables, check=True, timeout=60, cwd=Path(__file__).parents[2],
    )  # fmt: skip


def slow_down(home: Path, seconds: float = 1.0) -> None:
    """Let the simulator that the server runs take so long for its next order."""
    import asyncio

    from firmly_mcp.simulator import ask
    from firmly_mcp.simulator.server import Joined

    path = home / ".local" / "share" / "firmly-mcp" / "simulator" / "simulator.json"
    address = Joined(**json.loads(path.read_text("utf-8")), running_here=False)
    asyncio.run(ask(address, "faults", {"action": "delay", "match": "*_order_v2", "options": {"seconds": seconds}}))


def wait_for_row(home: Path) -> None:
    """Wait until the attempt is on disk."""
    import time

    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if attempts(home):
                return
        except sqlite3.OperationalError:
            pass
        os.sched_yield()
    pytest.fail("no attempt was written")
