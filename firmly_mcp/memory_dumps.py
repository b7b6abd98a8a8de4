"""A process that opens the wallet leaves no copy of its memory: no core file, and on Linux no look by another process.

A limit of zero stops core files, here and in the programs that this one starts. Where the kernel hands cores to a
program (`core_pattern` with a pipe) it ignores that limit, and only a process that is not dumpable leaves none; such a
process also cannot be traced by another one of the same account. macOS has the limit alone. Windows writes a dump only
where its administrator turned that on, and has no switch for one process.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import Final

# <linux/prctl.h>
_PR_GET_DUMPABLE: Final = 3
_PR_SET_DUMPABLE: Final = 4

_log = logging.getLogger(__name__)


def forbid_memory_dumps() -> None:
    """Turn core files and tracing off for this process, once and for good; where that fails, log a warning."""
    if sys.platform == "win32":
        return
    _write_no_core()
    if sys.platform == "linux" and not _make_undumpable():
        _log.warning("the system does not let this process be made undumpable: a crash may leave its memory behind")


def _write_no_core() -> None:
    import resource

    if resource.getrlimit(resource.RLIMIT_CORE) != (0, 0):
        # Lowering a limit is always allowed; a sandbox may refuse the call itself.
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _make_undumpable() -> bool:
    try:
        # A Python without libffi has no ctypes.
        from ctypes import CDLL, c_int, c_ulong

        prctl = CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return False
    nothing = [c_ulong(0)] * 3
    # A change of account resets it, so each wallet looks.
    if prctl(c_int(_PR_GET_DUMPABLE), c_ulong(0), *nothing) != 0:
        prctl(c_int(_PR_SET_DUMPABLE), c_ulong(0), *nothing)
    return bool(prctl(c_int(_PR_GET_DUMPABLE), c_ulong(0), *nothing) == 0)
