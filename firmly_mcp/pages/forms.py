"""What a person typed: secret from the line that reads it on, and bounded before it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from pydantic import SecretStr
from starlette.requests import Request

from firmly_mcp.errors import FirmlyError, NotAllowed

# No form here comes near; what is longer is not read to its end.
LONGEST_BODY: Final = 16_384

_MOST_FIELDS: Final = 40


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form that was sent."""

    fields: Mapping[str, SecretStr]

    def secret(self, name: str) -> SecretStr:
        """A field that nobody may see, without the spaces around it; empty when it was not sent."""
        return SecretStr(self.text(name))

    def text(self, name: str) -> str:
        """A field without the spaces around it; empty when it was not sent."""
        typed = self.fields.get(name)
        return "" if typed is None else typed.get_secret_value().strip()


async def read_form(request: Request) -> Form:
    """Read the form of a request.

    Raises:
        NotAllowed: it is longer than any form here, or no form.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise NotAllowed("This is not a form of these pages. Nothing was sent.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_BODY:
            raise NotAllowed("This form is too long. Nothing was sent.")
    return _form_of(body)


def _form_of(body: bytes) -> Form:
    pairs: list[tuple[str, str]] | None
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        pairs = None
    if pairs is None:  # raised out here: the error above holds what was typed
        raise NotAllowed("This form cannot be read. Nothing was sent.")
    return Form({name: SecretStr(typed) for name, typed in pairs})


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an answer was not taken: beside the `field` that it is about, if it is about one."""

    message: str
    field: str = ""
    money_moved: str = ""

    @classmethod
    def of(cls, error: FirmlyError) -> Problem:
        """What the person is told of an error, with what is known about the money."""
        return cls(error.message, money_moved=error.money_moved)
