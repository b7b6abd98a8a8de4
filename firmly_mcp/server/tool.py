"""How a function becomes a tool, and the one place where a `FirmlyError` becomes what a model reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Self, TypeAlias

import anyio
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, InputRequiredResult, TextContent, ToolAnnotations
from pydantic import ConfigDict, Field, PrivateAttr, ValidationError

from firmly_mcp.errors import CALL_HINTS, FirmlyError, OutcomeUnknown
from firmly_mcp.redaction import holds_card_number
from firmly_mcp.untrusted import clean

from .bounds import excess
from .earlier_orders import stating_earlier_order
from .subscriptions import ResourceUpdates
from .views.view import ErrorView, View

if TYPE_CHECKING:
    from firmly_mcp.app import Services

Ctx: TypeAlias = Context[Any, Any]

_NO_CARD_NUMBERS: Final = ErrorView(
    code="card_number_refused",
    message="An argument holds a card number, so the call was refused unread. Never send card numbers: the person adds "
    "a card on a page of their own, or in a terminal with `firmly-mcp cards add`, and tools name it by its label.",
    money_moved="no",
    retry_safe=False,
    next=CALL_HINTS["card_number_refused"],
)

# How many problems of a call's arguments are named, and how much of each.
_MOST_PROBLEMS: Final = 10

_LONGEST_NAME: Final = 60

_LONGEST_WORDS: Final = 200

# The tools that order: of a call to one that was cut, it is not known whether money moved.
_ORDERS: Final = frozenset({"complete_order", "place_order"})

_ORDER_CUT: Final = ErrorView(
    code=OutcomeUnknown.code,
    message="The server ended before this call knew how the order stands. It may have been placed.",
    money_moved="unknown",
    retry_safe=False,
    next="Tell the person that the outcome is unknown; get_order_status, once the server runs again",
)

_CHANGE_CUT: Final = ErrorView(
    code="cut_short",
    message="The server ended before this call was answered. What it was to change may have been changed; it charges "
    "nothing.",
    money_moved="no",
    retry_safe=False,
    next="get_cart, once the server runs again: it shows whether the change was made",
)

_READING_CUT: Final = ErrorView(
    code="cut_short",
    message="The server ended before this call was answered. It changes nothing and charges nothing.",
    money_moved="no",
    retry_safe=True,
    next=CALL_HINTS["cut_short"],
)


@dataclass(frozen=True, slots=True)
class Offered:
    """A function offered as a tool, with its title and the hints that hosts go by."""

    function: Callable[..., Any]
    title: str
    annotations: ToolAnnotations


def offered(
    title: str, *, reads: bool = False, destructive: bool = False, idempotent: bool = False, open_world: bool = True
) -> Callable[[Callable[..., Any]], Offered]:
    """Offer a coroutine function as a tool under its own name; its docstring is what a model reads."""

    def offer(function: Callable[..., Any]) -> Offered:
        hints = ToolAnnotations(
            read_only_hint=reads,
            destructive_hint=destructive,
            idempotent_hint=idempotent or reads,
            open_world_hint=open_world,
        )
        return Offered(function, title, hints)

    return offer


def services_of(ctx: Context[Any, Any]) -> Services:
    """The rooms behind this server."""
    services: Services = ctx.request_context.lifespan_context
    return services


class StrictTool(Tool):
    """A tool that refuses unknown arguments and card numbers, and answers errors as typed results."""

    _notices: ResourceUpdates = PrivateAttr()

    @classmethod
    def of(cls, offer: Offered, notices: ResourceUpdates, *, described: bool = False) -> Tool:
        """The tool of an offered function, which tells `notices` of what it changes.

        With `described` it has the schema of its results too, which takes half of the time, and only publishing needs.
        """
        tool = cls.from_function(
            offer.function,
            title=offer.title,
            annotations=offer.annotations,
            description=" ".join((offer.function.__doc__ or "").split()),
            structured_output=described,
        )
        arguments = tool.fn_metadata.arg_model
        arguments.model_config |= ConfigDict(extra="forbid", hide_input_in_errors=True)
        arguments.model_rebuild(force=True)
        assert isinstance(tool, cls)
        return tool.telling(notices)

    def telling(self, notices: ResourceUpdates) -> Self:
        """This tool, which tells of what it changes."""
        self._notices = notices
        return self

    async def run(
        self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False
    ) -> CallToolResult | InputRequiredResult:
        if over := excess(arguments):
            return refused(f"The arguments hold {over}, so they were not read. Nothing was done.")
        if holds_card_number(arguments):
            return _failed(await self._in_full(_NO_CARD_NUMBERS, arguments, context))
        try:
            view = await self._uncut(arguments, context)
        except ToolError as error:
            return _failed(await self._in_full(_refusal(error), arguments, context))
        if view is None:
            return _failed(self._cut())
        if isinstance(view, CallToolResult | InputRequiredResult):
            return view
        if self.annotations is not None and not self.annotations.read_only_hint:
            await self._notices.changed(context, view.shows())
        return answer(view)

    async def _uncut(self, arguments: dict[str, Any], context: Context[Any, Any]) -> Any:
        """What the function gives; None if the end of the server cut it."""
        cuts = services_of(context).cuts
        with anyio.CancelScope() as call:
            cuts.add(call.cancel)
            try:
                return await super().run(arguments, context, convert_result=False)
            finally:
                cuts.discard(call.cancel)
        return None

    def _cut(self) -> ErrorView:
        """What is known of a call that was cut: it may have done what it was to do."""
        if self.name in _ORDERS:
            return _ORDER_CUT
        reads = self.annotations is not None and bool(self.annotations.read_only_hint)
        return _READING_CUT if reads else _CHANGE_CUT

    async def _in_full(self, view: ErrorView, arguments: dict[str, Any], context: Context[Any, Any]) -> ErrorView:
        """What is stated about money comes from the journal, not from the call at hand alone."""
        return await stating_earlier_order(view, self.name, arguments, services_of(context))


def answer(view: View) -> CallToolResult:
    """A view as a tool result."""
    return CallToolResult(
        content=[TextContent(type="text", text=view.text())],
        structured_content=view.structured(),
    )


def refused(told: str) -> CallToolResult:
    """The result of a call whose arguments were refused; `told` states what is wrong and that nothing was done."""
    return _failed(_invalid(told))


def _invalid(told: str) -> ErrorView:
    return ErrorView(
        code="invalid_arguments", message=told, money_moved="no", retry_safe=False, next=CALL_HINTS["invalid_arguments"]
    )


def _failed(view: ErrorView) -> CallToolResult:
    return answer(view).model_copy(update={"is_error": True})


def _refusal(error: ToolError) -> ErrorView:
    """What a failed call tells the model. Anything but our own errors is a bug, and goes on to the log.

    Raises:
        ToolError: the error is not one of ours.
    """
    cause = error.__cause__
    if isinstance(cause, FirmlyError):
        return ErrorView.of(cause)
    if isinstance(cause, ValidationError):
        return _invalid(f"Nothing was done: {_problems(cause)}.")
    raise error


def _problems(error: ValidationError) -> str:
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    named = [
        f"{_place(problem['loc'])}: {clean(problem['msg'], _LONGEST_WORDS)}" for problem in problems[:_MOST_PROBLEMS]
    ]
    more = [f"and {len(problems) - _MOST_PROBLEMS} more"] if len(problems) > _MOST_PROBLEMS else []
    return "; ".join(named + more)


def _place(parts: tuple[int | str, ...]) -> str:
    """Where a problem is. The name of an unknown argument is the caller's own word."""
    return clean(".".join(clean(str(part), _LONGEST_NAME) for part in parts), _LONGEST_WORDS) or "arguments"


# Arguments that several tools take, in one wording.

# A plain word needs no description: a store is its domain, which the server's instructions say once.
Store = Annotated[str, Field(min_length=1, max_length=253)]

Ref = Annotated[str, Field(description="The variant's ref, unchanged", min_length=1, max_length=2000)]

CardLabel = Annotated[str | None, Field(description="Its label; default: the only or default one", max_length=80)]

AddressLabel = Annotated[str | None, Field(description="Its label; default: the only or default one", max_length=80)]

Page = Annotated[int, Field(description="To go on", ge=1, le=10_000)]
