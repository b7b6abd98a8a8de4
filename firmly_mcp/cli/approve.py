"""A person approves an order in a terminal: every term, the total, why they are asked, then the code and the PIN.

The answer is read from the controlling terminal and never from standard input, so no program can pipe one in. The
approval places the order in this program, which follows it to its end. A typing error decides nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final, TextIO

import click

from firmly_mcp.errors import NotAllowed, QuoteChanged

from .orders import attempt_row, complete_approvals
from .output import examples, json_option, print_json, run_in_app
from .prompt import CHANNEL, ask_pin, ask_secret, confirm_amount, controlling_terminal, proof_at

if TYPE_CHECKING:
    from pydantic import SecretStr

    from firmly_mcp.app import Services
    from firmly_mcp.checkout.flow import Checkout, Review
    from firmly_mcp.checkout.models import Approval, Attempt
    from firmly_mcp.checkout.quote import Term

_LEFT_OPEN: Final = "Nothing was sent, and the question stays open: run `firmly-mcp approve` again to answer it."


@click.command(epilog=examples("firmly-mcp approve", "firmly-mcp approve ap_18ed16ef4ad03ad3"))
@click.argument("approval", required=False, shell_complete=complete_approvals)
@json_option
def approve(approval: str | None, *, as_json: bool) -> None:
    """Approve or decline an order that an assistant asked for; the yes places it.

    The question and its answer go through the terminal alone. The exit code is 0 if the order is placed.
    """
    is_placed = run_in_app(lambda services: _approve(services, approval, as_json=as_json))
    sys.exit(0 if is_placed else 1)


async def _approve(services: Services, approval_id: str | None, *, as_json: bool) -> bool:
    """Show the order, take the answer, place the order; return whether it is placed."""
    from firmly_mcp.checkout.models import State

    checkout = await services.placement()
    approval = await _open_approval(checkout, approval_id)
    attempt = await _answer(checkout, approval)
    if as_json:
        answer = "declined" if attempt is None else "approved"
        print_json({"approval": approval.id, "answer": answer, "attempt": attempt and attempt_row(attempt)})
    return attempt is not None and attempt.state is State.PLACED


async def _open_approval(checkout: Checkout, approval_id: str | None) -> Approval:
    waiting = await checkout.open_approvals()
    found = next((approval for approval in waiting if approval_id in {None, approval.id}), None)
    if found is None:
        raise NotAllowed(
            "There is nothing to approve: no such order waits for an answer, another took its place, or its ten "
            "minutes are over."
        )
    return found


async def _answer(checkout: Checkout, approval: Approval) -> Attempt | None:
    """Ask until the person approves or declines these terms; return the ended attempt, or None if they declined."""
    with controlling_terminal("Approving an order") as terminal:
        while True:
            review = await checkout.review(approval.id)
            _show(review, terminal.write)
            terminal.flush()
            try:
                if not await confirm_amount(terminal, review.quote.total, consequence=_LEFT_OPEN):
                    await _decline(checkout, review, terminal)
                    return None
                return await _follow(checkout, await _place(checkout, review, terminal), terminal)
            except QuoteChanged as changed:
                terminal.write(f"\n{changed.message}\n" + "".join(f"  {line}\n" for line in changed.difference))


async def _decline(checkout: Checkout, review: Review, terminal: TextIO) -> None:
    if not await checkout.decline(review, CHANNEL):
        raise NotAllowed(
            "This question was answered elsewhere, replaced, or has expired meanwhile, so it was not declined here. "
            "`firmly-mcp orders list` shows what came of it.",
            money_moved="unknown",
            next="firmly-mcp orders list",
        )
    terminal.write("Declined. Nothing was sent.\n")


async def _place(checkout: Checkout, review: Review, terminal: TextIO) -> Attempt:
    """Ask for the security code and, if it is required, the PIN; place the order."""
    code = await _ask_code(review, terminal)

    async def place(pin: SecretStr | None) -> Attempt:
        return await checkout.approve(review, code, proof_at(terminal, pin))

    return await ask_pin(terminal, place, consequence=_LEFT_OPEN) if review.pin_required else await place(None)


async def _ask_code(review: Review, terminal: TextIO) -> SecretStr:
    """Ask for a security code in the form of the card's brand, before anything that can be used up."""
    from firmly_mcp.wallet.pin import TRIES

    for _ in range(TRIES):
        code = await ask_secret(terminal, "Security code of the card", interrupted=_LEFT_OPEN)
        problem = review.check_code(code)
        if problem is None:
            return code
        terminal.write(f"{problem}\n")
    raise NotAllowed(f"None of {TRIES} answers was a security code of this card. {_LEFT_OPEN}")


async def _follow(checkout: Checkout, attempt: Attempt, terminal: TextIO) -> Attempt:
    """Write the steps of the order until it has ended; return the attempt as it is then."""
    log, written = checkout.progress(attempt), 0
    while log is not None and not log.ended:
        await log.more_than(written)
        terminal.writelines(f"  {step.words}\n" for step in log.steps[written:])
        terminal.flush()
        written = len(log.steps)
    latest = await checkout.attempt(attempt.id) or attempt
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


def _show(review: Review, write: Callable[[str], object]) -> None:
    """Write every term of the quote, with the total last and alone."""
    quote = review.quote
    environment = quote.payer.environment
    write(f"\n=== {'SIMULATOR: no money moves' if environment == 'simulator' else environment} ===\n")
    write(f"An assistant wants to order at {quote.store}. You are asked because: {review.approval.reason}\n\n")
    for late in review.alarms:
        write(f"WARNING about {'; '.join(late.lines)} at {late.store}: {late.alarm}\n")
    for doubt in review.in_doubt:
        write(f"IN DOUBT at this store since {doubt.begun_at:%Y-%m-%d %H:%M} UTC: {doubt.total}, ")
        write(f"{'; '.join(doubt.lines)}. It may have been placed.\n")
    if review.previous is not None:
        bought = review.previous
        write(f"THE SAME WAS BOUGHT at {bought.begun_at:%H:%M} UTC: order {bought.outcome.order_number}.\n")
    for line in quote.lines:
        write(f"  {line}\n")
    write("\n")
    for name, words in _terms_in_lines(quote.terms):
        write(f"  {name}: {words}\n")
    write(f"\n  TOTAL  {quote.total}\n\n")


def _terms_in_lines(terms: Iterable[Term]) -> Iterator[tuple[str, str]]:
    """Yield name and text of each term, with every address in one line."""
    from firmly_mcp.checkout.quote import TermKind, term_text

    addresses: dict[str, list[str]] = {TermKind.SHIP_TO: [], TermKind.BILL_TO: []}
    for term in terms:
        if term.value in {None, ""}:
            continue
        if term.kind in addresses:
            addresses[term.kind].append(term_text(term.value))
        else:
            yield term.label, term_text(term.value)
    yield from ((kind.replace("_", " "), ", ".join(fields)) for kind, fields in addresses.items() if fields)
