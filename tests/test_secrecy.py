"""One canary card goes through everything; then every byte that was produced is searched for it."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.person import at_a_terminal, type_address
from tests.raw_server import environment, raw_server
from tests.secret_service import SecretService
from tests.server.test_stdio import attempts, fill_cart, slow_down, wait_for_row
from tests.shop import RULES, STORE, TEE

CANARY = "4012888888881881"
DECLINED = "4000000000000002"
CODE = "123"
ADDRESS = {
    "label": "home",
    "first_name": "Ana",
    "last_name": "Lima",
    "email": "ana@example.com",
    "phone": "206-555-0100",
    "address1": "1 Test Street",
    "city": "Seattle",
    "state_or_province": "WA",
    "postal_code": "98101",
    "country": "US",
}
# The code is written down nowhere, so that it can be looked for everywhere.
CVV_COMMAND = (sys.executable, "-m", "firmly_mcp.simulator.security_code")
# A JWE's protected header as Firmly's cards have it, in base64url: `{"alg":"RSA-OAEP-256"`.
JWE = b"eyJhbGciOiJSU0EtT0FFUC0yNTYi"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    config = tmp_path / ".config" / "firmly-mcp" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f"cvv_command = {json.dumps(list(CVV_COMMAND))}\n", "utf-8")
    (config.parent / "rules.toml").write_text(RULES, "utf-8")
    (tmp_path / "tmp").mkdir()
    return tmp_path


@pytest.fixture
def variables(home: Path, keyring_daemon: SecretService) -> dict[str, str]:
    extra = {"TMPDIR": str(home / "tmp"), "FIRMLY_MCP_SHOPPER": "canary"}
    return environment(home, bus=keyring_daemon.bus.address, **extra)


def run(variables: dict[str, str], *arguments: str, entry: dict[str, str] | None = None) -> bytes:
    """A command of ours; all that it wrote, whether it went well or not."""
    done = subprocess.run(
        [sys.executable, "-m", "firmly_mcp", *arguments],
        input=json.dumps(entry).encode() if entry else b"",
        capture_output=True,
        env=variables,
        cwd=Path(__file__).parents[1],
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


def at_the_terminal(variables: dict[str, str]) -> bytes:
    """The person adds their own address, to which rules may let orders go; what stood on the screen."""
    with at_a_terminal("addresses", "add", environment=variables) as terminal:
        type_address(terminal, ADDRESS)
        assert terminal.end() == 0, terminal.screen
    return terminal.screen.encode()


def card(label: str, number: str) -> dict[str, str]:
    return {
        "label": label,
        "number": number,
        "name": "Ana Lima",
        "month": "12",
        "year": "2034",
        "billing_address": "home",
    }


def written_files(home: Path) -> Iterator[tuple[Path, bytes]]:
    for folder, _, names in os.walk(home):
        for name in names:
            path = Path(folder) / name
            if path.is_file():
                yield path, path.read_bytes()


def test_a_card_number_is_nowhere_but_in_the_keyring(home: Path, variables: dict[str, str]) -> None:
    produced = [
        at_the_terminal(variables),
        run(variables, "cards", "add", "--stdin", entry=card("good", CANARY)),
        run(variables, "cards", "add", "--stdin", entry=card("good", CANARY)),
        run(variables, "cards", "add", "--stdin", entry=card("declined", DECLINED)),
        run(variables, "cards", "add", "--stdin", entry=card("typo", CANARY[:-1] + "2")),
        run(variables, "cards", "list"),
        run(variables, "cards", "list", "--json"),
    ]
    with raw_server(variables) as server:
        server.initialize()
        listed = server.call("list_payment_cards")["structuredContent"]["cards"]
        assert [entry["last_four"] for entry in listed] == ["1881", "0002"]
        fill_cart(server)
        refused = server.call("complete_order", store=STORE, card="declined")["structuredContent"]
        assert refused["status"] == "not_placed"
        placed = server.call("complete_order", store=STORE, card="good")["structuredContent"]
        assert placed["status"] == "placed"
        server.call("get_cart", store=CANARY)
        server.call("place_order", store=STORE, items=[{"ref": TEE}], card=CANARY)
        fill_cart(server)
        server.call("update_line_item", store=STORE, line_item_id="x", quantity=3)
        slow_down(home)
        server.begin(
            "tools/call", server.calling("place_order", store=STORE, items=[{"ref": "MH07-XS-Gray"}], card="good")
        )
        wait_for_third(home)
        server.signal(signal.SIGKILL)
        produced.append(server.written)
    produced.append(run(variables, "cards", "remove", "good"))
    everything = [(f"output {number}", output) for number, output in enumerate(produced)]
    everything += [(str(path), content) for path, content in written_files(home)]
    everything += [(str(path), content) for path, content in temporary_files()]
    assert len(everything) > 10
    for number in (CANARY, DECLINED):
        spaced = re.compile(rb"[ -]?".join(digit.encode() for digit in number))
        for name, content in everything:
            assert not spaced.search(content), name
    for name, content in everything:
        assert JWE not in content, name
        assert f'"{CODE}"'.encode() not in content, name


def temporary_files() -> Iterator[tuple[Path, bytes]]:
    """What lies in the machine's own temporary directory and is ours."""
    # Other tests put theirs there too, and away again.
    for ours in Path(tempfile.gettempdir()).glob("firmly-mcp-*"):
        for folder, _, names in os.walk(ours):
            for path in (Path(folder, name) for name in names):
                with suppress(FileNotFoundError):
                    yield path, path.read_bytes()


def wait_for_third(home: Path) -> None:
    wait_for_row(home)
    while len(attempts(home)) < 3:
        os.sched_yield()


def test_a_traceback_with_all_its_variables_shows_no_card() -> None:
    from datetime import UTC, datetime

    from pydantic import SecretStr

    from firmly_mcp.errors import WalletError
    from firmly_mcp.wallet.cards import new_card

    try:
        new_card(
            label="x",
            number=SecretStr(CANARY[:-1] + "2"),
            name="Ana Lima",
            month="12",
            year="2034",
            environment="simulator",
            now=datetime.now(UTC),
        )
    except WalletError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    else:
        pytest.fail("a card without a check digit was taken")
    assert CANARY[:-1] not in shown


def test_the_journal_of_a_purchase_knows_a_card_by_its_last_four(home: Path, variables: dict[str, str]) -> None:
    extra = {**variables, "FIRMLY_MCP_SHOPPER": "journal"}
    at_the_terminal(extra)
    run(extra, "cards", "add", "--stdin", entry=card("good", CANARY))
    with raw_server(extra) as server:
        server.initialize()
        fill_cart(server)
        assert server.call("complete_order", store=STORE)["structuredContent"]["status"] == "placed"
        server.close_input()
    with sqlite3.connect(home / ".local" / "share" / "firmly-mcp" / "journal.sqlite3") as journal:
        rows = journal.execute("SELECT card_label, card_brand, card_last_four FROM attempts").fetchall()
    assert rows == [("good", "visa", "1881")]
