"""The operating system's keyring from async code: a time limit, writes that are read back, one call at a time.

keyring blocks for as long as a person takes to unlock it. Each call runs in a daemon thread of its own; when the limit
passes, the caller gets a WalletError, and the thread writes nothing if it ever continues.
"""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import anyio
from anyio import from_thread, lowlevel
from pydantic import SecretStr

from firmly_mcp.errors import KeyringUnavailable, WalletError
from firmly_mcp.system.files import held_lock

from .backends import Backend, find_backend

SERVICE: Final = "firmly-mcp"
# In seconds.
_RESTARTS_WITHIN: Final = 10.0
_LOOK_EVERY: Final = 0.1
_LOCK_SECONDS: Final = 20.0
_BUSY: Final = "Another firmly-mcp has been changing the wallet for a while: is it waiting for the keyring?"


@asynccontextmanager
async def exclusive(path: Path) -> AsyncIterator[None]:
    """Hold a lock file while entries are read, changed and written as one; all programs name the same file.

    Raises:
        WalletError: another one has held it for a while.
    """
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(held_lock(path, seconds=_LOCK_SECONDS))
        except TimeoutError:
            raise WalletError(_BUSY) from None
        yield


class Secrets(Protocol):
    """Where secrets are kept, by name."""

    @property
    def description(self) -> str:
        """What this is, for the person, in lists and in `doctor`."""

    async def get(self, name: str) -> SecretStr | None: ...
    async def set(self, name: str, secret: SecretStr) -> None: ...
    async def delete(self, name: str) -> None: ...


@dataclass(eq=False, slots=True)
class _Call:
    """One call of the keyring, and its result."""

    work: Callable[[Callable[[], Backend]], SecretStr | None]
    token: lowlevel.EventLoopToken
    done: anyio.Event = field(default_factory=anyio.Event)
    abandoned: threading.Event = field(default_factory=threading.Event)
    result: SecretStr | None = None
    problem: WalletError | None = None

    def take_problem(self) -> WalletError:
        """What went wrong, without its frames: they hold this call, and what was to be written with it."""
        problem, self.problem = self.problem, None
        assert problem is not None
        return problem.with_traceback(None)


class _Abandoned(Exception):
    """The caller stopped waiting for this call."""


