from __future__ import annotations

import io
import json
import re
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from firmly_mcp.cli.cards import add_card
from firmly_mcp.errors import FirmlyError
from firmly_mcp.wallet.keychain import Keychain
from tests.secret_service import SecretService, lock, private_bus, secret_service
from tests.wallet.samples import a_vault

from .person import an_environment, at_a_terminal, everything_under, in_a_script

NUMBER = "4000056655665556"
GROUPED = "4000 0566 5566 5556"
CARD = {"label": "Visa", "number": NUMBER, "name": "Ana Lima", "month": "08", "year": "2095"}
HOME = {
    "label": "Home",
    "first_name": "Ana",
    "last_name": "Lima",
    "email": "ana@example.com",
    "phone": "+1 206 555 0100",
    "address1": "1 Test Street",
    "city": "Seattle",
    "country": "US",
    "state_or_province": "WA",
    "postal_code": "98101",
}


@pytest.fixture
def shopper(keyring_daemon: SecretService, tmp_path: Path) -> dict[str, str]:
    return an_environment(keyring_daemon.bus, tmp_path)


def a_year() -> str:
    return str(datetime.now(UTC).year + 4)


def a_given_card(**changes: object) -> str:
    return json.dumps(CARD | {"year": a_year()} | changes)


def digits_on(text: str) -> str:
    return re.sub(r"[\s-]", "", text)


def test_a_card_is_added_by_a_person_and_its_number_is_never_on_the_screen(
    shopper: dict[str, str], tmp_path: Path
) -> None:
    assert in_a_script("addresses", "add", "--stdin", environment=shopper, given=json.dumps(HOME)).returncode == 0
    with at_a_terminal("cards", "add", environment=shopper) as terminal:
        terminal.answer("Label, such as Visa: ", "My Visa")
        terminal.answer("Card number (not shown): ", "4000 0566 5566 5557")
        terminal.until("check digit does not fit")
        terminal.answer("Card number (not shown): ", GROUPED)
        terminal.answer("Name on the card: ", "Ana Lima")
        terminal.answer("Expires (MM/YYYY): ", "13/2020")
        terminal.answer("Expires (MM/YYYY): ", f"8 / {a_year()}")
        terminal.answer("Billing address (Home; empty for the default one): ", "Elsewhere")
        terminal.answer("Billing address (Home; empty for the default one): ", "home")
        terminal.answer("empty for none (not shown): ", "")
        terminal.until("Added My Visa (visa, ends in 5556) to Secret Service.")
        assert terminal.end() == 0
    assert "My Visa" in terminal.screen, "what is typed elsewhere is echoed"
    assert "400005665566555" not in digits_on(terminal.screen)
    assert "security code" not in terminal.screen.casefold()
    listed = in_a_script("cards", "list", "--json", environment=shopper)
    assert json.loads(listed.stdout) == [
        {
            "label": "My Visa",
            "brand": "visa",
            "last_four": "5556",
            "month": "08",
            "year": a_year(),
            "billing_address": "Home",
            "default": True,
        }
    ]
    assert [text for text in everything_under(tmp_path) if NUMBER in text] == []


def test_an_interrupted_addition_ends_at_once_and_adds_nothing(shopper: dict[str, str]) -> None:
    with at_a_terminal("cards", "add", environment=shopper) as terminal:
        terminal.answer("Label, such as Visa: ", "Visa")
        terminal.until("Card number (not shown): ")
        terminal.type("4000 0566")
        assert terminal.interrupt() != 0
    assert "4000" not in terminal.screen
    assert "Traceback" not in terminal.screen
    assert in_a_script("cards", "list", environment=shopper).stdout == ""


def test_an_interrupt_at_a_visible_question_ends_it_too(shopper: dict[str, str]) -> None:
    with at_a_terminal("cards", "add", environment=shopper) as terminal:
        terminal.until("Label, such as Visa: ")
        assert terminal.interrupt() != 0
    assert "Traceback" not in terminal.screen


@pytest.mark.parametrize("answered", [0, 1])
def test_input_that_ends_early_adds_nothing(answered: int, shopper: dict[str, str]) -> None:
    with at_a_terminal("cards", "add", environment=shopper) as terminal:
        for question in ("Label, such as Visa: ",)[:answered]:
            terminal.answer(question, "Visa")
        terminal.until(": ")
        terminal.type("\x04")
        assert terminal.end() == 1
    assert "nothing was added" in terminal.screen
    assert "Traceback" not in terminal.screen


def test_a_person_may_replace_a_card_and_is_asked_first(shopper: dict[str, str]) -> None:
    assert in_a_script("cards", "add", "--stdin", environment=shopper, given=a_given_card()).returncode == 0
    with at_a_terminal("cards", "add", environment=shopper) as terminal:
        terminal.answer("Label, such as Visa: ", "VISA")
        terminal.answer("There is a card VISA. Replace it? [y/N]: ", "")
        assert terminal.end() == 1
    assert "not replaced" in terminal.screen
    with at_a_terminal("cards", "add", environment=shopper) as terminal:
        terminal.answer("Label, such as Visa: ", "VISA")
        terminal.answer("Replace it? [y/N]: ", "y")
        terminal.answer("Card number (not shown): ", "5555-5555-5555-4444")
        terminal.answer("Name on the card: ", "Ana Lima")
        terminal.answer("Expires (MM/YYYY): ", f"12/{a_year()[2:]}")
        terminal.until("Added VISA (mastercard, ends in 4444)")
        assert terminal.end() == 0
    assert in_a_script("cards", "list", environment=shopper).stdout == f"VISA\tmastercard\t4444\t12/{a_year()}\t\tyes\n"


