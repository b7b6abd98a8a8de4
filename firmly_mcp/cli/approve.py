"""A person approves an order in a terminal: every term, the total, why they are asked, then the code and the PIN.

The answer is read from the controlling terminal and never from standard input, so no program can pipe one in. The yes
places the order here and now, and this program follows it to its end. A slip decides nothing: it is asked again.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TextIO, TypeVar

import click

from firmly_mcp.errors import NotAllowed, PinRefused, QuoteChanged

from .orders import attempt_row, questions
from .output import examples, give, json_option, with_placement
from .prompt import answered, controlling_terminal, decided, no_pin, proof_at, unseen

if TYPE_CHECKING:
    from pydantic import SecretStr

    from firmly_mcp.checkout.flow import Checkout
    from firmly_mcp.checkout.models import Approval, Attempt
    from firmly_mcp.checkout.quote import Term
    from firmly_mcp.checkout.review import Review
    from firmly_mcp.money import Money

T = TypeVar("T")

CHANNEL: Final = "terminal"

_LEFT_OPEN: Final = "Nothing was sent, and the question stays open: run `firmly-mcp approve` again to answer it."

_NO: Final = frozenset({"no", "n", "decline"})


async def approve_order(placement: Checkout, approval_id: str | None, *, as_json: bool = False) -> bool:
    """Show the question, take the answer, place the order; True if it is placed.

    A program gets what came of it as JSON.

    Raises:
        NotAllowed: there is nothing to approve, or no terminal to ask in.
        FirmlyError: nothing was sent.
    """
    from firmly_mcp.checkout.models import State

    approval = await _meant(placement, approval_id)
    attempt = await _answered(placement, approval)
    if as_json:
        answer = "declined" if attempt is None else "approved"
        give({"approval": approval.id, "answer": answer, "attempt": attempt and attempt_row(attempt)})
    return attempt is not None and attempt.state is State.PLACED


async def _answered(placement: Checkout, approval: Approval) -> Attempt | None:
    """What came of the person's yes; None if they declined."""
    with controlling_terminal("Approving an order") as terminal:
        while True:
            review = await placement.desk.review(approval.id)
            _show(review, terminal.write)
            terminal.flush()
            try:
                if not await _asked(_decision(review), terminal):
                    await _decline(placement, review, terminal)
                    return None
                return await _paid(placement, review, terminal)
            except QuoteChanged as changed:
                terminal.write(f"\n{changed.message}\n" + "".join(f"  {line}\n" for line in changed.difference))


async def _asked(question: Callable[[TextIO], T], terminal: TextIO) -> T:
    """What a person answers before anything is sent; who interrupts it learns that nothing was decided."""
    import asyncio

    try:
        return await answered(question, terminal)
    except asyncio.CancelledError:
        terminal.write(f"\n{_LEFT_OPEN}\n")
        raise


async def _decline(placement: Checkout, review: Review, terminal: TextIO) -> None:
    if not await placement.desk.decline(review, CHANNEL):
        raise NotAllowed(
            "This question was answered elsewhere, replaced, or has expired meanwhile, so it was not declined here. "
            "`firmly-mcp orders list` shows what came of it.",
            money_moved="unknown",
            next="firmly-mcp orders list",
        )
    terminal.write("Declined. Nothing was sent.\n")


async def _paid(placement: Checkout, review: Review, terminal: TextIO) -> Attempt:
    """Ask for what only the person knows, and place the order; a wrong PIN is asked for again while there are tries."""
    from firmly_mcp.wallet.pin import TRIES

    code = await _code(review, terminal)
    for _ in range(TRIES):
        pin = await _asked(unseen("Approval PIN"), terminal) if review.pin_required else None
        try:
            attempt = await placement.desk.approve(review, code, proof_at(terminal, pin))
        except PinRefused as refused:
            if not refused.tries_left:
                raise
            terminal.write(f"{refused.message}\n")
        else:
            # Following takes as long as the store does, and needs neither.
            del code, pin
            return await _followed(placement, attempt, terminal)
    raise NotAllowed(f"{no_pin()} {_LEFT_OPEN}")


async def _code(review: Review, terminal: TextIO) -> SecretStr:
    """A security code of the form that the card's brand has, before anything that can be used up is asked for."""
    from firmly_mcp.wallet.pin import TRIES

    for _ in range(TRIES):
        code = await _asked(unseen("Security code of the card"), terminal)
        problem = review.check_code(code)
        if problem is None:
            return code
        terminal.write(f"{problem}\n")
    raise NotAllowed(f"None of {TRIES} answers was a security code of this card. {_LEFT_OPEN}")


async def _followed(placement: Checkout, attempt: Attempt, terminal: TextIO) -> Attempt:
    log, written = placement.progress(attempt), 0
    while log is not None and not log.ended:
        await log.more_than(written)
        terminal.writelines(f"  {step.words}\n" for step in log.steps[written:])
        terminal.flush()
        written = len(log.steps)
    latest = await placement.attempt(attempt.id) or attempt
    if not attempt.is_new:
        terminal.write(f"No new order was sent: this is the order of {latest.begun_at:%Y-%m-%d %H:%M} UTC.\n")
    terminal.write(_outcome(latest) + "\n")
    return latest


