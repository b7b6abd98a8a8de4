"""The reference's list of endpoints is what the client calls, the tools offer and the simulator serves."""

import inspect
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path

from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.api.encoding import Hosts
from firmly_mcp.api.session import DeviceSession, TokensInMemory
from firmly_mcp.api.transport import Http
from firmly_mcp.server.app import TOOLS
from firmly_mcp.settings import ENVIRONMENTS
from firmly_mcp.simulator.app import ROUTES
from tests.endpoints import ENDPOINTS

# Calls no endpoint: it keeps a store's cart to itself.
NO_ENDPOINT = {"hold"}


def client(lock_dir: Path) -> FirmlyClient:
    hosts = Hosts(*ENVIRONMENTS["sandbox"])
    session = DeviceSession(Http(), hosts, "app-1", TokensInMemory(), now=lambda: datetime.now(UTC), lock_dir=lock_dir)
    return FirmlyClient(session)


def waits(member: object) -> bool:
    """Whether this is a coroutine, or a context that is entered with one."""
    whole = inspect.unwrap(member) if callable(member) else member
    return inspect.iscoroutinefunction(whole) or inspect.isasyncgenfunction(whole)


def test_every_client_method_in_the_list_exists(tmp_path: Path) -> None:
    firmly = client(tmp_path)
    named = [endpoint.client for endpoint in ENDPOINTS if endpoint.client]
    assert all(waits(attrgetter(name)(firmly)) for name in named)


def test_every_call_of_the_client_is_in_the_list(tmp_path: Path) -> None:
    firmly = client(tmp_path)
    calls = {name for name in dir(firmly) if not name.startswith("_") and waits(getattr(firmly, name))}
    assert calls - NO_ENDPOINT == {endpoint.client for endpoint in ENDPOINTS} - {None, "session.token"}


def test_every_tool_in_the_list_exists_and_has_a_client_method_behind_it() -> None:
    tools = {place.rpartition(".")[2] for place in TOOLS}
    assert {name for endpoint in ENDPOINTS for name in endpoint.tools} <= tools
    assert all(endpoint.client for endpoint in ENDPOINTS if endpoint.tools)


def test_the_simulator_serves_the_list_and_nothing_else() -> None:
    listed = {(method, endpoint.path) for endpoint in ENDPOINTS for method in endpoint.methods.split()}
    assert listed == {(route.method, route.path.replace(":path", "")) for route in ROUTES}
    assert len(ENDPOINTS) == len({(endpoint.methods, endpoint.path) for endpoint in ENDPOINTS})
