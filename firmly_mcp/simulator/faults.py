"""Faults on request: each is a row of ACTIONS, tied to the n-th request that matches.

An action works at one moment of a request's life: `head` (nothing of the body is read yet), `body` (part of it
is), `before` (all of it is, nothing was done), `pay` (inside a payment, right before the charge), `charged`
(right after), `answer` (done and on disk, not yet answered), `frames` (each event of a stream). What an action
may be told stands in its options.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, NamedTuple


class Action(NamedTuple):
    """What a fault does: at which moment, with which options (name to default; `...` must be given), in words."""

    moment: str
    options: dict[str, Any]
    does: str


REQUIRED = ...
WORLD: dict[str, Action] = {
    "set-price": Action(
        "before", {"store": REQUIRED, "sku": REQUIRED, "cents": REQUIRED, "inside": False}, "another price"
    ),
    "set-stock": Action(
        "before", {"store": REQUIRED, "sku": REQUIRED, "left": REQUIRED, "inside": False}, "so many left"
    ),
    "change-terms": Action(
        "before",
        {
            "store": REQUIRED,
            "tax_added": None,
            "shipping_added": None,
            "currency": None,
            "end_promo": None,
            "inside": False,
        },
        "a store's tax (thousandths of a percent), shipping (cents), currency changes, or a promotion ends",
    ),
    "rotate-key": Action(
        "before", {"same_kid": False, "inside": False}, "the payment key is another one, under another kid or the same"
    ),
    "advance-clock": Action("before", {"seconds": REQUIRED, "inside": False}, "time passes"),
}
ACTIONS: dict[str, Action] = {
    "reset-before-body": Action("head", {}, "the connection is reset once the head has arrived"),
    "reset-in-body": Action("body", {}, "the connection is reset when the first part of the body has arrived"),
    "reset-after-body": Action("before", {}, "the connection is reset when all has arrived; nothing is done"),
    "delay": Action("before", {"seconds": REQUIRED}, "waits, then works"),
    "refuse": Action(
        "before", {"error": REQUIRED, "status": None, "description": "Refused on request"}, "an error of the contract"
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
    "unknown-event": Action("frames", {"before": REQUIRED}, "an event nobody knows comes before event k"),
    "malformed-event": Action("frames", {"event": REQUIRED}, "event k's data is not JSON"),
    "error-before": Action(
        "frames", {"error": "ErrorNotEnoughStock", "event": "order-placed"},
        "an error event comes before the named event, and the order goes on",
    ),
    "error-after": Action(
        "frames", {"error": "ErrorNotEnoughStock", "event": "order-placed"},
        "an error event comes after the named event, and the order goes on",
    ),
    "error-then-cut": Action(
        "frames", {"error": "ErrorNotEnoughStock", "event": "order-placed", "goes_on": True},
        "an error event comes in place of the named event, then the connection closes; does the order go on?",
    ),
}  # fmt: skip


@dataclass
class Fault:
    """One fault that waits for its requests. `hits` tells how often it struck."""

    id: int
    action: str
    match: str
    n: int
    times: int | None
    options: dict[str, Any]
    seen: int = 0
    hits: int = 0

    @property
    def moment(self) -> str:
        """When in a request's life it works."""
        return "pay" if self.options.get("inside") else ACTIONS[self.action].moment

    def strikes(self, names: Sequence[str]) -> bool:
        """Count a request, and tell whether it is one of those meant."""
        if not any(fnmatchcase(name, self.match) for name in names):
            return False
        self.seen += 1
        struck = self.n <= self.seen and (self.times is None or self.seen < self.n + self.times)
        self.hits += struck
        return struck

    def to_json(self) -> dict[str, Any]:
        """As it is shown on the control path."""
        return {
            "id": self.id,
            "action": self.action,
            "match": self.match,
            "n": self.n,
            "times": self.times,
            "options": self.options,
            "hits": self.hits,
        }


@dataclass
class Faults:
    """The faults that wait."""

    waiting: list[Fault] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1), repr=False)

    def add(self, action: str, match: str = "*", *, n: int = 1, times: int | None = 1, **options: Any) -> Fault:
        """Let a fault strike the n-th request that matches, and `times` in a row (None: all from there on).

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
        """Let nothing strike any more."""
        self.waiting.clear()

    def struck(self, names: Sequence[str]) -> list[Fault]:
        """Count a request under all its names; the faults that strike it."""
        return [fault for fault in self.waiting if fault.strikes(names)]


def at(moment: str, faults: Sequence[Fault]) -> list[Fault]:
    """Those of the faults that work at this moment."""
    return [fault for fault in faults if fault.moment == moment]
