"""What was ordered, and how a person ends a doubt: as commands, in a script and at a terminal."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from firmly_mcp.app import open_services
from firmly_mcp.checkout.flow import Checkout
from firmly_mcp.checkout.models import Attempt
from firmly_mcp.settings import command_line
from tests.proofs import BY_PERSON, until_recorded
from tests.secret_service import SecretService
from tests.shop import STORE

from .assistant import Assistant, an_assistant, serving
from .person import at_a_terminal, in_a_script

Done = subprocess.CompletedProcess[str]
SETTLE = "Type settle to note this down, or no to leave it: "
ACCEPT = "Type accept to go on with this journal, or no to leave it: "
TYPE_PIN = "Approval PIN (not shown): "
PIN = "8305-7"


@pytest.fixture
def assistant(keyring_bus: SecretService, tmp_path: Path) -> Iterator[Assistant]:
    with an_assistant(tmp_path) as running:
        yield running


def orders(assistant: Assistant, *arguments: str) -> Done:
    return in_a_script("orders", *arguments, environment=assistant.environment)


def settled(assistant: Assistant, *arguments: str) -> str:
    """End a doubt as a person at a terminal; what they read."""
    with at_a_terminal("orders", "settle", *arguments, environment=assistant.environment) as terminal:
        terminal.answer(SETTLE, "settle")
        assert terminal.end() == 0, terminal.screen
    return terminal.lines


def sent(assistant: Assistant, quantity: int, *faults: str) -> Attempt:
    """An order that a person approved and that was sent, as its sender left it."""
    approval = assistant.asked(quantity=quantity)
    for fault in faults:
        assistant.fault(fault)

    async def approve(placement: Checkout) -> Attempt:
        placing = await placement.approve(await placement.review(approval), SecretStr("123"), BY_PERSON)
        await until_recorded(placement, placing)
        return placing

    return assistant.with_placement(approve)


def states(assistant: Assistant) -> dict[str, str]:
    """Each attempt's state, by its id, as the list tells them."""
    return {row["id"]: row["state"] for row in json.loads(orders(assistant, "list", "--json").stdout)}


def test_orders_are_listed_newest_first_for_a_pipe_a_program_and_a_person(assistant: Assistant) -> None:
    assert orders(assistant, "list").stdout == ""
    first, second = sent(assistant, 2), sent(assistant, 1, "reset-after-body")
    number = assistant.charges[0][0]
    listed = orders(assistant, "list")
    assert (listed.returncode, listed.stderr) == (0, "")
    rows = [line.split("\t") for line in listed.stdout.splitlines()]
    assert [row[0] for row in rows] == [second.id, first.id]
    assert rows[1][2:] == [STORE, "53.40 USD", "placed", number, "2 x Radiant Tee (Color: Orange, Size: XS)"]
    assert orders(assistant, "list", "--limit", "1").stdout.count("\n") == 1
    newest = json.loads(orders(assistant, "list", "--json").stdout)[0]
    assert (newest["id"], newest["state"], newest["order_number"]) == (second.id, "unknown", None)
    assert newest["reason"]
    with at_a_terminal("orders", "list", environment=assistant.environment) as terminal:
        assert terminal.end() == 0
    assert all(word in terminal.lines for word in ("Attempt", "State", "placed", "unknown"))


def test_settling_reads_what_became_of_doubts_and_sends_nothing(assistant: Assistant) -> None:
    nothing = orders(assistant, "settle")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, "", "No attempt is in doubt.\n")
    charged, left = sent(assistant, 2, "lose-answer"), sent(assistant, 1, "reset-after-body")
    done = orders(assistant, "settle")
    assert (done.returncode, done.stderr) == (0, "Still in doubt:\n")
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == [left.id]
    assert states(assistant) == {left.id: "unknown", charged.id: "placed"}
    assert assistant.orders_sent == 2


