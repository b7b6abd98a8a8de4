"""Reads the rules file. One that is unreadable or contradicts itself is refused whole, with the line and the key."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from firmly_mcp.errors import SettingsError
from firmly_mcp.money import CURRENCIES, nearest_currency
from firmly_mcp.wallet.entries import label_key, label_problem

from .evaluate import WINDOWS
from .rules import AddressRules, CurrencyRules, HourRules, Limits, OrderRules, Rules, StoreRules, in_quotes

Path = Sequence[str]

_CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)

_TABLES: Final[Mapping[str, type[BaseModel]]] = {
    "stores": StoreRules,
    "addresses": AddressRules,
    "orders": OrderRules,
    "hours": HourRules,
}

_AMOUNT: Final = 'has to be an amount such as "50.00", of at most 15 digits before the point'

_LIST: Final = 'has to be a list of names such as ["luma.gift"]'

_WORDS: Final = {
    "decimal_parsing": _AMOUNT,
    "decimal_type": _AMOUNT,
    "finite_number": _AMOUNT,
    "greater_than_equal": "is too small",
    "less_than_equal": _AMOUNT,
    "bool_type": "has to be true or false",
    "int_type": "has to be a whole number",
    "literal_error": 'has to be "ask" or "refuse"',
    "missing": "is missing",
    "dict_type": "has to be a table",
    "mapping_type": "has to be a table",
    "model_type": "has to be a table",
    "tuple_type": _LIST,
    "string_type": "is not a text in quotes",
}


def read_rules(text: str) -> Rules:
    """The rules in a file's text.

    Raises:
        SettingsError: unreadable or contradictory; while it is, no order may be sent.
    """
    try:
        written = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"The rules are not valid TOML: {error}. No order is sent until they are.") from None
    except (ValueError, ArithmeticError, RecursionError):
        raise _wrong("a number is too long, or tables or lists lie too deep in each other") from None
    try:
        rules = Rules.model_validate(_in_tables(written, text))
    except ValidationError as error:
        raise _wrong(_places(text, map(_explained, error.errors(include_url=False)))) from None
    if labels := _places(text, _no_labels(rules)):
        raise _wrong(labels)
    if contradictions := _places(text, _contradictions(rules, written)):
        raise SettingsError(f"The rules contradict each other: {contradictions}. No order is sent until they do not.")
    return rules


def _in_tables(written: Mapping[str, Any], text: str) -> dict[str, Any]:
    tables: dict[str, Any] = {"limits": {}}
    unknown = []
    for name, table in written.items():
        if name in _TABLES:
            tables[name] = table
        elif name in CURRENCIES:
            tables["limits"][name] = table
        else:
            unknown.append(([name], _unknown_table(name)))
    if unknown:
        raise _wrong(_places(text, unknown))
    return tables


def _unknown_table(name: str) -> str:
    if name in CurrencyRules.model_fields:
        return "has to stand in the table of a currency, such as [USD]"
    currency = nearest_currency(name)
    meant = f" (did you mean {currency}?)" if currency else ""
    if _CURRENCY.fullmatch(name):
        return f"is no currency of ISO 4217, so its limits would hold for nothing{meant}"
    nearest = _nearest(name, _TABLES) or meant
    return f"is neither a currency such as USD nor one of {', '.join(_TABLES)}{nearest}"


def _explained(problem: ErrorDetails) -> tuple[Path, str]:
    """Where a problem is in the file, and what it is, for the person who wrote it."""
    loc = [str(part) for part in problem["loc"] if part != "[key]"]
    path = loc[1:] if loc[0] == "limits" else loc
    if problem["type"] == "extra_forbidden":
        return path, _unknown(path)
    what = _WORDS.get(problem["type"], problem["msg"])
    if problem["type"] == "value_error":
        what = str(problem["ctx"]["error"])
    return (path[:-1], f"has an entry that {what}") if path[-1].isdecimal() else (path, what)


def _unknown(path: Path) -> str:
    if len(path) > 3 and path[1] in {"stores", "cards"} and path[3] not in Limits.model_fields:
        whole = f'{path[0]}.{path[1]}."{".".join(path[2:])}"'
        nearest = _nearest(path[3], Limits.model_fields)
        return "is no rule" + (nearest or f"; a name with a dot in it stands in quotes, [{whole}]")
    table = _TABLES.get(path[0], CurrencyRules if len(path) == 2 else Limits)
    return f"is no rule{_nearest(path[-1], [field.alias or name for name, field in table.model_fields.items()])}"


def _nearest(name: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    found = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {found[0]}?)" if found else ""


def _no_labels(rules: Rules) -> Iterator[tuple[Path, str]]:
    """Limits for a card whose label no card can have. It is not repeated: it may be a card number."""
    for currency, limits in rules.limits.items():
        for label in limits.cards:
            if problem := label_problem(label):
                yield [currency, "cards"], f"has limits for a card that there cannot be. {problem}".rstrip(".")


def _contradictions(rules: Rules, written: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    for currency, limits in rules.limits.items():
        yield from _crossed([currency], limits)
        for group, tables in (("stores", limits.stores), ("cards", limits.cards)):
            for name, table in tables.items():
                yield from _crossed([currency, group, name], table)
        yield from _twice([currency, "stores"], written[currency].get("stores", {}))
        yield from _twice([currency, "cards"], written[currency].get("cards", {}))
        yield from _closed(rules, currency)
    yield from _stores_at_odds(rules.stores)
    if rules.hours is not None and rules.hours.begin == rules.hours.end:
        yield ["hours", "to"], "is the same time as from"


def _stores_at_odds(stores: StoreRules) -> Iterator[tuple[Path, str]]:
    for store in stores.refused:
        for other, named in (("allowed", stores.allowed), ("without_asking", stores.without_asking)):
            if store in (named or ()):
                yield ["stores", other], f"has {store}, and so has stores.refused"
    for store in stores.without_asking or ():
        if stores.allowed is not None and store not in stores.allowed:
            yield ["stores", "without_asking"], f"has {store}, and stores.allowed does not"


def _crossed(path: Path, limits: Limits) -> Iterator[tuple[Path, str]]:
    """Where an order would be refused before it is asked about."""
    for over in ("", *(f"_a_{window}" for window in WINDOWS)):
        ask, refuse = getattr(limits, f"ask_above{over}"), getattr(limits, f"refuse_above{over}")
        if ask is not None and refuse is not None and ask > refuse:
            yield [*path, f"ask_above{over}"], f"is above refuse_above{over}"


def _twice(path: Path, names: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    seen: dict[str, str] = {}
    for name in names:
        if (first := seen.setdefault(label_key(name), name)) != name:
            yield [*path, name], f"is {first} once more, for upper and lower case are the same"


def _closed(rules: Rules, currency: str) -> Iterator[tuple[Path, str]]:
    """Limits for a store where no order is let through."""
    allowed = rules.stores.allowed
    for store in rules.limits[currency].stores:
        if store in rules.stores.refused:
            yield [currency, "stores", store], "has limits, and stores.refused refuses it"
        elif allowed is not None and store not in allowed:
            yield [currency, "stores", store], "has limits, and stores.allowed does not have it"


def _places(text: str, problems: Iterable[tuple[Path, str]]) -> str:
    """What is wrong and where, from the top of the file down."""
    found = sorted((line_of(text, path) or 0, ".".join(map(in_quotes, path)), what) for path, what in problems)
    return "; ".join(f"{f'line {line}: ' if line else ''}{key} {what}" for line, key, what in found)


def _wrong(places: str) -> SettingsError:
    return SettingsError(f"The rules are wrong: {places}. No order is sent until they are right.")


# On which line of a TOML text a key is written, for messages; the parser itself tells only of errors of form.


def line_of(text: str, path: Sequence[str]) -> int | None:
    """The line, counted from 1, of a key, or of the nearest table around it that is written; None without one."""
    best, line = 0, None
    for number, written in _keys(text):
        shared = _shared(written, path)
        # A deeper place is nearer; of two as deep, the key itself before one that merely lies beside it.
        if shared > best and (shared == len(written) or shared == len(path)):
            best, line = shared, number
    return line


def _keys(text: str) -> Iterator[tuple[int, list[str]]]:
    """Each line that begins a table or gives a key, and the key's full path."""
    table: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            table = _path(stripped) or table
            yield number, table
        elif "=" in stripped and (key := _path(stripped.split("=", 1)[0] + "= 0")):
            yield number, [*table, *key]


def _path(line: str) -> list[str]:
    """The names in a table's header or a lone key; empty for what is neither, such as a line inside a text."""
    try:
        found: Any = tomllib.loads(line)
    except ValueError:
        return []
    names: list[str] = []
    while isinstance(found, dict) and found:
        name, found = next(iter(found.items()))
        names.append(name)
    return names


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
