"""Words that a shell completes: commands and options by themselves, and what the journal names.

Nothing is asked, opened or changed for it: the keyring stays closed, and what cannot be read completes to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_VARIABLE: Final = "_FIRMLY_MCP_COMPLETE"
_MOST: Final = 50
_IN_DOUBT: Final = """
    SELECT id, total_amount || ' ' || currency || ' at ' || store FROM attempts
    WHERE environment = ? AND shopper = ? AND state IN ('sending', 'unknown') ORDER BY number DESC
"""
_OPEN: Final = """
    SELECT id, total_amount || ' ' || currency || ' at ' || store FROM approvals
    WHERE environment = ? AND shopper = ? AND status = 'open'
    AND expires_at > strftime('%Y-%m-%dT%H:%M:%f', 'now') ORDER BY asked_at DESC
"""


@click.command(
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


def doubts(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """The attempts in doubt."""
    return _named(_IN_DOUBT, begun)


def questions(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """The questions that nobody has answered."""
    return _named(_OPEN, begun)


def _named(query: str, begun: str) -> list[CompletionItem]:
    """What the journal names so, with a few words on each."""
    import sqlite3

    from click.shell_completion import CompletionItem

    from firmly_mcp.app import JOURNAL
    from firmly_mcp.checkout.journal.database import untouched
    from firmly_mcp.errors import SettingsError
    from firmly_mcp.settings import read_settings

    try:
        settings = read_settings()
        with untouched(settings.data_dir / JOURNAL) as journal:
            rows = journal.execute(query, (settings.environment, settings.shopper)).fetchall()
    except (SettingsError, OSError, sqlite3.Error):
        return []
    fitting = (row for row in rows if str(row[0]).startswith(begun))
    return [CompletionItem(str(name), help=str(words)) for name, words in list(fitting)[:_MOST]]
