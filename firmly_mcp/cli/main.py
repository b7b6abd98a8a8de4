"""The `firmly-mcp` command: parse arguments, load the module of the command that is called, map errors to exit codes.

Exit codes: 0 done, 1 an error of ours with its message on stderr, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click

from firmly_mcp import __version__
from firmly_mcp.errors import FirmlyError
from firmly_mcp.redaction import log_to_stderr

from .output import INTERRUPTED, end_with, examples, json_option, problem_of, wants_json, wrong_usage

# What help and completion list of each command whose module is loaded when it is called.
_LISTED: Final = {
    "doctor": "Say of each thing that shopping needs whether it is well, and the fix where it is not.",
    "approve": "Approve or decline an order that an assistant asked for; the yes places it.",
    "orders": "What was ordered from here, and what is in doubt.",
    "cards": "The payment cards kept in this machine's keyring.",
    "addresses": "The address book, kept in this machine's keyring.",
    "pin": "The approval PIN, which a yes to an order asks for beside the card's security code.",
    "rules": "The spending rules, and the settings that count only once a person has accepted them.",
    "install": "Add this firmly-mcp to an MCP client's list of servers, after showing what is written.",
    "uninstall": "Remove firmly-mcp from an MCP client's list of servers.",
}
_MODULES: Final = {"uninstall": "install"}
_VARIABLE: Final = "_FIRMLY_MCP_COMPLETE"


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


class ListedCommand(click.Command):
    """A command as help and completion list it, without its module."""

    def load(self) -> click.Command:
        """Return the command itself."""
        assert self.name is not None
        loaded = getattr(import_module(f"{__package__}.{_MODULES.get(self.name, self.name)}"), self.name)
        assert isinstance(loaded, click.Command)
        return loaded


class Commands(click.Group):
    """A group that loads a listed command when it is called, or asked for its help or its words."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments name, loaded."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, found.load() if isinstance(found, ListedCommand) else found, rest


@click.group(
    cls=Commands,
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
        from firmly_mcp.server.http import PORT, run_http
        from firmly_mcp.settings import read_settings

        run_http(read_settings(), port=PORT if port is None else port, demo=demo)
    else:
        from firmly_mcp.server.stdio import run_stdio
        from firmly_mcp.settings import read_settings

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

    from firmly_mcp.simulator import serve as serve_simulator

    with suppress(KeyboardInterrupt):
        asyncio.run(serve_simulator(data_dir, **how))


@command.command("settings", epilog=examples("firmly-mcp settings", "firmly-mcp settings --json"))
@json_option
def settings_command(*, as_json: bool) -> None:
    """Show the settings in force."""
    from firmly_mcp.settings import read_settings

    values = read_settings().model_dump(mode="json", exclude_none=True)
    lines = [json.dumps(values)] if as_json else [f"{name}: {value}" for name, value in values.items()]
    click.echo("\n".join(lines))


for listed, line in _LISTED.items():
    command.add_command(ListedCommand(listed, help=line))


@command.command(
    epilog="\b\nExamples:\n"
    "  firmly-mcp completion bash > ~/.local/share/bash-completion/completions/firmly-mcp\n"
    '  firmly-mcp completion zsh > "${fpath[1]}/_firmly-mcp"\n'
    "  firmly-mcp completion fish > ~/.config/fish/completions/firmly-mcp.fish"
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that lets a shell complete this command's words.

    Write it where the shell looks for such scripts (bash needs its package bash-completion for that), then open a new
    shell. Or try it in the one that is open: `source <(firmly-mcp completion bash)`.
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None, "click knows these three"
    root = click.get_current_context().find_root().command
    complete = found(root, {}, "firmly-mcp", _VARIABLE)
    # Not `source`, which runs the bash that it finds to learn its version.
    click.echo(complete.source_template % complete.source_vars())