def test_settling_shows_a_person_how_far_it_is_and_a_program_what_is_left(assistant: Assistant) -> None:
    doubts = [sent(assistant, quantity, "reset-after-body").id for quantity in (1, 2)]
    with at_a_terminal("orders", "settle", environment=assistant.environment) as terminal:
        terminal.until("Reading how orders in doubt ended")
        terminal.until("/2")
        terminal.until("Still in doubt:")
        assert terminal.end() == 0
    done = orders(assistant, "settle", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert {row["id"]: row["state"] for row in json.loads(done.stdout)} == dict.fromkeys(doubts, "unknown")


def test_a_person_ends_doubts_with_what_the_store_told_them(assistant: Assistant) -> None:
    one, two = sent(assistant, 1, "reset-after-body"), sent(assistant, 2, "reset-after-body")
    by_number = settled(assistant, one.id, "--placed", "A-77")
    assert f"{one.id}: {one.total} at {STORE}" in by_number
    assert "It will be noted as placed as A-77, charged an amount that is not known" in by_number
    assert "It will be noted as not placed, as the store told you." in settled(assistant, two.id, "--not-placed")
    assert states(assistant) == {two.id: "not_placed", one.id: "placed"}
    settled(assistant, two.id, "--placed", "A-78")
    assert states(assistant) == {two.id: "placed", one.id: "placed"}
    settled(assistant, two.id, "--not-placed")
    assert states(assistant) == {two.id: "placed", one.id: "placed"}
    assert assistant.order(quantity=2)["order_number"] == "A-78"
    assert assistant.orders_sent == 2


@pytest.mark.parametrize(
    ("charged", "told"),
    [
        ([], "What was charged is not known here: compare your card's statement with the approved 53.40 USD.\n"),
        (["--charged", "53.40"], "Approved: 53.40 USD. Charged: 53.40 USD.\n"),
        (
            ["--charged", "0.00"],
            "Approved: 53.40 USD. Charged: 0.00 USD. That is less than was approved: compare your card's statement. "
            "Your limits count what was approved.\n",
        ),
        (
            ["--charged", "60"],
            "Approved: 53.40 USD. Charged: 60.00 USD. That is not what was approved: ask the store.\n",
        ),
    ],
)
def test_a_person_who_ends_a_doubt_is_told_both_amounts(assistant: Assistant, charged: list[str], told: str) -> None:
    doubt = sent(assistant, 2, "reset-after-body")
    assert told in settled(assistant, doubt.id, "--placed", "A-77", *charged)


def test_an_order_that_turns_up_after_a_person_ended_it_warns_them(assistant: Assistant) -> None:
    assistant.server.call("search_products", query="tee")  # there is a simulator from here on
    assistant.fault("hide-order", seconds=60)
    late = sent(assistant, 2, "lose-answer")
    assert "The store is read for another 30 days" in settled(assistant, late.id, "--not-placed")
    assistant.advance(61)
    done = orders(assistant, "settle")
    number = assistant.charges[0][0]
    warning = f"Warning: {late.id}: You ended this order as not placed, but the store has it: order {number}, charged"
    assert any(line.startswith(warning) for line in done.stderr.splitlines())
    listed = orders(assistant, "list")
    assert listed.stdout.split("\t")[4:6] == ["placed", number]
    assert listed.stderr.startswith(warning)
    assert json.loads(orders(assistant, "list", "--json").stdout)[0]["alarm"].startswith("You ended this order")


def test_words_that_do_not_fit_together_end_nothing(assistant: Assistant) -> None:
    doubt = sent(assistant, 2, "reset-after-body")
    for arguments in (
        [doubt.id, "--placed", "A-1", "--not-placed"],
        ["--placed", "A-1"],
        ["--not-placed"],
        [doubt.id, "--placed", ""],
        [doubt.id, "--placed", " "],
        ["att_0123456789abcdef", "--not-placed"],
        [doubt.id, "--not-placed", "--charged", "1"],
    ):
        done = orders(assistant, "settle", *arguments)
        assert (done.returncode, done.stdout) == (1, ""), arguments
        assert done.stderr.startswith("firmly-mcp: "), arguments
        assert "needs a terminal" not in done.stderr, arguments
    assert states(assistant) == {doubt.id: "unknown"}


@pytest.mark.parametrize("charged", ["--charged=-100", "--charged=1e999999", "--charged=nan", "--charged=5_3"])
def test_what_is_no_amount_ends_nothing(assistant: Assistant, charged: str) -> None:
    doubt = sent(assistant, 2, "reset-after-body")
    done = orders(assistant, "settle", doubt.id, "--placed", "A-1", charged)
    assert (done.returncode, done.stdout) == (2, "")
    assert states(assistant) == {doubt.id: "unknown"}


def test_a_journal_that_was_lost_is_named_with_the_command_that_accepts_the_new_one(assistant: Assistant) -> None:
    sent(assistant, 2)
    assistant.server.close_input()
    (assistant.settings.data_dir / "journal.sqlite3").unlink()
    with serving(assistant.environment) as later:
        approval = later.asked(quantity=1)
        with at_a_terminal("approve", approval, environment=later.environment) as terminal:
            terminal.until("Type the amount to pay (")
            terminal.type(terminal.lines.rpartition("TOTAL  ")[2].split()[0] + "\n")
            terminal.answer("(not shown): ", "123")
            assert terminal.end() == 1
        assert "missing, new or another's" in terminal.lines
        assert "firmly-mcp orders accept-journal" in terminal.lines
        with at_a_terminal("orders", "accept-journal", environment=later.environment) as terminal:
            terminal.until("An order that is")
            terminal.answer(ACCEPT, "accept")
            terminal.until("The journal is accepted; orders go on from it.")
            assert terminal.end() == 0
        with at_a_terminal("approve", approval, environment=later.environment) as terminal:
            terminal.until("Type the amount to pay (")
            terminal.type(terminal.lines.rpartition("TOTAL  ")[2].split()[0] + "\n")
            terminal.answer("(not shown): ", "123")
            assert terminal.end() == 0
        assert len(later.charges) == 2


ENDINGS = pytest.mark.parametrize(
    "ending", [["--not-placed"], ["--placed", "A-1", "--charged", "0"]], ids=["not placed", "placed"]
)


@ENDINGS
def test_a_program_without_a_terminal_ends_no_doubt_and_its_money_stays_unknown(
    assistant: Assistant, ending: list[str]
) -> None:
    doubt = sent(assistant, 2, "reset-after-body")
    refusal = "Ending a doubt needs a terminal, and this program has none. Nothing was sent or changed."
    done = orders(assistant, "settle", doubt.id, *ending)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"firmly-mcp: {refusal}\n")
    asked = in_a_script("orders", "settle", doubt.id, *ending, "--json", environment=assistant.environment)
    error = json.loads(asked.stderr)["error"]
    assert (asked.returncode, error["code"], error["message"]) == (1, "not_allowed", refusal)
    assert error["money_moved"] == "unknown"
    assert states(assistant) == {doubt.id: "unknown"}


