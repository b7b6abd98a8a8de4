"""A form that is saved once: what was typed is checked field by field, and nothing secret comes back on the page.

A page that was saved shows what was saved; a second click, an old form or the way back saves nothing more and tries no
PIN. What was wrong with a form is shown at the address that the browser is sent to, so that a reload sends nothing
again; until then only what is no secret of it is kept.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from pydantic import SecretStr
from starlette.responses import RedirectResponse, Response

from firmly_mcp.errors import FirmlyError
from firmly_mcp.redaction import holds_card_number

from .forms import Form, Problem
from .sessions import Asking

# A long form is typed slowly: each request gives so much time again.
TIME_TO_TYPE: Final = timedelta(minutes=20)
_READABLE: Final = timedelta(minutes=10)
# What has more digits than such a field needs may be a card number in the wrong place.
_MOST_DIGITS: Final = {"phone": 13}
_MOST_DIGITS_ELSEWHERE: Final = 9

_SENT_BEFORE: Final = Problem("This form was sent before, so it was not taken again. Fill in this one.")


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


# What comes back in the fields of a form after a problem; None before the first try.
Typed = Mapping[str, str] | None


class SavingPage:
    """The page around one form. `show` makes its answer, `save` checks and keeps the form, and says what was kept.

    `save` raises `Refused`, or a FirmlyError that is told above the form. `fields` are those that come back after a
    problem; `remarks` adds to the problems of a form what its secrets need.
    """

    def __init__(
        self,
        kind: str,
        *,
        show: Callable[[Asking, Typed, list[Problem]], Awaitable[Response]],
        save: Callable[[Asking, Form], Awaitable[Callable[[], Response]]],
        saving: Saving,
        now: Callable[[], datetime],
        fields: Sequence[str],
        remarks: Callable[[Form, list[Problem]], list[Problem]] = lambda _, problems: problems,
    ) -> None:
        self.kind = kind
        self.closes_at = now() + TIME_TO_TYPE
        self._show = show
        self._save = save
        self._saving = saving
        self._now = now
        self._fields = fields
        self._remarks = remarks
        self._typed: Typed = None
        self._problems: list[Problem] = []
        self._saved: Callable[[], Response] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def get(self, asking: Asking) -> Response:
        """The form; or, once it is saved, what was saved."""
        if self._saved is not None:
            self._saving.seen.set()
            return self._saved()
        self.closes_at = self._now() + TIME_TO_TYPE
        return await self._show(asking, self._typed, self._problems)

    async def post(self, asking: Asking, form: Form) -> Response:
        """Save the form, or keep what is wrong with it for the page that the browser is sent to.

        A form that was sent before saves nothing and tries no PIN: what came of it the first time stays on the page.
        """
        async with self._one_at_a_time:
            if self._saved is None and not asking.claim():
                self._problems = self._problems or [_SENT_BEFORE]
            elif self._saved is None:
                problems = await self._problems_with(asking, form)
                self._problems = self._remarks(form, problems)
                self._typed = no_secrets(form, self._fields) if problems else None
        return RedirectResponse(asking.path, 303)

    async def leave(self) -> None:
        """Nothing is held."""

    async def _problems_with(self, asking: Asking, form: Form) -> list[Problem]:
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


def shown_again(typed: Typed, names: Mapping[str, str]) -> dict[str, str]:
    """What was typed into these fields, for the next try; the default before the first."""
    return dict(names) if typed is None else {name: typed.get(name, "") for name in names}


def no_secrets(form: Form, fields: Sequence[str]) -> Mapping[str, str]:
    """What was typed into these fields and may be kept and shown: no card number, nor what may be one."""
    return {name: form.text(name) for name in fields if not may_be_a_card(name, form.secret(name))}


def may_be_a_card(name: str, typed: SecretStr) -> bool:
    """Whether a field holds a card number, or so many digits that it may be one that was mistyped."""
    text = typed.get_secret_value()
    most = _MOST_DIGITS.get(name, _MOST_DIGITS_ELSEWHERE)
    return holds_card_number(text) or sum(map(str.isdigit, text)) > most
