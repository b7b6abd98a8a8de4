"""The rules that count now. What nobody accepted can only make them stricter: it refuses and asks, and allows nothing.

The refusals of the rules that were accepted last hold until the person accepts their change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from firmly_mcp.errors import SettingsError
from firmly_mcp.settings import PAGES_AT

from .accepted import RULES, Standing
from .rules import Allow, Ask, Deny, Rules, Verdict
from .rules_file import read_rules

# A card's command prints a card and no consent: without it there is one card less. Pages that are not accepted are not
# used, so they ask at this machine's own address.
_SAYS_NO_YES = frozenset({"card_command", *PAGES_AT})


@dataclass(frozen=True, slots=True)
class InForce:
    """The rules as they are written; `unaccepted` says what about them is not accepted, None where all is.

    `before` are the rules that were accepted last, where they are others and still known.
    """

    written: Rules
    unaccepted: str | None = None
    before: Rules | None = None

    def verdict(self, decide: Callable[[Rules], Verdict]) -> Verdict:
        """What they say of an order; `decide` is what given rules say of it."""
        said = decide(self.written)
        if self.unaccepted is None or isinstance(said, Deny):
            return said
        earlier = None if self.before is None else decide(self.before)
        if isinstance(earlier, Deny):
            return replace(earlier, reason=f"{earlier.reason} {self.unaccepted} Until then the earlier refusals hold.")
        return Ask("unaccepted", self.unaccepted) if isinstance(said, Allow) else said

    def pin_required(self, required: Callable[[Rules], bool]) -> bool:
        """Whether a yes needs the PIN; what is not accepted waives none."""
        return self.unaccepted is not None or required(self.written)


def in_force(standing: Standing, accept_command: str) -> InForce:
    """The rules that count, given what was accepted.

    Raises:
        SettingsError: they cannot be read, or contradict themselves; while they do, no order may be sent.
    """
    written = read_rules(standing.declared[RULES])
    missing = [name for name in standing.unaccepted if name not in _SAYS_NO_YES]
    if not missing:
        return InForce(written)
    return InForce(written, _in_words(missing, accept_command), _earlier(standing))


def _earlier(standing: Standing) -> Rules | None:
    text = standing.before.get(RULES) if RULES in standing.unaccepted else None
    try:
        return None if text is None else read_rules(text)
    except SettingsError:
        # Accepted under another version, whose rules were written otherwise.
        return None


def _in_words(missing: list[str], accept_command: str) -> str:
    what = ", ".join("your rules" if name == RULES else name for name in missing)
    return (
        f"Nobody has accepted {what} as now written, so nothing is allowed without asking: run `{accept_command}` in a "
        "terminal."
    )
