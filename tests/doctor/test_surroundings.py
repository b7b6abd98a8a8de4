"""What `doctor` says of the machine: the data directory, the pages' port, the browser, rules, commands and the host."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping

import pytest

from firmly_mcp.doctor.machine import _kind_of_device
from firmly_mcp.server.client_record import FILE, write_last_host
from tests.cli.person import at_a_terminal

from .conftest import Person

RULES = '[USD]\nask_above = "10"\nask_above_a_day = "20"\n'


def test_a_directory_that_others_can_look_into_is_wrong(person: Person) -> None:
    data = person.settings.data_dir
    data.mkdir(mode=0o700)
    data.chmod(0o755)
    answer = person.doctor()
    assert (answer.code, answer.failed) == (1, ["data directory"])
    assert answer["data directory"].fix == f"chmod 700 {data}"
    data.chmod(0o700)
    assert person.doctor()["data directory"].state == "ok"


def test_a_directory_that_cannot_be_written_is_wrong(person: Person) -> None:
    data = person.settings.data_dir
    data.write_text("a file in its place", "utf-8")
    answer = person.doctor()
    assert answer.failed == ["data directory"]
    assert "FIRMLY_MCP_DATA_DIR=DIRECTORY" in answer["data directory"].fix


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_another_user_is_wrong(person: Person) -> None:
    data = person.settings.data_dir
    data.mkdir(mode=0o700)
    os.chown(data, 12345, 12345)
    answer = person.doctor()
    assert "belongs to another user (number 12345)" in answer["data directory"].says


def test_the_kind_of_a_file_system_is_the_kernels_own_word() -> None:
    mounts = [
        "22 27 0:21 / /proc rw,relatime - proc proc rw",
        "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue",
        "41 27 0:52 / /home rw shared:7 master:2 propagate_from:3 - nfs4 server:/home rw,vers=4.2",
    ]
    assert _kind_of_device(mounts, "0:52") == "nfs4"
    assert _kind_of_device(mounts, "98:0") == "ext3"
    assert _kind_of_device(mounts, "8:1") == ""


def test_a_port_that_another_program_has_is_wrong(person: Person) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        not_accepted = person.with_variables(FIRMLY_MCP_PAGES_PORT=port).doctor()
        assert not_accepted["pages"].state == not_accepted["accepted"].state == "warning"
        assert "Not accepted: pages_port." in not_accepted["pages"].says
        assert not_accepted["pages"].fix.endswith(" rules accept")
        accept(person.with_variables(FIRMLY_MCP_PAGES_PORT=port))
        answer = person.with_variables(FIRMLY_MCP_PAGES_PORT=port).doctor()
    assert answer.failed == ["pages"]
    assert f"port {port} of 127.0.0.1" in answer["pages"].says
    assert answer["pages"].fix == "FIRMLY_MCP_PAGES_PORT=0, or a port that is free"
    assert person.with_variables(FIRMLY_MCP_PAGES_PORT=port).doctor()["pages"].state == "ok"


@pytest.mark.parametrize(
    ("variables", "state", "says"),
    [
        ({"FIRMLY_MCP_OPEN_PAGES": "false"}, "ok", "open_pages is false"),
        ({"FIRMLY_MCP_OPEN_PAGES": "true"}, "warning", "there is no display"),
        (
            {"FIRMLY_MCP_OPEN_PAGES": "true", "DISPLAY": ":0", "PATH": "/x"},
            "warning",
            "xdg-open is not installed",
        ),
        (
            {"FIRMLY_MCP_OPEN_PAGES": "true", "WSL_DISTRO_NAME": "Debian", "PATH": "/nowhere"},
            "warning",
            "wslview is not installed",
        ),
    ],
)
def test_where_no_page_can_open_the_command_is_told(
    person: Person, variables: Mapping[str, str], state: str, says: str
) -> None:
    answer = person.with_variables(**variables).doctor()
    assert answer["browser"].state == state
    assert says in answer["browser"].says
    assert answer.code == 0
    if state == "warning":
        assert answer["browser"].fix.startswith("Approve orders with: ")


def test_what_would_open_a_page_is_named(person: Person) -> None:
    program = person.home / "bin" / "xdg-open"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n", "utf-8")
    program.chmod(0o755)
    answer = person.with_variables(
        FIRMLY_MCP_OPEN_PAGES="true", DISPLAY=":0", PATH=f"{program.parent}:{os.environ['PATH']}"
    ).doctor()
    assert answer["browser"].says == f"Pages open with {program}."


@pytest.mark.parametrize(
    ("text", "state", "says"),
    [
        (None, "ok", "None are written"),
        ('[USD]\nrefuse_above = "1"', "ok", "can be used."),
        (RULES, "warning", "no cvv_command is set"),
        ('[USD.cards.Vias]\nrefuse_above = "1"', "warning", "USD.cards.Vias: no card has this label"),
        ('[stores]\nrefused = ["luma.gfit"]', "warning", "luma.gfit was not seen here yet"),
        ('[UDS]\nrefuse_above = "1"', "failed", "UDS is no currency"),
        ("[USD", "failed", "not valid TOML"),
        ('[USD]\nask_abov = "1"', "failed", "line 2"),
        ('[USD]\nask_above = "9"\nrefuse_above = "1"', "failed", "contradict"),
    ],
)
def test_rules_that_cannot_be_used_are_named_by_their_line(
    person: Person, text: str | None, state: str, says: str
) -> None:
    file = person.home / "rules.toml"
    if text is not None:
        file.write_text(text, "utf-8")
    answer = person.doctor()
    assert answer["rules"].state == state
    assert says in answer["rules"].says
    assert answer.failed == (["rules"] if state == "failed" else [])
    if state == "failed":
        assert answer["rules"].fix.startswith(f"Correct {file}, then: ")


def test_a_rules_file_that_is_named_and_missing_is_wrong(person: Person) -> None:
    (person.home / "rules.toml").unlink()
    answer = person.doctor()
    assert answer.failed == ["rules"]
    assert "which does not exist" in answer["rules"].says


def test_what_nobody_accepted_stops_orders_where_money_moves(person: Person) -> None:
    (person.home / "rules.toml").write_text(RULES, "utf-8")
    sandbox = person.with_variables(FIRMLY_MCP_ENVIRONMENT="sandbox", FIRMLY_APP_ID="app-123456")
    answer = sandbox.doctor("--offline")
    assert answer.failed == ["pin", "accepted"]
    assert answer["accepted"].says.startswith("Nobody accepted environment, app_id, ")
    assert answer["accepted"].fix.endswith(" rules accept")
    assert answer["api"].state == answer["payment"].state == "skipped"
    assert "app-123456" not in answer.text.replace("FIRMLY_APP_ID=app-123456", "")


@pytest.mark.parametrize("kind", ["cvv_command", "card_command"])
def test_a_command_that_is_missing_or_that_others_can_change_is_wrong(person: Person, kind: str) -> None:
    program, ran = person.home / "prints", person.home / "ran"
    config = person.home / "config.toml"
    config.write_text(f"{kind} = {json.dumps([str(program)])}\n", "utf-8")
    configured = person.with_variables(FIRMLY_MCP_CONFIG=str(config))
    answer = configured.doctor()
    assert answer.failed == [kind]
    assert f"{program} is not there" in answer[kind].says
    program.write_text(f"#!/bin/sh\n: > {ran}\n", "utf-8")
    program.chmod(0o777)
    assert configured.doctor()[kind].fix == f"chmod go-w {program}"
    program.chmod(0o700)
    assert configured.doctor()[kind].state == "ok"
    assert not ran.exists()


def test_what_the_host_declared_is_told_in_a_sentence_each(person: Person) -> None:
    data = person.settings.data_dir
    words = ("a-host", "1.2", "2026-07-28")
    write_last_host(data, words, "stdio", ("elicitation.form", "elicitation.url", "sampling"))
    answer = person.doctor()
    assert answer["host"].says.startswith("a-host 1.2 spoke MCP 2026-07-28 over standard input and output, last on ")
    assert answer["host links"].says.startswith("It can show you a link")
    assert answer["host forms"].says.startswith("It can show forms; none is used")
    assert "it offers sampling, which is not needed" in answer["host progress"].says
    write_last_host(data, ("", "", "2026-07-28"), "http", ())
    answer = person.doctor()
    assert answer["host"].says.startswith("A host without a name spoke MCP 2026-07-28 over HTTP")
    assert answer["host links"].says.startswith("It shows no links")
    assert answer["host forms"].says == "It shows no forms, and none is needed."
    assert answer.code == 0


def test_a_record_of_a_host_that_is_spoilt_is_none(person: Person) -> None:
    data = person.settings.data_dir
    data.mkdir(mode=0o700)
    (data / FILE).write_text('{"name": "\\u001b[31m', "utf-8")
    assert person.doctor()["host"].state == "skipped"


def accept(person: Person) -> None:
    """Accept what counts only then, as a person at a terminal."""
    with at_a_terminal("rules", "accept", environment=dict(person.environment)) as terminal:
        terminal.answer("Type accept to accept all of this, or no to leave it: ", "accept")
        assert terminal.end() == 0, terminal.screen
