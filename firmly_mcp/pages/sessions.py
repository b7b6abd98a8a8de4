"""Who may see a page: the one who opens its one-time link, with the cookie that the link was swapped for.

A link works once. Secrets are found by their digest, so a lookup's time says nothing about them. After its page has
closed, neither a link nor a cookie is worth anything.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from pydantic import SecretStr
from starlette.responses import Response

from firmly_mcp.wallet.pin import ApprovalProof

from .forms import Form

# More pages at once than any person has; a program that asks for links without end must not fill the memory.
_MOST: Final = 100
# More showings of one page than a person reads: a page that waits shows itself once a second.
_MOST_FORMS: Final = 1000


def new_secret() -> str:
    """256 bits that nobody guesses, as they stand in an address or a cookie."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Asking:
    """One request to a page: which part of it, with which query; and what its forms need to come back here.

    `claim` is True once for each showing of the page: a form that is sent again after that decides and tries nothing.
    """

    path: str
    csrf: str
    part: str = ""
    query: dict[str, str] = field(default_factory=dict)
    claim: Callable[[], bool] = lambda: False

    def proof(self, pin: SecretStr | None) -> ApprovalProof:
        """The proof of the person who sent this page's form, with the PIN that they typed.

        A request becomes an `Asking` only once its link's cookie was checked, and a form its own secret.
        """
        return ApprovalProof("page", pin)


class Page(Protocol):
    """Something that a person is asked. It is made with its link, and each page has one visitor."""

    @property
    def kind(self) -> str:
        """The first part of its path."""

    @property
    def closes_at(self) -> datetime:
        """Until when its link and its cookie are worth something; it may move while the page is open."""

    async def get(self, asking: Asking) -> Response:
        """Show it."""

    async def post(self, asking: Asking, form: Form) -> Response:
        """Take what a person answered."""

    async def leave(self) -> None:
        """Nobody comes back: let go of what was held for the visitor."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A page and the one browser that may see it."""

    id: str
    page: Page
    csrf: str
    cookie_digest: str
    _forms: dict[str, None] = field(default_factory=dict, repr=False)

    @property
    def path(self) -> str:
        """Where the page is; it holds no secret that opens it."""
        return f"/{self.page.kind}/{self.id}/"

    def new_form(self) -> str:
        """What the forms of one showing of the page come back with: the visit's own secret, and the showing's."""
        form = secrets.token_urlsafe(12)
        self._forms[form] = None
        if len(self._forms) > _MOST_FORMS:
            del self._forms[next(iter(self._forms))]
        return f"{self.csrf}.{form}"

    def may_post(self, csrf: str) -> bool:
        """Whether a form was this visit's own."""
        return hmac.compare_digest(csrf.partition(".")[0].encode(), self.csrf.encode())

    def claim(self, csrf: str) -> bool:
        """Whether the showing that this form was on has not been answered; from now on it is."""
        form = csrf.partition(".")[2]
        if form not in self._forms:
            return False
        del self._forms[form]
        return True


@dataclass(frozen=True, slots=True)
class _Invitation:
    secret: str
    subject: str
    page: Page


class PageSessions:
    """The links that wait and the pages that are open, in memory alone."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._invitations: dict[str, _Invitation] = {}
        self._visits: dict[str, Visit] = {}

    def waiting(self, subject: str) -> str | None:
        """The secret of a link on this subject that nobody has opened yet."""
        here = (invited for invited in self._invitations.values() if invited.subject == subject)
        return next((invited.secret for invited in here if self._is_open(invited.page)), None)

    def invite(self, page: Page, subject: str) -> str:
        """The secret of a new link to a page."""
        secret = new_secret()
        self._invitations[_digest(secret)] = _Invitation(secret, subject, page)
        return secret

    def enter(self, secret: str) -> tuple[Visit, str] | None:
        """Swap a link's secret for a visit and its cookie; None if it is wrong, was used, or its page has closed."""
        invited = self._invitations.pop(_digest(secret), None)
        if invited is None or not self._is_open(invited.page):
            return None
        cookie = new_secret()
        visit = Visit(new_secret(), invited.page, csrf=new_secret(), cookie_digest=_digest(cookie))
        self._visits[visit.id] = visit
        return visit, cookie

    def of(self, kind: str, visit_id: str, cookie: str) -> Visit | None:
        """The visit of this path, if the cookie is its own and its page is open."""
        visit = self._visits.get(visit_id)
        if visit is None or visit.page.kind != kind or not self._is_open(visit.page):
            return None
        return visit if hmac.compare_digest(_digest(cookie), visit.cookie_digest) else None

    def closes_at(self) -> datetime | None:
        """When the last of the pages closes; None where there is none."""
        return max((page.closes_at for page in self._pages()), default=None)

    async def sweep(self, *, all_of_them: bool = False) -> None:
        """Leave the pages that have closed, and the oldest where there are too many."""
        surplus = max(0, len(self._invitations) + len(self._visits) - _MOST)
        left = [page for page in self._pages() if all_of_them or not self._is_open(page)]
        left += [page for page in self._pages() if page not in left][: max(0, surplus - len(left))]
        self._invitations = {key: held for key, held in self._invitations.items() if held.page not in left}
        self._visits = {key: held for key, held in self._visits.items() if held.page not in left}
        for page in left:
            await page.leave()

    def _pages(self) -> Iterator[Page]:
        yield from (invited.page for invited in self._invitations.values())
        yield from (visit.page for visit in self._visits.values())

    def _is_open(self, page: Page) -> bool:
        return self._now() < page.closes_at


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
