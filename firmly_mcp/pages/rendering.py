"""Templates to answers. Everything is escaped; a name that a template uses and that has no value is an error.

Text from stores is cleaned before it comes here; nothing that a person typed as a secret does.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from firmly_mcp.money import Money

_COMMAND: Final = re.compile("`([^`]{1,200})`")
_HERE: Final = Path(__file__).parent
STATIC: Final = _HERE / "static"
_BRANDS: Final = {"amex": "American Express", "diners": "Diners Club", "jcb": "JCB", "unionpay": "UnionPay"}


def brand_name(brand: str) -> str:
    """A card's brand as it calls itself."""
    return _BRANDS.get(brand, brand.capitalize())


class Rendering:
    """The templates, for the pages of one environment."""

    def __init__(self, environment: str) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.filters |= {"money": Money.display, "utc": _in_utc, "brand": brand_name, "told": _told}
        self._templates.globals |= {"environment": environment, "refresh": None, "page_title": ""}

    def page(self, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """A page."""
        return HTMLResponse(self._templates.get_template(f"{template}.html").render(**values), status)

    def message(self, name: str, *, status: int, **values: Any) -> HTMLResponse:
        """A page that says one thing and asks nothing."""
        return self.page(f"messages/{name}", status=status, **values)


def _told(words: str) -> Markup:
    """A sentence of ours, in which backticks mean a command."""
    return Markup(_COMMAND.sub(r"<code>\1</code>", str(escape(words))))  # noqa: S704 - escaped right here


def _in_utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
