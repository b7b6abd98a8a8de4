"""A ref names a variant, and unpacking gives back exactly what the catalog said."""

import json

from hypothesis import given
from hypothesis import strategies as st

from firmly_mcp.api import encoding

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
documented = st.fixed_dictionaries(
    {"variant_id": st.text()}, optional={"product_id": st.text(), "variant_handles": st.lists(st.text(), max_size=4)}
)
references = st.dictionaries(st.text(), json_values, max_size=5) | documented


@given(references)
def test_unpacking_a_packed_reference_gives_the_same_reference(reference: dict[str, object]) -> None:
    packed = encoding.pack(reference)
    assert encoding.unpack(packed) == reference
    assert packed.isascii() or packed == reference["variant_id"]
    assert packed == packed.strip()
    assert packed.isprintable()


@given(st.text())
def test_any_other_string_is_a_variant_id(text: str) -> None:
    unpacked = encoding.unpack(text)
    assert unpacked == {"variant_id": text} or encoding.pack(unpacked) == text or text.startswith(encoding.PREFIX)
    json.dumps(unpacked)


def test_a_variant_id_alone_is_its_own_ref() -> None:
    assert encoding.pack({"variant_id": "WS12-XS-Orange"}) == "WS12-XS-Orange"


def test_a_variant_id_that_looks_packed_is_packed() -> None:
    odd = {"variant_id": encoding.pack({"variant_id": "a", "product_id": "b"})}
    assert encoding.pack(odd) != odd["variant_id"]
    assert encoding.unpack(encoding.pack(odd)) == odd


def test_the_documented_form_is_short() -> None:
    reference = {"variant_id": "40123", "product_id": "70001", "variant_handles": ["color:blue", "size:large"]}
    assert len(encoding.pack(reference)) < 75


def test_a_ref_with_one_wrong_letter_is_no_other_product() -> None:
    packed = encoding.pack({"variant_id": "40123", "product_id": "70001"})
    for position in range(1, len(packed)):
        other = "A" if packed[position] != "A" else "B"
        damaged = packed[:position] + other + packed[position + 1 :]
        assert encoding.unpack(damaged) in ({"variant_id": damaged}, {"variant_id": "40123", "product_id": "70001"})


def test_a_ref_that_was_cut_is_no_other_product() -> None:
    packed = encoding.pack({"variant_id": "40123", "product_id": "70001"})
    assert encoding.unpack(packed[:-3]) == {"variant_id": packed[:-3]}
