"""The `firmly-mcp` command: reads arguments, imports what a command needs when it is called, maps errors to exits.

Exit codes: 0 done, 1 an error of ours with its message on stderr, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import __version__
from .commands.completion import completion
from .commands.doctor import doctor
from .commands.install import install, uninstall
from .commands.manners import INTERRUPTED, end_with, examples, json_option, problem_of, wants_json, wrong_usage
from .commands.orders import approve, orders
from .commands.rules import rules
from .commands.wallet import addresses, cards, pin
from .errors import FirmlyError
from .redaction import log_to_stderr

if TYPE_CHECKING:
    from .settings import Settings


def main() -> None:
    """Run the command, and turn our own errors into a message and an exit code."""
    log_to_stderr()
    as_json = wants_json(sys.argv[1:])
    try:
        command.main(prog_name="firmly-mcp", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as group_alone:
        group_alone.show()
        sys.exit(group_alone.exit_code)
    except click.ClickException as wrong:
        end_with(wrong_usage(wrong), as_json=as_json)
    except click.Abort:
        end_with(INTERRUPTED, as_json=as_json)
    except FirmlyError as error:
        end_with(problem_of(error), as_json=as_json)


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("firmly-mcp demo", "firmly-mcp addresses add", "firmly-mcp cards add", "firmly-mcp doctor"),
)
@click.version_option(__version__, prog_name="firmly-mcp")
@click.pass_context
def command(context: click.Context) -> None:
    """Let an AI assistant shop through Firmly, with the card kept on this machine.

    Without a command: serve MCP on standard input and output, if those are not a terminal.
    """
    if context.invoked_subcommand is not None:
        return
    if sys.stdin.isatty():
        click.echo(context.get_help())
    else:
        context.invoke(serve)


@command.command(epilog=examples("firmly-mcp serve", "firmly-mcp serve --http", "firmly-mcp serve --http --port 8500"))
@click.option("--http", is_flag=True, help="Serve on a loopback port instead, for clients that hold the token.")
@click.option("--port", type=click.IntRange(0, 65535), help="That port; 0 takes a free one.  [default: 8437]")
@click.option("--demo", is_flag=True, hidden=True, help="Hold the simulator's test card in memory.")
def serve(*, http: bool = False, port: int | None = None, demo: bool = False) -> None:
    """Serve MCP over standard input and output, or over HTTP."""
    if port is not None and not http:
        raise click.UsageError("--port goes with --http.")
    if http:
        from .server.http import PORT, run_http
        from .settings import read_settings

        run_http(read_settings(), port=PORT if port is None else port, demo=demo)
    else:
        from .server.stdio import run_stdio
        from .settings import read_settings

        run_stdio(read_settings(), demo=demo)


@command.command("demo", epilog=examples("firmly-mcp demo", "firmly-mcp demo --json"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines instead of panels.")
def demo_command(*, as_json: bool) -> None:
    """Watch a purchase on the simulator, from search to order number."""
    from .demo import run_demo

    sys.exit(run_demo(as_json=as_json))


@command.command(
    epilog=examples(
        "firmly-mcp simulator", "firmly-mcp simulator --data-dir books --stores 8", "firmly-mcp simulator --json"
    )
)
@click.option("--data-dir", type=click.Path(path_type=Path), help="Keep state there. Default: forget it at the end.")
@click.option("--api-port", default=0, show_default="a free one", help="Port of the API host.")
@click.option("--payment-port", default=0, show_default="a free one", help="Port of the payment host.")
@click.option("--stores", default=4, show_default=True, help="How many stores there are.")
@json_option
def simulator(*, data_dir: Path | None, **how: Any) -> None:
    """Run a Firmly of its own on loopback, until interrupted."""
    import asyncio
    from contextlib import suppress

    from .simulator import serve as serve_simulator

    with suppress(KeyboardInterrupt):
        asyncio.run(serve_simulator(data_dir, **how))


@command.command("settings", epilog=examples("firmly-mcp settings", "firmly-mcp settings --json"))
@json_option
def settings_command(*, as_json: bool) -> None:
    """Show the settings in force."""
    from .settings import read_settings

    values = _shown(read_settings())
    lines = [json.dumps(values)] if as_json else [f"{name}: {value}" for name, value in values.items()]
    click.echo("\n".join(lines))


def _shown(settings: Settings) -> dict[str, Any]:
    return settings.model_dump(mode="json", exclude_none=True)


for subcommand in (doctor, approve, orders, cards, addresses, pin, rules, install, uninstall, completion):
    command.add_command(subcommand)