@ENDINGS
def test_where_a_pin_is_set_a_doubt_ends_with_it_alone(assistant: Assistant, ending: list[str]) -> None:
    doubt = sent(assistant, 2, "reset-after-body")
    set_pin(assistant)
    with at_a_terminal("orders", "settle", doubt.id, *ending, environment=assistant.environment) as terminal:
        for _ in range(4):
            terminal.answer(TYPE_PIN, "9416")
            terminal.until("The approval PIN is wrong.")
        terminal.interrupt()
    assert states(assistant) == {doubt.id: "unknown"}
    with at_a_terminal("orders", "settle", doubt.id, *ending, environment=assistant.environment) as terminal:
        terminal.answer(TYPE_PIN, PIN)
        assert terminal.end() == 0
    assert SETTLE not in terminal.lines
    assert states(assistant) == {doubt.id: "placed" if "--placed" in ending else "not_placed"}


def test_another_word_is_asked_again_and_a_no_ends_no_doubt(assistant: Assistant) -> None:
    doubt = sent(assistant, 2, "reset-after-body")
    with at_a_terminal("orders", "settle", doubt.id, "--not-placed", environment=assistant.environment) as terminal:
        terminal.answer(SETTLE, "yes")
        terminal.until("That is neither settle nor no.")
        terminal.answer(SETTLE, "no")
        terminal.until("The answer was no. Nothing was changed.")
        assert terminal.end() == 1
    assert states(assistant) == {doubt.id: "unknown"}


