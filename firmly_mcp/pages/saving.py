"""A form that is saved once: what was typed is checked field by field, and nothing secret comes back on the page.

A page that was saved shows what was saved; a second click, an old form or the way back saves nothing more.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import SecretStr
from starlette.responses import RedirectResponse, Response

from firmly_mcp.card_numbers import holds_card_number
from firmly_mcp.errors import FirmlyError

from .answers import Problem
from .forms import Form
from .visits import Asking

# A long form is typed slowly: each request gives so much time again.
TIME_TO_TYPE: Final = timedelta(minutes=20)
_READABLE: Final = timedelta(minutes=10)
# What has more digits than such a field needs may be a card number in the wrong place.
_MOST_DIGITS: Final = {"phone": 13}
_MOST_DIGITS_ELSEWHERE: Final = 9


@dataclass(slots=True)
class Saving:
    """A form that a person was sent to; `subject` names it.

    `done` is set once it is saved, and `seen` once the person was shown what was saved.
    """

    kind: str
    link: str = ""
    subject: str = field(default_factory=lambda: f"page_{secrets.token_hex(8)}")
    done: asyncio.Event = field(default_factory=asyncio.Event)
    seen: asyncio.Event = field(default_factory=asyncio.Event)


class Refused(Exception):
    """A form that was not saved, and why; never holds what was typed."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("refused")
        self.problems = problems


class SavingPage:
    """The page around one form. `show` makes its answer, `save` checks and keeps the form, and says what was kept.

    `save` raises `Refused`, or a FirmlyError that is told above the form.
    """

    def __init__(
        self,
        kind: str,
        *,
        show: Callable[[Asking, Form, list[Problem]], Awaitable[Response]],
        save: Callable[[Asking, Form], Awaitable[Callable[[], Response]]],
        saving: Saving,
        now: Callable[[], datetime],
    ) -> None:
        self.kind = kind
        self.closes_at = now() + TIME_TO_TYPE
        self._show = show
        self._save = save
        self._saving = saving
        self._now = now
        self._saved: Callable[[], Response] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def get(self, asking: Asking) -> Response:
        """The form; or, once it is saved, what was saved."""
        if self._saved is not None:
            self._saving.seen.set()
            return self._saved()
        self.closes_at = self._now() + TIME_TO_TYPE
        return await self._show(asking, Form({}), [])

    async def post(self, asking: Asking, form: Form) -> Response:
        """Save the form, or show what is wrong with it."""
        async with self._one_at_a_time:
            if self._saved is None:
                problems = await self._problems(asking, form)
                if problems:
                    self.closes_at = self._now() + TIME_TO_TYPE
                    return await self._show(asking, form, problems)
        return RedirectResponse(asking.path, 303)

    async def leave(self) -> None:
        """Nothing is held."""

    async def _problems(self, asking: Asking, form: Form) -> list[Problem]:
        """Why it was not saved; nothing when it was."""
        try:
            self._saved = await self._save(asking, form)
        except Refused as refused:
            return refused.problems
        except FirmlyError as error:
            return [Problem.of(error)]
        self.closes_at = self._now() + _READABLE
        self._saving.done.set()
        return []


def shown_again(form: Form, names: Mapping[str, str]) -> dict[str, str]:
    """What was typed into these fields, for the next try; the default before the first. No card number comes back."""
    if not form.fields:
        return dict(names)
    return {name: "" if may_be_a_card(name, form.secret(name)) else form.text(name) for name in names}


def may_be_a_card(name: str, typed: SecretStr) -> bool:
    """Whether a field holds a card number, or so many digits that it may be one that was mistyped."""
    text = typed.get_secret_value()
    most = _MOST_DIGITS.get(name, _MOST_DIGITS_ELSEWHERE)
    return holds_card_number(text) or sum(map(str.isdigit, text)) > most


def with_status(response: Response, problems: list[Any]) -> Response:
    """A form that was refused is not a page that was found."""
    if problems:
        response.status_code = 422
    return response
