"""A person approves an order at a real terminal, as they would type it; nobody else can."""

import json
import os
import pty
import re
import termios
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from firmly_mcp.app import open_services
from firmly_mcp.checkout.flow import Checkout
from firmly_mcp.checkout.quote import TermValue, term_text
from tests.prefork import Forked
from tests.proofs import BY_PERSON, until_recorded
from tests.secret_service import DEADLINE, SecretService
from tests.shop import STORE

from .assistant import Assistant, an_assistant
from .person import Terminal, at_a_terminal, in_a_script

AMOUNT = "Type the amount to pay (53.40) to approve, or no to decline: "
NEITHER = "That is neither the amount nor no, so nothing was decided."
OPEN = "Nothing was sent, and the question stays open: run `firmly-mcp approve` again to answer it."
CODE = "Security code of the card (not shown): "
SECRET = "739"
ASKS_PIN = "Approval PIN (not shown): "
PIN = "8305-7"


@pytest.fixture
def assistant(keyring_bus: SecretService, tmp_path: Path) -> Iterator[Assistant]:
    with an_assistant(tmp_path) as running:
        yield running


def fill_cart(assistant: Assistant) -> None:
    assistant.server.call("add_line_item", store=STORE, ref="WS12-XS-Orange", quantity=2)
    assistant.server.call("set_shipping_info", store=STORE)


def total_on(terminal: Terminal) -> str:
    return terminal.lines.rpartition("TOTAL  ")[2].split()[0]


def terms(assistant: Assistant, approval: str) -> Mapping[str, TermValue]:
    async def of_review(placement: Checkout) -> Mapping[str, TermValue]:
        return {term.label: term.value for term in (await placement.review(approval)).quote.terms}

    return assistant.with_placement(of_review)


def test_a_program_gets_the_no(assistant: Assistant) -> None:
    fill_cart(assistant)
    approval = assistant.asked()
    with at_a_terminal("approve", approval, "--json", environment=assistant.environment) as terminal:
        terminal.answer(AMOUNT, "no")
        assert terminal.end() == 1
    assert json.loads(terminal.lines.splitlines()[-1]) == {"approval": approval, "answer": "declined", "attempt": None}


def test_a_program_gets_what_came_of_the_yes(assistant: Assistant) -> None:
    fill_cart(assistant)
    approval = assistant.asked()
    with at_a_terminal("approve", approval, "--json", environment=assistant.environment) as terminal:
        terminal.answer(AMOUNT, "53.40")
        terminal.answer(CODE, SECRET)
        assert terminal.end() == 0
    given = json.loads(terminal.lines.splitlines()[-1])
    assert (given["answer"], given["attempt"]["state"]) == ("approved", "placed")
    assert given["attempt"]["order_number"] == assistant.charges[0][0]


@pytest.mark.parametrize("tool", ["complete_order", "place_order"])
def test_a_person_reads_every_term_types_the_amount_and_the_code_and_the_order_is_placed(
    assistant: Assistant, tool: str
) -> None:
    fill_cart(assistant)
    approval = assistant.asked(tool=tool)
    expected = terms(assistant, approval)
    with at_a_terminal("approve", approval, environment=assistant.environment) as terminal:
        terminal.answer(AMOUNT, "53.40")
        shown = terminal.lines
        terminal.answer(CODE, SECRET)
        assert terminal.end() == 0
    assert "=== SIMULATOR: no money moves ===" in shown
    assert f"wants to order at {STORE}. You are asked because: Your rules allow nothing in USD without asking." in shown
    assert re.search(r"^  TOTAL  53\.40 USD$", shown, re.MULTILINE)
    assert {"store", "card", "total", "shipment 1: method"} < set(expected)
    for name, term in expected.items():
        assert term in {None, ""} or term_text(term) in shown, name
    (charge,) = assistant.charges
    assert charge[1] == 5340
    assert f"The order is placed. Order number: {charge[0]}. Charged: 53.40 USD." in terminal.lines
    assert SECRET not in terminal.screen
    assert assistant.order(tool=tool)["order_number"] == charge[0]
    assert assistant.orders_sent == 1


@pytest.mark.parametrize("no", ["no", " N ", "No"])
def test_only_no_declines(assistant: Assistant, no: str) -> None:
    assistant.asked()
    with at_a_terminal("approve", environment=assistant.environment) as terminal:
        terminal.answer(AMOUNT, no)
        terminal.until("Declined. Nothing was sent.")
        assert terminal.end() == 1
    assert CODE not in terminal.lines
    answer = assistant.order()
    assert (answer["status"], answer["money_moved"]) == ("declined", "no")
    assert not assistant.orders_sent
    assert not assistant.open_approvals()