def test_too_many_wrong_answers_end_the_questions(shopper: dict[str, str]) -> None:
    with at_a_terminal("cards", "add", environment=shopper) as terminal:
        for _ in range(5):
            terminal.answer("Label, such as Visa: ", "4111 1111 1111 1111")
            terminal.until("must not hold a card number")
        assert terminal.end() == 1
    assert "nothing was added" in terminal.screen


def test_a_script_gives_one_object_and_replaces_nothing(shopper: dict[str, str]) -> None:
    added = in_a_script("cards", "add", "--stdin", environment=shopper, given=a_given_card(month=8, year=int(a_year())))
    assert (added.returncode, added.stdout) == (0, "")
    assert added.stderr.splitlines() == [
        "Added Visa (visa, ends in 5556) to Secret Service.",
        "No approval PIN is set yet. Set one with `firmly-mcp pin set`.",
    ]
    again = in_a_script("cards", "add", "--stdin", environment=shopper, given=a_given_card(label="visa"))
    assert again.returncode == 1
    assert "There is a card of the label visa already, and it was not replaced" in again.stderr
    removed = in_a_script("cards", "remove", "VISA", environment=shopper)
    assert (removed.returncode, removed.stderr) == (0, "Removed the card VISA.\n")
    assert in_a_script("cards", "list", "--json", environment=shopper).stdout == "[]\n"


def test_of_several_cards_a_person_chooses_the_one_that_is_meant(shopper: dict[str, str]) -> None:
    def defaults() -> dict[str, bool]:
        listed = in_a_script("cards", "list", "--json", environment=shopper)
        return {card["label"]: card["default"] for card in json.loads(listed.stdout)}

    for label in ("Everyday", "Travel"):
        given = a_given_card(label=label)
        assert in_a_script("cards", "add", "--stdin", environment=shopper, given=given).returncode == 0
    assert defaults() == {"Everyday": True, "Travel": False}, "the first stays the default"
    chosen = in_a_script("cards", "default", "TRAVEL", environment=shopper)
    assert (chosen.returncode, chosen.stderr) == (0, "An order that names no card is paid with Travel.\n")
    assert defaults() == {"Everyday": False, "Travel": True}
    unknown = in_a_script("cards", "default", "Gold", environment=shopper)
    assert (unknown.returncode, defaults()["Travel"]) == (1, True)
    assert "There is no card of this label. There are: Everyday, Travel." in unknown.stderr
    given = a_given_card(label="Gold")
    assert in_a_script("cards", "add", "--stdin", environment=shopper, given=given).returncode == 0
    removed = in_a_script("cards", "remove", "Travel", environment=shopper)
    assert "It was the default one. An order has to name its card" in removed.stderr
    last = in_a_script("cards", "remove", "Gold", "--json", environment=shopper)
    assert json.loads(last.stdout) == {"removed": "Gold", "default": "Everyday"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", "takes one JSON object"),
        ("4000056655665556", "takes one JSON object"),
        ("[]", "takes one JSON object"),
        ('{"label": "Visa", "number": "4000056655665556"', "takes one JSON object"),
        (b'{"label": "\xff4000056655665556"', "takes one JSON object"),
        ('{"number": {"digits": "4000056655665556"}}', "takes one JSON object"),
        ('{"number": "4000056655665556", "x": "' + "y" * 20_000 + '"}', "takes one JSON object"),
        ("[" * 16_000, "takes one JSON object"),
        ('{"number": "4000056655665556"}', "lacks label, name, month, year"),
        (a_given_card(cvv="739"), "has a field other than label, number, name, month, year, billing_address"),
        (a_given_card(**{NUMBER: "x"}), "has a field other than"),
        (a_given_card(number="4000056655665557"), "check digit"),
        (a_given_card(number=4000056655665557), "check digit"),
        (a_given_card(number="4539148803436467"), "only published test numbers"),
        (a_given_card(label=NUMBER), "must not hold a card number"),
        (a_given_card(month=NUMBER), "month from 01 to 12"),
        (a_given_card(year="2020"), "expired"),
        (a_given_card(billing_address="Nowhere"), "There is no address"),
    ],
)
@pytest.mark.anyio
async def test_a_script_that_gives_something_else_is_told_so_and_not_echoed(
    given: str | bytes, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = given.encode() if isinstance(given, str) else given
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed)))
    vault = a_vault(tmp_path)
    with pytest.raises(FirmlyError, match=re.escape(says)) as caught:
        await add_card(vault, stdin=True)
    assert not re.search(r"\d{6}", caught.value.message)
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = [frame for frame in report.stack if frame.filename != __file__]
    assert NUMBER not in "".join(traceback.StackSummary.from_list(frames).format())
    assert caught.value.__context__ is None
    assert await vault.cards() == []


