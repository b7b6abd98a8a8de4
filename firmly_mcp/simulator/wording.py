"""What stores write, reworded: titles, descriptions, option names and values, notices, errors, wherever they are said.

Ids, amounts, addresses and the words that Firmly itself defines stay as they are, so that a hostile store still sells.
"""

import re
from collections.abc import Callable
from typing import Any

Wording = Callable[[str, str], str]  # the field's name and its text -> the text that is said instead

_WRITTEN = re.compile(
    r"title|description|display_name|brand|domain_name|product_type|tags|text|alt|message|variant_description"
    r"|estimated_delivery|carrier|variant_option_list|option\d+|l1|l2"
)
# `name` is a person's in an address, and a place's or an addon's elsewhere.
_NAMED = {"display", "selected_location", "fulfillment_type", "fulfillment_type_options"}


def reworded(body: Any, wording: Wording | None, within: str = "") -> Any:
    """The answer with every text that a store wrote in this wording."""
    if wording is None:
        return body
    if isinstance(body, dict):
        places = {key: f"{within}.name" if key == "name" else key for key in body}
        return {key: reworded(value, wording, places[key]) for key, value in body.items()}
    if isinstance(body, list):
        return [reworded(part, wording, within) for part in body]
    if isinstance(body, str) and _is_written(within):
        return wording(within, body)
    return body


def _is_written(field: str) -> bool:
    return bool(_WRITTEN.fullmatch(field)) or (field.removesuffix(".name") in _NAMED and field.endswith(".name"))
