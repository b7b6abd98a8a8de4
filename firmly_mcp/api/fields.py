"""Missing fields are normal, unknown ones are ignored, wrong types are a clear error, and no number is ever guessed.

Null is the same as missing. What contradicts in an answer is kept in `inconsistencies`: our sentences, no store text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Annotated, Any, ClassVar, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, ValidationInfo, model_validator

from firmly_mcp.errors import UnexpectedAnswer
from firmly_mcp.money import Money, minor_units

T = TypeVar("T")
Model = TypeVar("Model", bound="FirmlyModel")

# Sums of stores are far below; what is above is no price, and its digits would fill a screen.
_LARGEST: Final = Decimal(10) ** 12
# JavaScript writes 53.4 as 53.400000000000006: such noise is below this, and no currency's unit is.
_NOISE: Final = Decimal("0.000001")
_CURRENCY: Final = re.compile("[A-Z]{3}")


# One contradiction is enough to pay nothing; more than these do not help a reader.
_MOST_INCONSISTENCIES: Final = 10


class _Wrong(ValueError):
    """A field of the wrong type, for pydantic to collect."""


@dataclass
class ParseContext:
    """What is known of one answer as a whole: its only currency, and the inconsistencies found so far."""

    currency: str | None = None
    inconsistencies: list[str] = field(default_factory=list)

    def report(self, sentence: str) -> None:
        """Keep a contradiction, once; of very many, the first ones."""
        if len(self.inconsistencies) < _MOST_INCONSISTENCIES and sentence not in self.inconsistencies:
            self.inconsistencies.append(sentence)


class FirmlyModel(BaseModel):
    """Something that Firmly sent. `aliases` maps a name that some stores use to the documented one."""

    # Built when first read: a command that reads nothing does not wait for fifty models.
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, defer_build=True)
    aliases: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _apply_aliases(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        found = {ours: raw[theirs] for theirs, ours in cls.aliases.items() if raw.get(theirs) is not None}
        return raw | {ours: value for ours, value in found.items() if raw.get(ours) is None} if found else raw

    def find_inconsistencies(self) -> Iterable[str]:
        """What contradicts within this answer, a sentence each, for a model that keeps `inconsistencies`."""
        return ()


def read(model: type[Model], raw: object) -> Model:
    """Read a JSON value as a model; one with `inconsistencies` carries what contradicts in it.

    Raises:
        UnexpectedAnswer: not an object, or a field has the wrong type; it names the field, never the value.
    """
    currencies = set(_currencies(raw))
    context = ParseContext(currency=_only(currencies))
    try:
        value = model.model_validate(raw, context=context)
    except ValidationError as error:
        raise UnexpectedAnswer(f"Firmly's answer is outside its contract: {_places(error)}.") from None
    if "inconsistencies" not in model.model_fields:
        return value
    if len(currencies) > 1:
        context.report("the amounts are in more than one currency")
    for sentence in islice(value.find_inconsistencies(), _MOST_INCONSISTENCIES):
        context.report(sentence)
    return value.model_copy(update={"inconsistencies": tuple(context.inconsistencies)})


def parse_json(content: bytes) -> object:
    """JSON with every decimal as it was written.

    Raises:
        ValueError: not JSON, nested too deeply, or holding NaN or Infinity.
    """
    try:
        return json.loads(content, parse_float=Decimal, parse_constant=_no_constant)
    except (RecursionError, ArithmeticError):
        raise ValueError("nested too deeply, or a number beyond all numbers") from None


def names_each_field_once(content: bytes) -> bool:
    """Return whether no object in this JSON has two fields of one name, of which readers take different ones."""
    repeated = False

    def look(pairs: list[tuple[str, object]]) -> dict[str, object]:
        nonlocal repeated
        read = dict(pairs)
        repeated |= len(read) < len(pairs)
        return read

    try:
        json.loads(content, object_pairs_hook=look, parse_float=Decimal)
    except RecursionError:
        return False
    return not repeated


def plain_json(value: object) -> object:
    """The same JSON without Decimals, as Python's own encoder takes it.

    Raises:
        ValueError: a number is beyond a double, which is what JSON readers use.
    """
    if isinstance(value, Decimal):
        number = float(value)
        if abs(number) == float("inf"):
            raise ValueError("not a number of JSON")
        return number
    if isinstance(value, Mapping):
        return {name: plain_json(item) for name, item in value.items()}
    return [plain_json(item) for item in value] if isinstance(value, list | tuple) else value


def _text(value: object) -> object:
    if value is None or isinstance(value, str):
        return value
    raise _Wrong("should be text")


def _id(value: object) -> object:
    # Some platforms number their variants and orders; an id is opaque all the same.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(value)


def _flag(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    raise _Wrong("should be true or false")


def _count(value: object) -> object:
    if value is None:
        return None
    number = _decimal(value)
    if abs(number - round(number)) > _NOISE:
        raise _Wrong("should be a whole number")
    return round(number)


def _number(value: object) -> object:
    return None if value is None else _decimal(value)


def _many(value: object) -> object:
    if value is None:
        return ()
    if isinstance(value, list | tuple):
        return tuple(item for item in value if item is not None)
    raise _Wrong("should be a list")


def _decimal(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _Wrong("should be a number")
    # Compared before it is computed with: a Decimal of a billion digits is one short JSON number.
    if not -_LARGEST < value < _LARGEST:
        raise _Wrong("should be a number of a sensible size")
    return _without_long_tail(Decimal(value))


def _without_long_tail(number: Decimal) -> Decimal:
    exponent = number.as_tuple().exponent
    return round(number, 12) if isinstance(exponent, int) and exponent < -12 else number


def _money(value: object, info: ValidationInfo) -> object:
    """Firmly's money object: `value` in major units, `number` in minor units, either, or both (Firmly: get-cart)."""
    if value is None or isinstance(value, Money):
        return value
    if not isinstance(value, dict):
        raise _Wrong("should be an amount")
    context = info.context if isinstance(info.context, ParseContext) else ParseContext()
    major, minor = _number(value.get("value")), _count(value.get("number"))
    if major is None and minor is None:
        return None
    currency = _currency(value.get("currency")) or context.currency
    if currency is None:
        context.report(f"{info.field_name} has no currency")
        return None
    by_number = Money.from_minor(minor, currency) if isinstance(minor, int) else None
    if not isinstance(major, Decimal):
        return by_number
    by_value = Money.parse(_without_noise(major, currency), currency)
    if by_number is not None and by_number.amount != by_value.amount:
        context.report(f"{info.field_name} is {by_value.plain} by its value and {by_number.plain} by its number")
    return by_value