def test_a_slip_at_the_amount_or_the_code_is_asked_again_and_decides_nothing(assistant: Assistant) -> None:
    approval = assistant.asked()
    with at_a_terminal("approve", environment=assistant.environment) as terminal:
        for slip in ("", "y", "yes", "53.4O", "5340", "53.41", "53.400", "EUR 53.40", "nope"):
            terminal.answer(AMOUNT, slip)
            terminal.until(NEITHER)
        assert assistant.open_approvals() == [approval]
        terminal.answer(AMOUNT, "$53,4")
        for slip, what in (
            ("12", "is not complete"),
            ("1234", "is not right"),
            ("", "is missing"),
            ("7E9", "is not right"),
        ):
            terminal.answer(CODE, slip)
            terminal.until(f"The security code {what}: it has 3 digits.")
        assert assistant.open_approvals() == [approval]
        terminal.answer(CODE, SECRET)
        assert terminal.end() == 0
    assert [amount for _, amount in assistant.charges] == [5340]


def test_input_that_ends_and_slips_without_end_leave_the_question_open(assistant: Assistant) -> None:
    approval = assistant.asked()
    with at_a_terminal("approve", environment=assistant.environment) as terminal:
        terminal.until(AMOUNT)
        terminal.type("\x04")
        terminal.until(f"No answer came. {OPEN}")
        assert terminal.end() == 1
    with at_a_terminal("approve", environment=assistant.environment) as terminal:
        terminal.until(AMOUNT)
        terminal.type("x\n" * 20)
        terminal.until(f"No answer came. {OPEN}")
        assert terminal.end() == 1
    with at_a_terminal("approve", environment=assistant.environment) as terminal:
        terminal.answer(AMOUNT, "53.40")
        for _ in range(5):
            terminal.answer(CODE, "12")
        terminal.until(OPEN)
        assert terminal.end() == 1
    assert assistant.open_approvals() == [approval]
    assert not assistant.orders_sent


def test_a_no_to_what_was_approved_elsewhere_meanwhile_is_not_called_a_no(assistant: Assistant) -> None:
    approval = assistant.asked()

    async def approved(placement: Checkout) -> None:
        desk = placement
        placing = await desk.approve(await desk.review(approval), SecretStr(SECRET), BY_PERSON)
        await until_recorded(placement, placing)

    with at_a_terminal("approve", environment=assistant.environment) as terminal:
        terminal.until(AMOUNT)
        assistant.with_placement(approved)
        terminal.type("no\n")
        terminal.until("it was not declined here")
        assert terminal.end() == 1
    assert "Declined" not in terminal.lines
    assert len(assistant.charges) == 1