class Keychain:
    """Secrets in the operating system's keyring, under the service name `firmly-mcp`.

    `backend` names one class of the allow-list; without it the platform's own is found at the first call. `limit` is
    in seconds.
    """

    def __init__(
        self,
        *,
        backend: str | None = None,
        limit: float = 20.0,
        find: Callable[[str | None], Backend] = find_backend,
    ) -> None:
        self._named = backend
        self._limit = limit
        self._find = find
        self._found: Backend | None = None
        self._has_answered = False
        # Two calls at once on a locked keyring would open two prompts.
        self._one_at_a_time = threading.Lock()

    @property
    def description(self) -> str:
        """The keyring in use, or a general name before the first call."""
        return "the operating system's keyring" if self._found is None else self._found.name

    async def get(self, name: str) -> SecretStr | None:
        """The secret of this name; None when there is none.

        Raises:
            WalletError: the keyring is locked, absent, or does not answer.
        """
        return await self._ask(lambda ready: _read(ready(), name))

    async def set(self, name: str, secret: SecretStr) -> None:
        """Keep a secret, and read it back.

        Raises:
            WalletError: as for `get`; or the keyring did not keep what it was given, or cannot keep so much.
        """
        await self._ask(lambda ready: _write(ready(), name, secret))

    async def delete(self, name: str) -> None:
        """Forget a secret; a missing one is no error.

        Raises:
            WalletError: as for `get`; or the keyring still has it.
        """
        await self._ask(lambda ready: _forget(ready(), name))

    async def _ask(self, work: Callable[[Callable[[], Backend]], SecretStr | None]) -> SecretStr | None:
        call = _Call(work, lowlevel.current_token())
        threading.Thread(target=self._run, args=(call,), name="firmly-mcp keyring", daemon=True).start()
        try:
            with anyio.move_on_after(self._limit):
                await call.done.wait()
                if call.problem is not None:
                    raise call.take_problem()
                return call.result
        finally:
            call.abandoned.set()
        raise WalletError(self._no_answer())

    def _run(self, call: _Call) -> None:
        with self._one_at_a_time:
            if call.abandoned.is_set():
                return
            try:
                self._work(call)
                if call.problem is not None and self._came_back(call):
                    # Reading, writing and forgetting may each be done twice.
                    self._work(call)
            except _Abandoned:
                return
        # The loop may have ended meanwhile.
        with suppress(RuntimeError):
            from_thread.run_sync(call.done.set, token=call.token)

    def _work(self, call: _Call) -> None:
        call.problem = None
        try:
            call.result = call.work(lambda: self._ready(call))
            self._has_answered = True
        except WalletError as problem:
            call.problem = problem
        except _Abandoned:
            raise
        except Exception as error:  # noqa: BLE001 - keyring's backends raise whatever their platform's bindings raise
            call.problem = self._failure(error)

    def _came_back(self, call: _Call) -> bool:
        """Whether a keyring that answered before runs again within a few seconds, and is not locked.

        Keyring daemons crash now and then, and a desktop starts them again at once.
        """
        found = self._found
        if not self._has_answered or found is None or found.is_running is None:
            return False
        until = time.monotonic() + _RESTARTS_WITHIN
        while not (running := found.is_running()) and time.monotonic() < until:
            if call.abandoned.wait(_LOOK_EVERY):
                return False
        return running and not self._is_locked(found)

    @staticmethod
    def _is_locked(found: Backend) -> bool:
        """Whether it would ask the person again; a keyring that cannot be asked counts as locked."""
        try:
            return found.is_locked()
        except Exception:  # noqa: BLE001 - a daemon that is just gone raises whatever D-Bus does
            return True

    def _ready(self, call: _Call) -> Backend:
        """The keyring, unlocked. A prompt that is answered too late changes nothing: the caller has its error."""
        if self._found is None:
            self._found = self._find(self._named)
        trouble = self._found.unlock(self._limit)
        if call.abandoned.is_set():
            raise _Abandoned
        if trouble is not None:
            raise KeyringUnavailable(
                f"{self._found.name}: {trouble.problem}, so nothing was read or stored.", trouble.fix
            )
        return self._found

    def _failure(self, error: Exception) -> WalletError:
        """The error with its kind alone, and not chained: its text and its frames may hold the secret."""
        fix = "" if self._found is None else f" {self._found.fix}"
        return WalletError(f"{self.description} failed ({type(error).__name__}).{fix}")

    def _no_answer(self) -> str:
        fix = "Unlock the keyring." if self._found is None else self._found.fix
        return (
            f"{self.description} did not answer within {self._limit:g} seconds: it may be asking to be unlocked. "
            f"Nothing was sent. {fix}"
        )


def _read(backend: Backend, name: str) -> SecretStr | None:
    found = backend.keyring.get_password(SERVICE, name)
    return None if found is None else SecretStr(found)


def _write(backend: Backend, name: str, secret: SecretStr) -> None:
    size, limit = _size(secret), backend.entry_bytes
    if limit is not None and size > limit:
        raise WalletError(f"{name} is too long for {backend.name}: {size} bytes, and an entry has at most {limit}.")
    backend.keyring.set_password(SERVICE, name, secret.get_secret_value())
    if _read(backend, name) != secret:
        raise WalletError(
            f"{backend.name} did not keep what it was given for {name}. It cannot be used for cards. {backend.fix}",
        )


def _forget(backend: Backend, name: str) -> None:
    if _read(backend, name) is None:
        return
    backend.keyring.delete_password(SERVICE, name)
    if _read(backend, name) is not None:
        raise WalletError(f"{backend.name} still has {name} after it was told to delete it. {backend.fix}")


def _size(secret: SecretStr) -> int:
    return len(secret.get_secret_value().encode("utf-16-le", "surrogatepass"))