def test_what_a_script_gave_is_in_no_stream_and_no_file(shopper: dict[str, str], tmp_path: Path) -> None:
    done = in_a_script("cards", "add", "--stdin", environment=shopper, given=f'{{"number": "{NUMBER}"')
    assert (done.returncode, done.stdout) == (1, "")
    assert "takes one JSON object" in done.stderr
    assert "Traceback" not in done.stderr
    assert [text for text in [done.stderr, *everything_under(tmp_path)] if NUMBER in text] == []


def test_without_a_terminal_the_question_names_the_command_for_scripts(shopper: dict[str, str]) -> None:
    done = in_a_script("cards", "add", environment=shopper, given=a_given_card())
    assert done.returncode == 1
    assert "`firmly-mcp cards add --stdin` with one JSON object on standard input: label, number, name" in done.stderr


def test_a_script_s_option_at_a_terminal_is_refused_because_it_would_echo(shopper: dict[str, str]) -> None:
    with at_a_terminal("cards", "add", "--stdin", environment=shopper) as terminal:
        assert terminal.end() == 1
    assert "leave out --stdin to be asked in the terminal" in terminal.lines.replace("\n", " ")


def test_a_list_at_a_terminal_is_a_table_and_markup_is_text(shopper: dict[str, str]) -> None:
    given = a_given_card(label="[red]Visa[/red]")
    assert in_a_script("cards", "add", "--stdin", environment=shopper, given=given).returncode == 0
    with at_a_terminal("cards", "list", environment=shopper | {"COLUMNS": "100"}) as terminal:
        assert terminal.end() == 0
    assert "Billing address" in terminal.lines
    assert "[red]Visa[/red]" in terminal.lines
    assert "5556" in terminal.lines
    assert "40000566" not in digits_on(terminal.lines)


def test_an_unknown_card_is_answered_with_the_known_ones(shopper: dict[str, str]) -> None:
    assert in_a_script("cards", "add", "--stdin", environment=shopper, given=a_given_card()).returncode == 0
    done = in_a_script("cards", "remove", "Amex", environment=shopper)
    assert done.returncode == 1
    assert "There are: Visa." in done.stderr


def test_a_damaged_card_is_named_after_the_others_are_listed(
    shopper: dict[str, str], keyring_bus: SecretService
) -> None:
    for label in ("One", "Two"):
        given = a_given_card(label=label)
        assert in_a_script("cards", "add", "--stdin", environment=shopper, given=given).returncode == 0
    name = f"simulator/{shopper['FIRMLY_MCP_SHOPPER']}/card/one"
    anyio.run(Keychain().set, name, SecretStr(f'{{"number": "{NUMBER}"}}'))
    done = in_a_script("cards", "list", environment=shopper)
    assert done.returncode == 1
    assert done.stdout.startswith("Two\tvisa\t5556")
    assert f"{name} of firmly-mcp does not hold this card" in done.stderr
    assert NUMBER not in done.stderr
    assert in_a_script("cards", "remove", "One", environment=shopper).returncode == 0
    assert in_a_script("cards", "list", environment=shopper).returncode == 0


COMMANDS = [
    (("cards", "add", "--stdin"), a_given_card()),
    (("cards", "list"), ""),
    (("cards", "list", "--json"), ""),
    (("cards", "default", "Visa"), ""),
    (("cards", "remove", "Visa"), ""),
    (("addresses", "add", "--stdin"), json.dumps(HOME)),
    (("addresses", "list"), ""),
    (("addresses", "default", "Home"), ""),
    (("addresses", "remove", "Home"), ""),
]


@pytest.mark.parametrize(("arguments", "given"), COMMANDS)
def test_without_a_keyring_every_command_says_what_was_found_and_what_to_do(
    arguments: tuple[str, ...], given: str, tmp_path: Path
) -> None:
    with private_bus() as bus:
        environment = an_environment(bus, tmp_path, PYTHON_KEYRING_BACKEND="keyrings.alt.file.PlaintextKeyring")
        done = in_a_script(*arguments, environment=environment, given=given)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Secret Service: no Secret Service daemon is running on the D-Bus session bus" in done.stderr
    assert "gnome-keyring-daemon --unlock" in done.stderr
    assert [text for text in everything_under(tmp_path) if NUMBER in text or "Seattle" in text] == []


def test_with_a_locked_keyring_a_person_is_told_before_the_first_question(tmp_path: Path) -> None:
    with private_bus() as bus, secret_service(bus):
        lock(bus)
        for kind in ("cards", "addresses"):
            with at_a_terminal(kind, "add", environment=an_environment(bus, tmp_path)) as terminal:
                assert terminal.end() == 1
            assert "Secret Service: the keyring is locked" in terminal.lines.replace("\n", " ")
            assert "Label" not in terminal.screen