def test_what_is_piped_in_approves_nothing_where_there_is_no_terminal(assistant: Assistant) -> None:
    approval = assistant.asked()
    done = in_a_script("approve", approval, environment=assistant.environment, given=f"53.40\n{SECRET}\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Approving an order needs a terminal, and this program has none. Nothing was sent" in done.stderr
    assert assistant.open_approvals() == [approval]
    assert not assistant.orders_sent


@contextmanager
def piped_beside_a_terminal(*arguments: str, environment: Mapping[str, str], given: bytes) -> Iterator[Terminal]:
    """Run `firmly-mcp ARGUMENTS` with `given` on a pipe, at a terminal at which a person may sit."""
    ours, theirs = pty.openpty()
    process = Forked(arguments, stdout=theirs, stderr=theirs, env=environment, in_terminal=True)
    assert process.stdin is not None
    with process.stdin as pipe:
        pipe.write(given)
    try:
        terminal = Terminal(ours, process)
        yield terminal
    finally:
        process.kill()
        process.wait(DEADLINE)
        os.close(theirs)
        os.close(ours)


def test_what_is_piped_in_is_no_answer_at_a_terminal_either(assistant: Assistant) -> None:
    assistant.asked()
    given = f"53.40\n{SECRET}\n".encode()
    with piped_beside_a_terminal("approve", environment=assistant.environment, given=given) as terminal:
        terminal.answer(AMOUNT, "no")
        terminal.until("Declined. Nothing was sent.")
    assert CODE not in terminal.lines
    assert not assistant.orders_sent


def test_with_nothing_to_approve_it_says_so(assistant: Assistant) -> None:
    for arguments in ((), ("ap_0123456789abcdef",)):
        with at_a_terminal("approve", *arguments, environment=assistant.environment) as terminal:
            assert terminal.end() == 1
        assert "There is nothing to approve" in terminal.lines


def test_a_question_that_another_took_the_place_of_cannot_be_answered(assistant: Assistant) -> None:
    one, two = assistant.asked(quantity=1), assistant.asked(quantity=2)
    with at_a_terminal("approve", one, environment=assistant.environment) as terminal:
        assert terminal.end() == 1
    assert "another took its place" in terminal.lines
    assert "TOTAL" not in terminal.lines
    with at_a_terminal("approve", two, environment=assistant.environment) as terminal:
        terminal.answer(AMOUNT, "53.40")
        terminal.answer(CODE, SECRET)
        assert terminal.end() == 0
    assert not assistant.open_approvals()
    assert [amount for _, amount in assistant.charges] == [5340]


def test_a_price_that_rises_while_a_person_reads_is_shown_and_asked_about_again(assistant: Assistant) -> None:
    assistant.asked()
    with at_a_terminal("approve", environment=assistant.environment) as terminal:
        terminal.until(AMOUNT)
        assistant.set_price(2300)
        terminal.type("53.40\n")
        terminal.answer(CODE, SECRET)
        terminal.until("Nothing was sent.")
        terminal.until("line WS12-XS-Orange: price: 22.00 USD → 23.00 USD")
        terminal.until("Type the amount to pay (")
        assert not assistant.orders_sent
        total = total_on(terminal)
        assert total != "53.40"
        terminal.type(f"{total}\n")
        terminal.answer(CODE, SECRET)
        assert terminal.end() == 0
    assert [amount for _, amount in assistant.charges] == [int(total.replace(".", ""))]


@pytest.mark.parametrize(
    ("fault", "options", "said"),
    [
        ("refuse", {"error": "ErrorPaymentDeclined"}, "The order was not placed, and nothing was charged."),
        ("reset-after-body", {}, "It is not known whether the order was placed. Do not order again; check with the"),
    ],
)
def test_how_it_ended_is_said_and_is_no_success(
    assistant: Assistant, fault: str, options: dict[str, str], said: str
) -> None:
    assistant.asked()
    assistant.fault(fault, **options)
    with at_a_terminal("approve", environment=assistant.environment) as terminal:
        terminal.answer(AMOUNT, "53.40")
        terminal.answer(CODE, SECRET)
        assert terminal.end() == 1
    assert said in terminal.lines
    assert "is placed" not in terminal.lines
    assert not assistant.charges


def test_a_doubt_and_what_was_just_bought_are_shown_first(assistant: Assistant) -> None:
    for quantity, faults in ((3, ["reset-after-body"]), (2, [])):
        assistant.asked(quantity=quantity)
        for fault in faults:
            assistant.fault(fault)
        with at_a_terminal("approve", environment=assistant.environment) as terminal:
            terminal.until("Type the amount to pay (")
            terminal.type(f"{total_on(terminal)}\n")
            terminal.answer(CODE, SECRET)
            terminal.end()
    assistant.asked(repeat=True)
    with at_a_terminal("approve", environment=assistant.environment) as terminal:
        terminal.answer(AMOUNT, "no")
        assert terminal.end() == 1
    above = terminal.lines.partition("TOTAL")[0]
    assert re.search(
        r"IN DOUBT at this store since .* UTC: .* USD, 3 x Radiant Tee .* It may have been placed\.", above
    )
    assert f"UTC: order {assistant.charges[0][0]}." in above.partition("THE SAME WAS BOUGHT at ")[2]
    assert "You are asked because: An earlier order at this store is in doubt" in above


def is_as_a_shell_left_it(terminal: Terminal) -> bool:
    """Whether what is typed is shown again."""
    return bool(termios.tcgetattr(terminal._descriptor)[3] & termios.ECHO)


@pytest.mark.parametrize("at", [AMOUNT, CODE])
def test_an_interruption_sends_nothing_and_leaves_the_question(assistant: Assistant, at: str) -> None:
    approval = assistant.asked()
    with at_a_terminal("approve", environment=assistant.environment) as terminal:
        if at == CODE:
            terminal.answer(AMOUNT, "53.40")
        terminal.until(at)
        assert terminal.interrupt() == 130
        assert is_as_a_shell_left_it(terminal)
    assert "Traceback" not in terminal.lines
    assert OPEN in terminal.lines
    assert assistant.open_approvals() == [approval]
    assert not assistant.orders_sent


def set_pin(assistant: Assistant) -> None:
    async def run() -> None:
        async with open_services(assistant.settings) as services:
            await (await services.vault()).pin.set(SecretStr(PIN), BY_PERSON)

    anyio.run(run)


def test_the_pin_is_asked_beside_the_code_and_a_wrong_one_sends_nothing(assistant: Assistant) -> None:
    set_pin(assistant)
    approval = assistant.asked()
    with at_a_terminal("approve", environment=assistant.environment) as terminal:
        terminal.answer(AMOUNT, "53.40")
        terminal.answer(CODE, SECRET)
        terminal.answer(ASKS_PIN, "9416")
        terminal.until("The approval PIN is wrong. 4 tries are left before it is locked for 15 minutes.")
        assert assistant.open_approvals() == [approval]
        assert not assistant.orders_sent
        terminal.answer(ASKS_PIN, PIN)
        assert terminal.end() == 0
    assert PIN not in terminal.screen
    assert [amount for _, amount in assistant.charges] == [5340]


def test_with_the_code_and_without_the_pin_nobody_pays(assistant: Assistant) -> None:
    set_pin(assistant)
    assistant.asked()
    for guesses in (range(5), range(5, 6)):
        with at_a_terminal("approve", environment=assistant.environment) as terminal:
            terminal.answer(AMOUNT, "53.40")
            terminal.answer(CODE, SECRET)
            for guess in guesses:
                terminal.answer(ASKS_PIN, f"614{guess}")
            terminal.until("The approval PIN is locked after 5 wrong tries")
            assert terminal.end() == 1
    assert not assistant.orders_sent
