"""A person's browser where no test is about browsers: it opens a link, and sends the page's form as a browser would."""

from __future__ import annotations

import re
from html import unescape
from http.cookiejar import CookieJar
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener


def filled(link: str, fields: dict[str, str]) -> str:
    """Open a link, fill in its form as a browser would send it, and read what comes."""
    browser = build_opener(HTTPCookieProcessor(CookieJar()))
    with browser.open(link) as answer:
        address, page = answer.url, answer.read().decode()
    return _sent(browser, address, fields | {"csrf": _csrf(page)})


def _csrf(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    return unescape(found[1])


def _sent(browser: OpenerDirector, address: str, fields: dict[str, str]) -> str:
    parts = urlsplit(address)
    request = Request(address, urlencode(fields).encode(), {"Origin": f"{parts.scheme}://{parts.netloc}"})
    with browser.open(request) as answer:
        return str(answer.read().decode())