def test_no_program_accepts_a_journal_and_with_a_pin_only_the_pin_does(assistant: Assistant) -> None:
    sent(assistant, 2)
    set_pin(assistant)
    assistant.server.close_input()
    (assistant.settings.data_dir / "journal.sqlite3").unlink()
    done = orders(assistant, "accept-journal", "--json")
    error = json.loads(done.stderr)["error"]
    assert (done.returncode, done.stdout, error["code"]) == (1, "", "not_allowed")
    assert "Accepting the journal needs a terminal, and this program has none." in error["message"]
    assert not continues(assistant)
    with at_a_terminal("orders", "accept-journal", environment=assistant.environment) as terminal:
        terminal.answer(TYPE_PIN, "9416")
        terminal.until("The approval PIN is wrong.")
        assert not continues(assistant)
        terminal.answer(TYPE_PIN, PIN)
        assert terminal.end() == 0
    assert continues(assistant)


def set_pin(assistant: Assistant) -> None:
    async def act() -> None:
        async with open_services(assistant.settings) as services:
            await (await services.vault()).pin.set(SecretStr(PIN), BY_PERSON)

    anyio.run(act)


def continues(assistant: Assistant) -> bool:
    """Whether the keyring and the journal agree."""
    found = in_a_script("doctor", "--json", environment=assistant.environment).stdout
    return any(row["state"] == "ok" for row in json.loads(found) if row["check"] == "journal mark")


KEY_WORD = "Type accept to encrypt cards for the new key, or no to leave it: "


def test_a_payment_key_renewed_under_its_old_id_is_accepted_by_a_person_who_asked_firmly(assistant: Assistant) -> None:
    sent(assistant, 1)
    old, new = assistant.renew_payment_key()
    approval = assistant.asked(quantity=2)
    with at_a_terminal("approve", approval, environment=assistant.environment) as terminal:
        terminal.until("Type the amount to pay (")
        terminal.type(terminal.lines.rpartition("TOTAL  ")[2].split()[0] + "\n")
        terminal.answer("(not shown): ", "123")
        assert terminal.end() == 1
    assert "this can be an attack" in terminal.lines
    command = command_line(assistant.settings, "orders", "accept-payment-key")
    assert command in terminal.lines.replace("\n", "")
    done = orders(assistant, "accept-payment-key", "--json")
    error = json.loads(done.stderr)["error"]
    assert (done.returncode, done.stdout, error["code"]) == (1, "", "not_allowed")
    assert "Accepting a payment key needs a terminal" in error["message"]
    with at_a_terminal("orders", "accept-payment-key", environment=assistant.environment) as terminal:
        terminal.answer(KEY_WORD, "no")
        assert terminal.end() == 1
    assert f"Thumbprint before  {old}\n" in terminal.lines
    assert f"Thumbprint now     {new}\n" in terminal.lines
    assert f'"Is {new} the SHA-256 thumbprint (RFC 7638)' in terminal.lines
    set_pin(assistant)
    with at_a_terminal("orders", "accept-payment-key", environment=assistant.environment) as terminal:
        terminal.answer(TYPE_PIN, "9416")
        terminal.until("The approval PIN is wrong.")
        terminal.answer(TYPE_PIN, PIN)
        terminal.until("Accepted. Cards are encrypted for this key from now on.")
        assert terminal.end() == 0
    again = orders(assistant, "accept-payment-key", "--json")
    facts = json.loads(again.stdout)
    assert (again.returncode, facts["accepted"], facts["payment_key"]["now"]) == (0, False, new)
    with at_a_terminal("approve", assistant.asked(quantity=2), environment=assistant.environment) as terminal:
        terminal.until("Type the amount to pay (")
        terminal.type(terminal.lines.rpartition("TOTAL  ")[2].split()[0] + "\n")
        terminal.answer("(not shown): ", "123")
        terminal.answer(TYPE_PIN, PIN)
        assert terminal.end() == 0
    assert len(assistant.charges) == 2
