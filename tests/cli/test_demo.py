import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.documents import ROOT, text_of
from tests.raw_server import environment
from tests.secret_service import SecretService


def demo(home: Path, *arguments: str, bus: str | None = None) -> subprocess.CompletedProcess[str]:
    variables = environment(home, bus=bus or "unix:path=/nonexistent/bus")
    return subprocess.run(
        [sys.executable, "-m", "firmly_mcp", "demo", *arguments],
        capture_output=True,
        text=True,
        env=variables,
        cwd=ROOT,
        timeout=60,
        check=False,
    )


def events(shown: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in shown.stdout.splitlines()]


@pytest.fixture(scope="module")
def in_memory(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """The demo on a machine without a keyring, as JSON lines."""
    return demo(tmp_path_factory.mktemp("home"), "--json")


def test_the_demo_ends_well_and_the_books_agree_with_what_was_shown(
    in_memory: subprocess.CompletedProcess[str],
) -> None:
    assert in_memory.returncode == 0, in_memory.stdout + in_memory.stderr
    told = {event["event"]: event for event in events(in_memory)}
    assert told["verdict"] == {"event": "verdict", "agree": True} | {
        "order_number": told["books"]["charges"][0]["order_number"],
        "total": "53.40 USD",
    }
    assert len(told["books"]["charges"]) == 1
    assert told["model_saw"]["card_number"] is False


def test_the_demo_shows_live_progress_between_the_call_and_its_result(
    in_memory: subprocess.CompletedProcess[str],
) -> None:
    kinds = [
        (event["event"], event.get("tool"))
        for event in events(in_memory)
        if event["event"] in {"call", "progress", "result"}
    ]
    begun, ended = kinds.index(("call", "place_order")), kinds.index(("result", "place_order"))
    between = kinds[begun + 1 : ended]
    assert len(between) >= 5
    assert set(between) == {("progress", None)}


def test_the_chat_in_the_readme_has_the_amounts_of_the_demo(in_memory: subprocess.CompletedProcess[str]) -> None:
    chat = text_of(ROOT / "README.md").partition("## A purchase\n")[2].partition("\n## ")[0]
    amounts = set(re.findall(r"\d+\.\d\d", chat))
    assert amounts == {"22.00", "44.00", "5.00", "4.40", "53.40"}
    assert [amount for amount in amounts if f"{amount} USD" not in in_memory.stdout] == []
    assert "Radiant Tee" in chat


def test_what_firmly_received_is_a_jwe_of_five_parts(in_memory: subprocess.CompletedProcess[str]) -> None:
    received = next(event for event in events(in_memory) if event["event"] == "firmly_received")
    (request,) = received["requests"]
    assert set(request["protected_header"]) == {"alg", "enc", "kid"}
    assert len(request["part_lengths"]) == 5


def test_without_a_keyring_the_demo_says_that_the_card_is_in_memory(
    in_memory: subprocess.CompletedProcess[str],
) -> None:
    note = next(event for event in events(in_memory) if event["event"] == "note")
    assert "memory" in note["words"]


def test_with_a_keyring_the_demo_uses_it_and_leaves_nothing_there(
    tmp_path: Path, keyring_daemon: SecretService
) -> None:
    shown = demo(tmp_path, bus=keyring_daemon.bus.address)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "memory instead" not in shown.stdout
    assert "the books agree" in shown.stdout
    assert not any("/demo-" in name for name in kept_names(keyring_daemon))
    assert not list(Path(tmp_path).rglob("*.sqlite3"))


def kept_names(service: SecretService) -> list[str]:
    """The names of all entries of ours in a keyring."""
    from contextlib import closing

    import secretstorage
    from jeepney.io.blocking import open_dbus_connection

    with closing(open_dbus_connection(service.bus.address)) as connection:
        items = secretstorage.search_items(connection, {"service": "firmly-mcp"})
        return [item.get_attributes()["username"] for item in items]
