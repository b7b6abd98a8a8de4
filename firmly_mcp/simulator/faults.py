"""Faults on request: each is a row of ACTIONS, tied to the n-th request that matches.

An action works at one moment of a request: `head` (nothing of the body is read yet), `body` (part of it is), `before`
(all of it is, nothing is done), `pay` (inside a payment, right before the charge), `charged` (right after), `answer`
(done and on disk, not yet answered), `frames` (each event of a stream).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from firmly_mcp.simulator.answers import Json


class Action(NamedTuple):
    """What a fault does: at which moment, with which options (name to default; REQUIRED has none), in words."""

    moment: str
    options: Json
    does: str


REQUIRED = ...
VARIANT = {"store": REQUIRED, "sku": REQUIRED}
ERROR_EVENT = {"error": "ErrorNotEnoughStock", "event": "order-placed"}
WORLD: dict[str, Action] = {
    "set-price": Action("before", {**VARIANT, "cents": REQUIRED, "inside": False}, "another price"),
    "set-stock": Action("before", {**VARIANT, "left": REQUIRED, "inside": False}, "another stock"),
    "change-terms": Action(
        "before",
        {"store": REQUIRED, "tax_added": None, "shipping_added": None, "currency": None, "end_promo": None,
         "inside": False},
        "a store's tax (thousandths of a percent), shipping (cents) or currency changes, or a promotion ends",
    ),
    "rotate-key": Action("before", {"same_kid": False, "inside": False}, "another payment key, also under the old kid"),
    "advance-clock": Action("before", {"seconds": REQUIRED, "inside": False}, "time passes"),
}  # fmt: skip
ACTIONS: dict[str, Action] = {
    "reset-before-body": Action("head", {}, "the connection is reset once the head has arrived"),
    "reset-in-body": Action("body", {}, "the connection is reset when the first part of the body has arrived"),
    "reset-after-body": Action("before", {}, "the connection is reset when all has arrived; nothing is done"),
    "delay": Action("before", {"seconds": REQUIRED}, "waits, then works"),
    "refuse": Action(
        "before", {"error": REQUIRED, "status": None, "description": "Refused on request"}, "an error of the contract",
    ),
    "unauthorized": Action("before", {"error": "InvalidToken"}, "401"),
    "rate-limit": Action("before", {"retry_after": 1}, "429 with Retry-After"),
    "unavailable": Action("before", {"error": "ServiceUnavailable"}, "503"),
    "notice": Action("before", {"notice": "CART_ITEMS_REMOVED"}, "200 with the cart and a notice; nothing is done"),
    **WORLD,
    "hide-order": Action("charged", {"seconds": None}, "charged, but the cart reads active: for a while, or for ever"),
    "hide-cart": Action("charged", {"seconds": None}, "charged, but the cart is not found: for a while, or for ever"),
    "lie-amount": Action("answer", {"cents": REQUIRED}, "done, but the answer states another total"),
    "refuse-after": Action(
        "answer", {"error": "ErrorStoreUnavailable", "status": None, "description": "Refused on request"},
        "done, but the answer is an error",
    ),
    "gateway-timeout": Action("answer", {}, "done, but a proxy answers 504 with a page that is not JSON"),
    "lose-answer": Action("answer", {}, "done, but the connection is closed without an answer"),
    "delay-answer": Action("answer", {"seconds": REQUIRED}, "done, then waits"),
    "truncate": Action("answer", {"keep": 0.5}, "the connection is closed within the body, after this share of it"),
    "not-json": Action("answer", {"body": "<html><body>It works!</body></html>"}, "the body is not JSON"),
    "cut-stream": Action("frames", {"after": REQUIRED, "goes_on": True}, "closed after event k; does the order go on?"),
    "stall-stream": Action("frames", {"after": REQUIRED, "seconds": REQUIRED}, "silence after event k"),
    "repeat-event": Action("frames", {"event": REQUIRED}, "event k comes twice"),
    "swap-events": Action("frames", {"event": REQUIRED}, "event k comes after event k + 1"),
    "unknown-event": Action("frames", {"before": REQUIRED}, "an undocumented event comes before event k"),
    "malformed-event": Action("frames", {"event": REQUIRED}, "event k's data is not JSON"),
    "error-before": Action("frames", ERROR_EVENT, "an error event before the named event, and the order goes on"),
    "error-after": Action("frames", ERROR_EVENT, "an error event after the named event, and the order goes on"),
    "error-then-cut": Action(
        "frames", {**ERROR_EVENT, "goes_on": True},
        "an error event in place of the named event, then the connection closes; does the order go on?",
    ),
}  # fmt: skip


@dataclass
class Fault:
    """One fault that waits for its requests. `seen` counts requests that match, `hits` those that it acted on."""

    id: int
    action: str
    match: str
    n: int
    times: int | None
    options: Json
    seen: int = 0
    hits: int = 0

    @property
    def moment(self) -> str:
        """The moment of a request at which it works."""
        return "pay" if self.options.get("inside") else ACTIONS[self.action].moment

    def acts_on(self, names: Sequence[str]) -> bool:
        """Count a request, and return whether the fault acts on it."""
        if not any(fnmatchcase(name, self.match) for name in names):
            return False
        self.seen += 1
        acts = self.n <= self.seen and (self.times is None or self.seen < self.n + self.times)
        self.hits += acts
        return acts

    def to_json(self) -> Json:
        """Return the fault as the control path shows it."""
        names = ("id", "action", "match", "n", "times", "options", "hits")
        return {name: getattr(self, name) for name in names}


class Faults:
    """The faults that wait."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []
        self._ids = itertools.count(1)

    def add(self, action: str, match: str = "*", *, n: int = 1, times: int | None = 1, **options: Any) -> Fault:
        """Let a fault act on the n-th request that matches, and `times` in a row (None: all from there on).

        `match` is a pattern with `*` over the endpoint's name (`place_order_v2`), over `METHOD /path`, or over
        `host METHOD /path` where host is `api` or `payment`. Raises ValueError for an unknown action or option.
        """
        if action not in ACTIONS:
            raise ValueError(f"no action {action!r}; there are: {', '.join(sorted(ACTIONS))}")
        known = ACTIONS[action].options
        wrong = set(options) - set(known)
        missing = {name for name, default in known.items() if default is REQUIRED} - set(options)
        if wrong or missing:
            raise ValueError(
                f"{action}: options are {sorted(known)}; unknown {sorted(wrong)}, missing {sorted(missing)}"
            )
        fault = Fault(next(self._ids), action, match, n, times, {**known, **options})
        self.waiting.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all faults."""
        self.waiting.clear()

    def matching(self, names: Sequence[str]) -> list[Fault]:
        """Count a request under all its names, and return the faults that act on it."""
        return [fault for fault in self.waiting if fault.acts_on(names)]


def at(moment: str, faults: Sequence[Fault]) -> list[Fault]:
    """Return those of the faults that work at this moment."""
    return [fault for fault in faults if fault.moment == moment]
