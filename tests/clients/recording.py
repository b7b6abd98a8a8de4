"""Starts a server for a client, and keeps what the client writes: `recording.py FILE COMMAND...`."""

import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Pass the input on line by line; the outputs are the server's own."""
    with Path(sys.argv[1]).open("wb") as kept, subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE) as server:
        assert server.stdin is not None
        for line in sys.stdin.buffer:
            kept.write(line)
            kept.flush()
            server.stdin.write(line)
            server.stdin.flush()
        server.stdin.close()
    return server.returncode


if __name__ == "__main__":
    sys.exit(main())
