"""A person's browser for a golden: it opens a link, keeps the cookie, sends forms, and records every answer."""

from __future__ import annotations

import re
from http.client import HTTPConnection
from typing import Final
from urllib.parse import urlencode, urlsplit

from .household import Household
from .layout import quoted

_SECRET: Final = {"security_code", "pin", "pin_again", "own_pin", "number"}
_PASSING: Final = ("Reading the price at", "Checking the price at", "Placing the order at")
_LEFT_OUT: Final = {"date", "server", "content-length"}
_ALONE: Final = {"location", "set-cookie", "content-type"}


class Browser:
    """One visitor."""

    def __init__(self, home: Household, link: str, *, records: bool = True) -> None:
        self._home = home
        # Whether forms and what they lead to are recorded.
        self.records = records
        # Whether a page that goes on by itself is read until it has.
        self.waits = True
        parts = urlsplit(link)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.at = parts.netloc
        self.link = parts.path
        self._cookie = ""
        self.path = ""
        self.body = ""

    def open(self, *, recorded: bool = True) -> str:
        """Open the link and read the page that it leads to."""
        self._send("GET", self.link, recorded=recorded)
        return self.get(recorded=recorded)

    def get(self, path: str = "", *, recorded: bool = True, at_once: bool = False) -> str:
        """Read a page; one that goes on by itself is read again, unless it is wanted `at_once`."""
        while True:
            shown = self._send("GET", path or self.path, recorded=False)
            if at_once or not any(words in self.body for words in _PASSING):
                break
            if 'class="steps"' in self.body:  # the next step is waited for as the page's own script does
                page, told = self.body, self.body.count("<li>")
                self._send("GET", f"{path or self.path}progress?told={told}", recorded=False)
                self.body = page
        if recorded:
            self._home.note(shown)
        return self.body

    def post(self, **fields: str) -> str:
        """Send the page's form as a browser would, and read what comes."""
        hidden = dict(re.findall(r'<input type="hidden" name="(csrf|shown|doubt)" value="([^"]*)">', self.body))
        told = {
            name: "<typed>" if name in _SECRET or name.startswith("pin_") else value for name, value in fields.items()
        }
        if self.records:
            self._home.note(f">> {' '.join(f'{name}={value!r}' for name, value in told.items())}")
        body = urlencode({**hidden, **fields})
        usual = {"Origin": self.origin, "Content-Type": "application/x-www-form-urlencoded"}
        self._send("POST", self.path, body, usual, recorded=self.records)
        return self.get(recorded=self.records, at_once=not self.waits)

    def raw(self, method: str, path: str = "", **headers: str) -> None:
        """Send a request with these headers and no cookie unless they say so, and record the answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._home.note(f">> {named}")
        cookie, self._cookie = self._cookie, ""
        page, where = self.body, self.path
        try:
            self._send(method, path or self.path, headers=named)
        finally:
            self._cookie, self.body, self.path = cookie, page, where

    def _send(
        self,
        method: str,
        path: str,
        body: str | None = None,
        headers: dict[str, str] | None = None,
        recorded: bool = True,
    ) -> str:
        connection = HTTPConnection(self.at, timeout=30)
        sent = {**({"Cookie": self._cookie} if self._cookie else {}), **(headers or {})}
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        self.body = answer.read().decode()
        kept = [(name.lower(), value) for name, value in answer.getheaders() if name.lower() not in _LEFT_OUT]
        connection.close()
        found = dict(kept)
        if "set-cookie" in found:
            self._cookie = found["set-cookie"].partition(";")[0]
        if "location" in found:
            self.path = found["location"]
        usual = "\n".join(f"  {name}: {value}" for name, value in kept if name not in _ALONE)
        own = [f"{name}: {value}" for name, value in kept if name in _ALONE]
        body = quoted(self.body) if self.body else "(no body)"
        shown = "\n".join([f"{method} {path}", str(answer.status), *own, self._home.once("headers", usual), body])
        if recorded:
            self._home.note(shown)
        return shown
