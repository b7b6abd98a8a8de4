"""What is wrong and the fix."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firmly_mcp.doctor.findings import Finding


@click.command(epilog="\b\nExamples:\n  firmly-mcp doctor\n  firmly-mcp doctor --offline\n  firmly-mcp doctor --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: check, state, says and fix of each line.")
@click.option("--offline", is_flag=True, help="Ask nothing of Firmly's hosts.")
def doctor(*, as_json: bool, offline: bool) -> None:
    """Say of each thing that shopping needs whether it is well, and the fix where it is not.

    It looks and changes nothing: only a probe goes into the keyring and out again. The exit code is 1 if anything is
    wrong; what only wants a look does not count.
    """
    from firmly_mcp.doctor.report import show

    findings = _found(offline=offline)
    show(findings, as_json=as_json)
    sys.exit(1 if any(finding.state == "failed" for finding in findings) else 0)


def _found(*, offline: bool) -> Sequence[Finding]:
    from datetime import UTC, datetime

    import anyio

    from firmly_mcp.doctor.checks import examine, without_settings
    from firmly_mcp.doctor.findings import Examined
    from firmly_mcp.errors import SettingsError
    from firmly_mcp.settings import read_settings

    # The wallet may set the bus's variable for this process.
    environ = dict(os.environ)
    try:
        settings = read_settings(environ)
    except SettingsError as error:
        return list(
            without_settings(error.message, "Correct the variable or config.toml; docs/reference.md lists them.")
        )

    async def run() -> Sequence[Finding]:
        return await examine(Examined.of(settings, environ, lambda: datetime.now(UTC)), offline=offline)

    return anyio.run(run)
