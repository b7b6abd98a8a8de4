from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from firmly_mcp.errors import AddressRefused
from firmly_mcp.wallet.addresses import FIELDS, address_from, entry_of

from .samples import TEST_VISA, an_address

LONGEST = {field: "é" * rule.length for field, rule in FIELDS.items()} | {
    "email": "e" * 63 + "@" + "d" * 60 + "." + "d" * 60 + "." + "d" * 60 + ".com",
    "phone": "+123456789012345",
    "country": "DE",
    "postal_code": "X" * 12,
}


def test_an_address_is_given_to_firmly_in_its_own_words() -> None:
    address = an_address(
        address2="Floor 2", company=None, country=" us ", postal_code="98101-1234", first_name=" Ana  María "
    )
    assert address.as_firmly() == {
        "first_name": "Ana María",
        "last_name": "Lima",
        "email": "ana@example.com",
        "phone": "+1 206 555 0100",
        "address1": "1 Test Street",
        "address2": "Floor 2",
        "city": "Seattle",
        "state_or_province": "WA",
        "postal_code": "98101-1234",
        "country": "US",
    }


@pytest.mark.parametrize("field", sorted(name for name, rule in FIELDS.items() if not rule.optional))
@pytest.mark.parametrize("nothing", ["", "   "])
def test_a_missing_field_is_named(field: str, nothing: str) -> None:
    with pytest.raises(AddressRefused, match=f"^{field} is missing") as caught:
        an_address(**{field: nothing})
    assert caught.value.field == field


@pytest.mark.parametrize("field", sorted(FIELDS))
@pytest.mark.parametrize("character", ["\n", "\x00", "\x1b", "\u202e", "\u200b", "\u2028", "\ue000"])
def test_control_and_invisible_characters_are_refused_in_every_field(field: str, character: str) -> None:
    with pytest.raises(AddressRefused, match=f"^{field} holds a control or invisible character") as caught:
        an_address(**{field: f"a{character}b"})
    assert caught.value.field == field


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_every_field_has_an_end(field: str) -> None:
    with pytest.raises(AddressRefused, match=f"^{field} is longer than {FIELDS[field].length} characters") as caught:
        an_address(**{field: "x" * (FIELDS[field].length + 1)})
    assert caught.value.field == field


@pytest.mark.parametrize("field", sorted(set(FIELDS) - {"country", "postal_code", "phone"}))
def test_a_card_number_in_an_address_is_refused_and_not_echoed(field: str) -> None:
    with pytest.raises(AddressRefused, match="could be a card number") as caught:
        an_address(**{field: "4111 1111 1111 1111"})
    assert caught.value.field == field
    assert not re.search(r"\d{4}", caught.value.message)


@pytest.mark.parametrize(
    ("field", "text", "country"),
    [
        ("country", "UK", "UK"),
        ("country", "USA", "USA"),
        ("country", "XX", "XX"),
        ("email", "ana", "US"),
        ("email", "ana@localhost", "US"),
        ("email", "ana@@example.com", "US"),
        ("email", "ana lima@example.com", "US"),
        ("email", "ana@example.com, bob@example.com", "US"),
        ("email", "ana@-example.com", "US"),
        ("phone", "call me", "US"),
        ("phone", "12345", "US"),
        ("phone", "1234567890123456", "US"),
        ("phone", TEST_VISA, "US"),
        ("postal_code", "9810", "US"),
        ("postal_code", "98101-12", "US"),
        ("postal_code", "٩٨١٠١", "US"),
        ("postal_code", "K1A 0B", "CA"),
        ("postal_code", "D1A 0B1", "CA"),
        ("postal_code", "SW1A1A", "GB"),
        ("label", "", "US"),
        ("label", TEST_VISA, "US"),
    ],
)
def test_a_field_of_the_wrong_form_is_named(field: str, text: str, country: str) -> None:
    with pytest.raises(AddressRefused) as caught:
        an_address(**{"country": country} | {field: text})
    assert caught.value.field == field
    assert TEST_VISA not in caught.value.message


@pytest.mark.parametrize(
    ("country", "typed", "kept"),
    [
        ("US", "98101", "98101"),
        ("CA", "k1a 0b1", "K1A 0B1"),
        ("CA", "K1A0B1", "K1A0B1"),
        ("GB", "sw1a 1aa", "SW1A 1AA"),
        ("GB", "M1 1AE", "M1 1AE"),
        ("DE", "10115", "10115"),
        ("IE", "D02 AF30", "D02 AF30"),
    ],
)
def test_postal_codes_are_checked_where_their_form_is_known(country: str, typed: str, kept: str) -> None:
    assert an_address(country=country, postal_code=typed).postal_code == kept


@pytest.mark.parametrize(
    "email", ["ana@example.com", "a.b+tag@sub.example.co.uk", "ana@exämple.de", "o'hara@example.org"]
)
def test_usual_email_addresses_are_taken(email: str) -> None:
    assert an_address(email=email).email == email


@given(st.text(max_size=30))
def test_any_city_is_kept_printable_or_refused_by_name(city: str) -> None:
    try:
        kept = an_address(city=city).city
    except AddressRefused as refusal:
        field = refusal.field
    else:
        field = "city"
        assert kept.isprintable()
        assert address_from(entry_of(an_address(city=city))) == an_address(city=city)
    assert field == "city"


def test_an_address_knows_where_it_came_from_and_shows_only_that_and_its_label() -> None:
    address = an_address(origin="tool")
    assert repr(address) == str(address) == "Address(label='Home', origin='tool')"
    found = address_from(entry_of(address))
    assert found == address
    assert found is not None
    assert found.origin == "tool"


@pytest.mark.parametrize("entry", ["", "[]", "{}", '{"label":"Home","origin":"person"}'])
def test_an_entry_that_was_not_written_here_gives_no_address(entry: str) -> None:
    assert address_from(SecretStr(entry)) is None


def test_an_entry_that_was_changed_by_hand_gives_no_address() -> None:
    changed = entry_of(an_address()).get_secret_value().replace("Seattle", "Sea\\u0000ttle")
    assert address_from(SecretStr(changed)) is None


def test_the_longest_address_fits_into_the_smallest_keyring_entry() -> None:
    address = an_address(label="ß" * 40, origin="person", **LONGEST)
    assert len(entry_of(address).get_secret_value().encode("utf-16-le")) < 2560
