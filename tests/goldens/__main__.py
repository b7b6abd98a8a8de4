"""`python -m tests.goldens record|check [PART ...]`."""

from __future__ import annotations

import sys
import time

from .parts import check, chosen, record


def main(arguments: list[str]) -> int:
    """Record or check; 1 if anything differs."""
    if not arguments or arguments[0] not in {"record", "check"}:
        print(__doc__)
        return 2
    differing = []
    for name in chosen(arguments[1:]):
        began, what = time.monotonic(), ""
        if arguments[0] == "record":
            record(name)
        else:
            what = check(name)
        print(f"{name}: {'differs' if what else 'ok'}, {time.monotonic() - began:.1f} s", flush=True)
        if what:
            differing.append(name)
            print(what, flush=True)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