def _without_noise(amount: Decimal, currency: str) -> Decimal:
    rounded = round(amount, minor_units(currency))
    return rounded if abs(rounded - amount) < _NOISE else amount


def _currency(value: object) -> str | None:
    text = _text(value)
    if not isinstance(text, str) or not text.strip():
        return None
    code = text.strip().upper()
    if _CURRENCY.fullmatch(code):
        return code
    raise _Wrong("should be a currency of three letters")


def _currencies(raw: object) -> Iterator[str]:
    """The currency of every amount anywhere in an answer; without recursion, for answers are as deep as they like."""
    left = [raw]
    while left:
        item = left.pop()
        if isinstance(item, dict):
            left.extend(item.values())
            code = item.get("currency")
            if isinstance(code, str) and code.strip() and ("value" in item or "number" in item):
                yield code.strip().upper()
        elif isinstance(item, list):
            left.extend(item)


def _only(currencies: set[str]) -> str | None:
    found = list(currencies)
    return found[0] if len(found) == 1 and _CURRENCY.fullmatch(found[0]) else None


def _places(error: ValidationError) -> str:
    """Where and why, in our own words: the path is made of field names and positions, the reason of the type."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    first = problems[0]
    place = ".".join(str(part) for part in first["loc"]) or "the answer"
    more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
    return f"{place} {first['msg'].removeprefix('Value error, ').removeprefix('Input ')}{more}"


def _no_constant(_name: str) -> object:
    raise ValueError("NaN and Infinity are not JSON")


def _none(_value: object) -> tuple[str, ...]:
    return ()


def _not_sent(_value: object) -> bool:
    return False


Text = Annotated[str | None, BeforeValidator(_text)]
Id = Annotated[str | None, BeforeValidator(_id)]
IdText = Annotated[str, BeforeValidator(_id)]
Flag = Annotated[bool | None, BeforeValidator(_flag)]
Count = Annotated[int | None, BeforeValidator(_count)]
Number = Annotated[Decimal | None, BeforeValidator(_number)]
Amount = Annotated[Money | None, BeforeValidator(_money)]
ListOf = Annotated[tuple[T, ...], BeforeValidator(_many)]
# Set by us alone: a field of this name in an answer is ignored.
Inconsistencies = Annotated[tuple[str, ...], BeforeValidator(_none)]
LocalFlag = Annotated[bool, BeforeValidator(_not_sent)]