def _outcome(attempt: Attempt) -> str:
    from firmly_mcp.checkout.text import charge_note, state_text

    outcome, note = attempt.outcome, charge_note(attempt)
    facts = {"number": outcome.order_number, "charged": outcome.charged or "not known", "reason": outcome.reason}
    words = state_text(attempt.state).terminal.format(**facts).rstrip()
    sentences = (words, note.for_terminal() if note is not None else "", attempt.alarm)
    return " ".join(filter(None, sentences))


async def _meant(placement: Checkout, approval_id: str | None) -> Approval:
    waiting = await placement.desk.open_approvals()
    found = next((approval for approval in waiting if approval_id in {None, approval.id}), None)
    if found is None:
        raise NotAllowed(
            "There is nothing to approve: no such order waits for an answer, another took its place, or its ten "
            "minutes are over."
        )
    return found


def _show(review: Review, write: Callable[[str], object]) -> None:
    """Every term, in the words of the quote, with the total last and alone."""
    quote = review.quote
    environment = quote.payer.environment
    write(f"\n=== {'SIMULATOR: no money moves' if environment == 'simulator' else environment} ===\n")
    write(f"An assistant wants to order at {quote.store}. You are asked because: {review.approval.reason}\n\n")
    for late in review.alarms:
        write(f"WARNING about {'; '.join(late.lines)} at {late.store}: {late.alarm}\n")
    for doubt in review.doubts:
        write(f"IN DOUBT at this store since {doubt.begun_at:%Y-%m-%d %H:%M} UTC: {doubt.total}, ")
        write(f"{'; '.join(doubt.lines)}. It may have been placed.\n")
    if review.just_bought is not None:
        bought = review.just_bought
        write(f"THE SAME WAS BOUGHT at {bought.begun_at:%H:%M} UTC: order {bought.outcome.order_number}.\n")
    for line in quote.lines:
        write(f"  {line}\n")
    write("\n")
    for name, words in _terms_in_lines(quote.terms):
        write(f"  {name}: {words}\n")
    write(f"\n  TOTAL  {quote.total}\n\n")


def _terms_in_lines(terms: Mapping[str, Term]) -> Iterator[tuple[str, str]]:
    """The terms, each address in one line."""
    from firmly_mcp.checkout.quote import in_words

    addresses = {"ship to": "", "bill to": ""}
    for name, term in terms.items():
        if term in {None, ""}:
            continue
        group = next((group for group in addresses if name.startswith(f"{group} ")), None)
        if group is None:
            yield name, in_words(term)
        else:
            addresses[group] += (", " if addresses[group] else "") + in_words(term)
    yield from ((group, words) for group, words in addresses.items() if words)


def _decision(review: Review) -> Callable[[TextIO], bool]:
    """The question whether to pay: the amount is the yes, and only no is the no."""
    total = review.quote.total

    def read(line: str) -> bool | None:
        return False if line.casefold() in _NO else True if is_amount(line, total) else None

    return decided(
        f"Type the amount to pay ({total.plain}) to approve, or no to decline: ",
        read,
        again="That is neither the amount nor no, so nothing was decided.",
        unanswered=f"No answer came. {_LEFT_OPEN}",
    )


_SYMBOLS: Final = {"USD": ("US$", "$"), "EUR": ("€",), "GBP": ("£",), "JPY": ("¥", "円")}
# Marks that people and their keyboards set between thousands. A point or a comma may be one too.
_SPACES: Final = "' \u2019_"
_LONGEST: Final = 60


def is_amount(typed: str, total: Money) -> bool:
    """Whether a line is exactly this amount; its currency may stand before or after it, or be left out.

    A point or a comma is taken both for the decimal mark and for one between thousands. Where the two are different
    amounts of the currency, the line is not taken for either.
    """
    line = unicodedata.normalize("NFKC", typed).strip()
    if line == total.plain:
        return True
    if len(line) > _LONGEST or not line.isprintable():
        return False
    return set(_readings(_without_currency(line, total.currency), total.currency)) == {total.amount}


def _without_currency(line: str, currency: str) -> str:
    """The line without the currency's names at its ends."""
    for name in (currency, *_SYMBOLS.get(currency, ())):
        if line.upper().startswith(name):
            line = line[len(name) :].strip()
        elif line.upper().endswith(name):
            line = line[: -len(name)].strip()
    return line


def _readings(digits: str, currency: str) -> Iterator[Decimal]:
    from firmly_mcp.money import minor_units

    for decimal_mark, thousands in ((".", f",{_SPACES}"), (",", f".{_SPACES}")):
        fraction = rf"(?:{re.escape(decimal_mark)}(?P<fraction>[0-9]{{0,{minor_units(currency)}}}))?"
        for mark in thousands:
            grouped = rf"[0-9]{{1,3}}(?:{re.escape(mark)}[0-9]{{3}})+"
            found = re.fullmatch(rf"(?P<whole>{grouped}|[0-9]{{1,15}}){fraction}", digits)
            if found is not None:
                whole = "".join(filter(str.isdigit, found["whole"]))
                yield Decimal(f"{whole}.{found['fraction'] or '0'}")


@click.command(epilog=examples("firmly-mcp approve", "firmly-mcp approve ap_18ed16ef4ad03ad3"))
@click.argument("approval", required=False, shell_complete=questions)
@json_option
def approve(approval: str | None, *, as_json: bool) -> None:
    """Approve or decline an order that an assistant asked for; the yes places it.

    The question and its answer go through the terminal alone. The exit code is 0 if the order is placed.
    """
    placed = with_placement(lambda placement: approve_order(placement, approval, as_json=as_json))
    sys.exit(0 if placed else 1)
