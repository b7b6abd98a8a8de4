"""A person looks at their rules, checks a file, asks what an order would meet, and accepts what changed."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import pytest
from pydantic import SecretStr

from firmly_mcp.app import open_services
from firmly_mcp.settings import PAGES_AT, command_line, read_settings
from tests.proofs import BY_PERSON
from tests.secret_service import SecretService

from .person import an_environment, at_a_terminal, in_a_script
from .test_cards import a_given_card

PIN = "8305-7"
ASK = "Type accept to accept all of this, or no to leave it: "
TYPE_PIN = "Approval PIN (not shown): "
RULES = """\
[USD]
ask_above = "50.00"
ask_above_a_day = "100"
refuse_above = "500"
pin_above = "20"
[USD.stores."luma.gift"]
refuse_above_a_week = "250"
[USD.cards.Visa]
ask_above = "10"
[stores]
refused = ["bad.example"]
cooling_off = "24h"
[addresses]
cooling_off = "7d"
[orders]
largest_quantity = 3
place_order = false
[hours]
zone = "Europe/Berlin"
from = "08:00"
to = "22:00"
"""

Done = subprocess.CompletedProcess[str]


@pytest.fixture
def sandbox(keyring_bus: SecretService, tmp_path: Path) -> dict[str, str]:
    """A person whose orders would go to the sandbox."""
    more = {"FIRMLY_MCP_ENVIRONMENT": "sandbox", "FIRMLY_APP_ID": "app-1"}
    return an_environment(keyring_bus.bus, tmp_path, FIRMLY_MCP_RULES=str(tmp_path / "rules.toml"), **more)


def set_pin(environment: dict[str, str]) -> None:
    async def act() -> None:
        async with open_services(read_settings(environment)) as services:
            await (await services.vault()).pin.set(SecretStr(PIN), BY_PERSON)

    anyio.run(act)


def rules(environment: dict[str, str], *arguments: str) -> Done:
    return in_a_script("rules", *arguments, environment=environment)


def accept(environment: dict[str, str]) -> None:
    """What a person does at the terminal."""
    with at_a_terminal("rules", "accept", environment=environment) as terminal:
        terminal.answer(ASK, "accept")
        terminal.answer(TYPE_PIN, PIN)
        assert terminal.end() == 0


def counts(environment: dict[str, str]) -> dict[str, str]:
    """Whether each setting is accepted, as it is shown; where the pages are has tests of its own."""
    shown = json.loads(rules(environment, "show", "--json").stdout)
    return {row["setting"]: row["accepted"] for row in shown["settings"] if row["setting"] not in PAGES_AT}


def test_a_person_accepts_what_they_were_shown_and_later_only_what_changed(
    sandbox: dict[str, str], tmp_path: Path
) -> None:
    set_pin(sandbox)
    file = tmp_path / "rules.toml"
    file.write_text(RULES, "utf-8")
    assert set(counts(sandbox).values()) == {"no"}
    with at_a_terminal("rules", "accept", environment=sandbox) as terminal:
        terminal.answer(ASK, "accept")
        terminal.answer(TYPE_PIN, "9416")
        terminal.until("4 tries are left")
        terminal.answer(TYPE_PIN, PIN)
        terminal.until("start it anew")
        assert terminal.end() == 0
    assert '+ environment   "sandbox"\n+ app_id        "app-1"\n' in terminal.lines
    assert "+ cvv_command   (not set)\n" in terminal.lines
    assert '+ ask_above = "50.00"\n' in terminal.lines
    assert PIN not in terminal.screen
    assert set(counts(sandbox).values()) == {"yes"}

    file.write_text(RULES.replace('"500"', '"900"'), "utf-8")
    assert counts(sandbox) == dict.fromkeys(counts(sandbox), "yes") | {"rules": "no"}
    with at_a_terminal("rules", "accept", environment=sandbox) as terminal:
        terminal.answer(ASK, "accept")
        terminal.answer(TYPE_PIN, PIN)
        assert terminal.end() == 0
    assert '  ask_above_a_day = "100"\n- refuse_above = "500"\n+ refuse_above = "900"\n' in terminal.lines
    assert '  app_id        "app-1"\n' in terminal.lines
    assert "start it anew" not in terminal.lines
    assert set(counts(sandbox).values()) == {"yes"}
    again = rules(sandbox, "accept")
    assert (again.returncode, again.stderr) == (0, "Nothing changed since it was accepted.\n")


def test_a_no_and_a_locked_pin_accept_nothing(sandbox: dict[str, str]) -> None:
    set_pin(sandbox)
    with at_a_terminal("rules", "accept", environment=sandbox) as terminal:
        for slip in ("yes", "", "acept"):
            terminal.answer(ASK, slip)
            terminal.until("That is neither accept nor no.")
        terminal.answer(ASK, "no")
        assert terminal.end() == 1
    assert "Nothing was accepted." in terminal.lines
    with at_a_terminal("rules", "accept", environment=sandbox) as terminal:
        terminal.until(ASK)
        terminal.type("\x04")
        assert terminal.end() == 1
    assert "No answer came. Nothing was accepted." in terminal.lines
    with at_a_terminal("rules", "accept", environment=sandbox) as terminal:
        terminal.answer(ASK, "accept")
        for _ in range(5):
            terminal.answer(TYPE_PIN, "9416")
        assert terminal.end() == 1
    assert "locked" in terminal.lines
    assert set(counts(sandbox).values()) == {"no"}


def test_no_program_can_accept(sandbox: dict[str, str]) -> None:
    set_pin(sandbox)
    done = in_a_script("rules", "accept", environment=sandbox, given=f"accept\n{PIN}\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "firmly-mcp: Accepting rules and settings needs a terminal, and this program has none. Nothing was sent or "
        "changed.\n"
    )
    assert set(counts(sandbox).values()) == {"no"}


def test_without_a_pin_the_command_that_sets_it_is_told(sandbox: dict[str, str]) -> None:
    with at_a_terminal("rules", "accept", environment=sandbox) as terminal:
        assert terminal.end() == 1
    assert command_line(read_settings(sandbox), "pin", "set") in terminal.lines


def test_rules_that_are_wrong_cannot_be_accepted(sandbox: dict[str, str], tmp_path: Path) -> None:
    set_pin(sandbox)
    (tmp_path / "rules.toml").write_text('[USD]\nask_abov = "5"\n', "utf-8")
    with at_a_terminal("rules", "accept", environment=sandbox) as terminal:
        assert terminal.end() == 1
    assert "line 2: USD.ask_abov is no rule" in terminal.lines


def test_no_line_can_hide_itself_or_another(sandbox: dict[str, str], tmp_path: Path) -> None:
    set_pin(sandbox)
    (tmp_path / "rules.toml").write_text('[USD]\n# up\u202e\u2066\u200b\nask_above = "9999"\n', "utf-8")
    with at_a_terminal("rules", "accept", environment=sandbox) as terminal:
        terminal.answer(ASK, "no")
        terminal.end()
    assert "+ # up\\u202e\\u2066\\u200b\n" in terminal.lines
    assert '+ ask_above = "9999"\n' in terminal.lines


def test_what_was_accepted_before_and_is_lost_is_said(sandbox: dict[str, str], tmp_path: Path) -> None:
    set_pin(sandbox)
    (tmp_path / "rules.toml").write_text(RULES, "utf-8")
    with at_a_terminal("rules", "accept", environment=sandbox) as terminal:
        terminal.answer(ASK, "accept")
        terminal.answer(TYPE_PIN, PIN)
        assert terminal.end() == 0
    for file in (tmp_path / "data" / "accepted").iterdir():
        file.unlink()
    (tmp_path / "rules.toml").write_text("", "utf-8")
    with at_a_terminal("rules", "accept", environment=sandbox) as terminal:
        terminal.answer(ASK, "no")
        terminal.end()
    assert "What was accepted before is not known any more" in terminal.lines
    assert "+ (no rules: every order asks a person)\n" in terminal.lines


def test_in_the_simulator_there_is_nothing_to_accept(keyring_bus: SecretService, tmp_path: Path) -> None:
    environment = an_environment(keyring_bus.bus, tmp_path, FIRMLY_MCP_RULES=str(tmp_path / "rules.toml"))
    done = rules(environment, "accept")
    words = "In the simulator environment no money moves, and everything counts as it stands.\n"
    assert (done.returncode, done.stderr) == (0, words)
    shown = rules(environment, "show")
    assert words in shown.stderr
    assert "No rules are written in" in shown.stderr
    assert set(counts(environment).values()) == {"not needed"}


def test_settings_are_shown_with_who_said_them_and_rules_in_words(sandbox: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('app_id = "app-2"\ncvv_command = ["pass", "cvv"]\n', "utf-8")
    (tmp_path / "rules.toml").write_text(RULES, "utf-8")
    shown = json.loads(rules(sandbox | {"FIRMLY_MCP_CONFIG": str(config)}, "show", "--json").stdout)
    said = {row["setting"]: (row["value"], row["said_by"]) for row in shown["settings"]}
    assert said["app_id"] == ('"app-1"', "FIRMLY_APP_ID")
    assert said["cvv_command"] == ('["pass", "cvv"]', str(config))
    assert said["card_command"] == ("(not set)", "default")
    assert {row["rule"]: row["means"] for row in shown["rules"]} == {
        "USD.ask_above": "An order above 50.00 USD is asked about.",
        "USD.ask_above_a_day": "More than 100.00 USD in 24 hours is asked about.",
        "USD.refuse_above": "An order above 500.00 USD is refused.",
        'USD.stores."luma.gift".refuse_above_a_week': "More than 250.00 USD in 7 days at luma.gift is refused.",
        "USD.cards.Visa.ask_above": "An order above 10.00 USD with the card Visa is asked about.",
        "USD.pin_above": "A yes to at most 20.00 USD needs no PIN.",
        "stores.refused": "Orders at these stores are refused: bad.example.",
        "stores.cooling_off": "A new store is asked about until 24 hours after the first order there.",
        "addresses.cooling_off": "A new address is asked about until 7 days after the first order to it.",
        "orders.largest_quantity": "More than 3 of one thing is refused.",
        "orders.place_order": "The tool place_order is refused; complete_order orders the cart.",
        "hours": "An order outside of 08:00 to 22:00 in Europe/Berlin asks a person.",
    }
    with at_a_terminal("rules", "show", environment=sandbox) as terminal:
        assert terminal.end() == 0
    assert command_line(read_settings(sandbox), "rules", "accept") in terminal.lines.replace("\n", "")


def test_a_file_is_checked_with_the_line_that_is_wrong(sandbox: dict[str, str], tmp_path: Path) -> None:
    mine = rules(sandbox, "check")
    empty = f"{tmp_path / 'rules.toml'}: no rules are written in it, so every order asks a person.\n"
    assert (mine.returncode, mine.stdout) == (0, empty)
    usual = rules({**sandbox, "FIRMLY_MCP_RULES": ""}, "check")
    assert usual.returncode == 0
    assert usual.stdout.endswith("rules.toml, so every order asks a person.\n")
    other = tmp_path / "other.toml"
    other.write_text('[USD]\nrefuse_above = "500"\n', "utf-8")
    assert rules(sandbox, "check", str(other)).stdout == f"{other}: ok.\n"
    other.write_text(RULES + "[EUR]\nask_above = 1\nask_abov = 2\n", "utf-8")
    wrong = rules(sandbox, "check", str(other))
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "line 24: EUR.ask_abov is no rule" in wrong.stderr
    for missing in (tmp_path / "none.toml", tmp_path):
        assert rules(sandbox, "check", str(missing)).returncode == 1


def test_a_rules_file_that_is_named_and_missing_stops_check_show_and_accept(sandbox: dict[str, str]) -> None:
    file = Path(sandbox["FIRMLY_MCP_RULES"])
    file.unlink()
    set_pin(sandbox)
    for command in ("check", "show"):
        done = rules(sandbox, command)
        assert done.returncode == 1
        assert f"names {file}, which does not exist. Orders are blocked" in done.stderr
    with at_a_terminal("rules", "accept", environment=sandbox) as terminal:
        assert terminal.end() == 1
    assert "which does not exist" in terminal.lines


NAMELESS = """\
[USD]
ask_above = "50"
ask_above_a_day = "100"
[USD.cards."Test-Vsia"]
ask_above = "10"
[USD.cards."TEST-VISA"]
ask_above = "10"
[stores]
refused = ["staging.luma.gitf"]
"""


def test_a_label_of_no_card_a_store_never_seen_and_a_yes_without_a_code_are_named(
    sandbox: dict[str, str], tmp_path: Path
) -> None:
    set_pin(sandbox)
    add = in_a_script("cards", "add", "--stdin", environment=sandbox, given=a_given_card(label="test-visa"))
    assert add.returncode == 0, add.stderr
    file = tmp_path / "rules.toml"
    file.write_text(NAMELESS, "utf-8")
    remarks = (
        "USD.cards.Test-Vsia: no card has this label, so it limits nothing",
        "stores.refused: staging.luma.gitf was not seen here yet",
        "no cvv_command is set that prints the card's security code",
    )
    check = rules(sandbox, "check")
    assert check.returncode == 0
    assert check.stdout.startswith(f"{file}: can be read; look at this:\n- ")
    shown = rules(sandbox, "show")
    for remark in remarks:
        assert remark in check.stdout
        assert remark in shown.stderr
    assert "TEST-VISA" not in check.stdout
    facts = json.loads(rules(sandbox, "check", "--json").stdout)
    assert (facts["usable"], len(facts["remarks"])) == (True, 3)
    assert json.loads(rules(sandbox, "show", "--json").stdout)["remarks"] == facts["remarks"]
    with at_a_terminal("rules", "accept", environment=sandbox) as terminal:
        terminal.until("Look at this: USD.cards.Test-Vsia")
        terminal.answer(ASK, "no")
        terminal.end()


def test_a_currency_that_does_not_exist_blocks_and_is_named_with_the_one_that_was_meant(
    sandbox: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "rules.toml").write_text('[UDS]\nrefuse_above = "5.00"\n', "utf-8")
    for command in ("check", "show"):
        done = rules(sandbox, command)
        assert done.returncode == 1
        assert "line 1: UDS is no currency" in done.stderr
        assert "(did you mean USD?)" in done.stderr


def test_what_an_order_would_meet_is_shown_rule_by_rule(keyring_bus: SecretService, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('rules_file = "rules.toml"\ncvv_command = ["echo", "123"]\n', "utf-8")
    environment = an_environment(keyring_bus.bus, tmp_path, FIRMLY_MCP_CONFIG=str(config))
    (tmp_path / "rules.toml").touch()
    assert "is refused, by card: There is no card" in rules(
        environment, "explain", "--store", "luma.gift", "--total", "1"
    ).stderr  # fmt: skip
    in_a_script("cards", "add", "--stdin", environment=environment, given=a_given_card(label="Visa"))
    (tmp_path / "rules.toml").write_text(
        '[USD]\nask_above = "50"\nask_above_a_day = "80"\nrefuse_above = "90"', "utf-8"
    )

    def explained(*arguments: str) -> tuple[str, set[tuple[str, str]]]:
        done = rules(environment, "explain", "--store", "luma.gift", "--json", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stderr, {(row["rule"], row["verdict"]) for row in json.loads(done.stdout)}

    said, steps = explained("--total", "49.99")
    assert said.startswith("Such an order is allowed without asking, by USD.ask_above")
    assert said.endswith("The call has to give max_total, 49.99 or more.\n")
    assert {("USD.refuse_above", "holds"), ("doubt", "holds"), ("addresses.unknown", "holds")} <= steps
    said, steps = explained("--total", "50.01")
    assert said.startswith("Such an order is asked about, by USD.ask_above: ")
    assert ("USD.ask_above", "ask") in steps
    assert "allow" not in {verdict for _, verdict in steps}
    assert explained("--total", "90.01")[0].startswith("Such an order is refused, by USD.refuse_above: ")
    assert ("repeat", "ask") in explained("--total", "1", "--repeat")[1]
    assert "asked about" in explained("--total", "1", "--currency", "eur")[0]
    assert not (tmp_path / "data" / "simulator").exists(), "nothing is asked of anybody"
    misspelled = rules(environment, "explain", "--store", "https://luma.gift", "--total", "1")
    assert (misspelled.returncode, misspelled.stdout) == (1, "")
    no_currency = rules(environment, "explain", "--store", "luma.gift", "--total", "1", "--currency", "uds")
    assert "Did you mean USD?" in no_currency.stderr
    config.write_text('rules_file = "rules.toml"\n', "utf-8")
    said, steps = explained("--total", "49.99")
    assert said.startswith("Such an order is asked about, by security_code: Your rules allow it, and no cvv_command")
    assert ("security_code", "ask") in steps
    assert "allow" not in {verdict for _, verdict in steps}
    config.write_text('rules_file = "rules.toml"\ncvv_command = ["./none"]\n', "utf-8")
    said, _ = explained("--total", "49.99")
    assert said.startswith(
        f"Such an order is refused, by security_code: Your rules allow it, and the cvv_command {tmp_path}"
    )
    for wrong in (["--total", "x"], ["--total", "1", "--currency", "dollars"], ["--total", "1", "--card", "none"]):
        assert rules(environment, "explain", "--store", "luma.gift", *wrong).returncode in {1, 2}


def test_an_order_is_explained_with_the_rules_that_count(sandbox: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text('[USD]\nask_above = "50"\nask_above_a_day = "80"\n', "utf-8")
    in_a_script("cards", "add", "--stdin", environment=sandbox, given=a_given_card(label="Visa"))

    def explained() -> str:
        return rules(sandbox, "explain", "--store", "luma.gift", "--total", "1").stderr

    assert "Such an order is refused, by pin: " in explained()
    set_pin(sandbox)
    assert "Such an order is refused, by not_accepted: " in explained()
    accept(sandbox)
    (tmp_path / "rules.toml").write_text('[USD]\nask_above = "60"\nask_above_a_day = "80"\n', "utf-8")
    assert "Such an order is asked about, by unaccepted: Nobody has accepted your rules as now written" in explained()
    accept(sandbox)
    assert "Such an order is asked about, by security_code: " in explained()


@pytest.fixture
def elsewhere(keyring_bus: SecretService, tmp_path: Path) -> dict[str, str]:
    """A person on the simulator, in whose environment a project has set where pages are."""
    (tmp_path / "rules.toml").touch()
    return an_environment(
        keyring_bus.bus,
        tmp_path,
        FIRMLY_MCP_RULES=str(tmp_path / "rules.toml"),
        FIRMLY_MCP_PAGES_URL="https://elsewhere.example",
        FIRMLY_MCP_PAGES_PORT=str(free_port()),
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def the_link(environment: dict[str, str], caplog: pytest.LogCaptureFixture) -> tuple[str, list[str]]:
    """Where a card would be typed, and what is logged of it."""

    async def act() -> str:
        async with open_services(read_settings(environment)) as services:
            return (await (await services.pages()).card_form()).link

    caplog.clear()
    return anyio.run(act), [record.getMessage() for record in caplog.records]


def test_pages_are_at_this_machines_own_address_until_another_is_accepted_on_the_simulator_too(
    elsewhere: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    link, logged = the_link(elsewhere, caplog)
    assert urlsplit(link).hostname == "127.0.0.1"
    assert urlsplit(link).port != int(elsewhere["FIRMLY_MCP_PAGES_PORT"])
    (said,) = logged
    assert "Not accepted: pages_url, pages_port." in said
    assert "rules accept` in a terminal" in said
    shown = json.loads(rules(elsewhere, "show", "--json").stdout)
    standing = {row["setting"]: (row["value"], row["said_by"], row["accepted"]) for row in shown["settings"]}
    assert standing["pages_url"] == ('"https://elsewhere.example"', "FIRMLY_MCP_PAGES_URL", "no")
    assert standing["pages_bind"] == ("(not set)", "default", "not needed")
    assert standing["environment"][2] == "not needed"
    in_a_pipe = rules(elsewhere, "accept", "--json")
    assert (in_a_pipe.returncode, json.loads(in_a_pipe.stderr)["error"]["code"]) == (1, "not_allowed")
    assert "needs a terminal" in in_a_pipe.stderr
    with at_a_terminal("rules", "accept", environment=elsewhere) as terminal:
        terminal.answer(ASK, "accept")
        assert terminal.end() == 0
    assert '+ pages_url     "https://elsewhere.example"\n' in terminal.lines
    link, logged = the_link(elsewhere, caplog)
    assert (link.startswith("https://elsewhere.example/open/"), logged) == (True, [])
    again = rules(elsewhere, "accept")
    assert (again.returncode, again.stderr) == (0, "Nothing changed since it was accepted.\n")
    link, logged = the_link(elsewhere | {"FIRMLY_MCP_PAGES_URL": "https://other.example"}, caplog)
    assert (urlsplit(link).hostname, len(logged)) == ("127.0.0.1", 1)


def test_where_a_pin_is_set_another_address_of_the_pages_takes_it(
    elsewhere: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    set_pin(elsewhere)
    with at_a_terminal("rules", "accept", environment=elsewhere) as terminal:
        terminal.answer(ASK, "accept")
        terminal.answer(TYPE_PIN, "9416")
        terminal.until("4 tries are left")
        assert urlsplit(the_link(elsewhere, caplog)[0]).hostname == "127.0.0.1"
        terminal.answer(TYPE_PIN, PIN)
        assert terminal.end() == 0
    assert the_link(elsewhere, caplog)[0].startswith("https://elsewhere.example/open/")
