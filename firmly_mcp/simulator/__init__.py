"""Firmly and a few stores on loopback, built from the contract alone.

It imports nothing of the rest of this package, so that it shares none of its misreadings. `Simulator` is the entrance;
its parts are imported when one starts: a `World` holds them, `app` serves them on two ports, `endpoints` are the
contract's section 5, and `control` is the path for other processes.
"""

from firmly_mcp.simulator.control import ask, fetch_books
from firmly_mcp.simulator.server import AlreadyRunning, Simulator, serve

TEST_CARD = {
    "number": "4111111111111111",
    "name": "Ana Lima",
    "verification_value": "123",
    "month": "12",
    "year": "2034",
}
DECLINED_CARD = {**TEST_CARD, "number": "4000000000000002"}

__all__ = ["DECLINED_CARD", "TEST_CARD", "AlreadyRunning", "Simulator", "ask", "fetch_books", "serve"]
