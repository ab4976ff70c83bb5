"""Whoever holds the master keys, asked without blocking and without waiting for ever.

PCI DSS 4.0.1 req. 3.6.1.2: keys that encrypt data are stored encrypted by a key that is
at least as strong and is kept apart from them.  A wrapped key names its master key, so that
several can be read at once while one, the current, wraps what is new.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Final, Protocol, TypeVar

from prometheus_client import Counter

from runtime.wrapped_keys import MasterKey

# A key service that has not answered by then is taken for out of reach.
PATIENCE_SECONDS: Final = 5.0
CALLS_AT_ONCE: Final = 4
# Layout of a wrapped key: mark, length of the name, name of the master key, body.
_MARK: Final = b"pmk1"
_MARK_BYTES: Final = len(_MARK) + 1
# What was wrapped before master keys had names: nonce, 32 bytes of key, tag.
_UNNAMED_BYTES: Final = 60
UNNAMED: Final = "file:master"

_CALLS = Counter("paymint_key_provider_calls", "Calls of the key holder", ["call", "outcome"])

Answer = TypeVar("Answer")


class KeyUnusable(Exception):
    """A master key is missing, unsafely stored, retired, or not the one of a wrapped key."""


class KeysOutOfReach(Exception):
    """The key holder failed or did not answer in time; it may be asked again later."""


class KeyHolder(Protocol):
    """One place that holds master keys; its methods block, for as long as they like.

    They raise KeyUnusable, or anything else for a holder that fails.
    """

    kind: str

    def wrap(self, key: bytes) -> tuple[str, bytes]:
        """Id of the current master key, and `key` under it."""
        ...

    def unwrap(self, master: str, body: bytes) -> bytes:
        """The key that `wrap` was given."""
        ...

    def current(self) -> tuple[str, datetime]:
        """Id and birth of the master key that wraps what is new."""
        ...

    def make(self) -> tuple[str, datetime]:
        """A new master key, current from now on."""
        ...

    def retire(self, master: str) -> None:
        """Unwrap nothing with this key any more; done twice, it is done."""
        ...


class KeyProvider:
    """Wraps and unwraps data keys by the first of its holders; the others only unwrap."""

    def __init__(
        self, holders: Sequence[KeyHolder], patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._first = holders[0]
        self._by_kind = {holder.kind: holder for holder in holders}
        self._patience_seconds = patience_seconds
        self._room = asyncio.Semaphore(CALLS_AT_ONCE)

    async def wrap(self, key: bytes) -> bytes:
        """`key` under the current master key, whose name it carries; raises KeysOutOfReach."""
        master, body = await self._ask("wrap", lambda: self._first.wrap(key))
        name = f"{self._first.kind}:{master}".encode()
        return _MARK + bytes([len(name)]) + name + body

    async def unwrap(self, wrapped: bytes) -> bytes:
        """The key that `wrap` was given; raises KeyUnusable, KeysOutOfReach."""
        kind, _, master = master_of(wrapped).partition(":")
        body = _body_of(wrapped)
        return await self._ask("unwrap", lambda: self._of(kind).unwrap(master, body))

    async def current(self) -> MasterKey:
        """The master key that wraps what is new; raises KeyUnusable, KeysOutOfReach."""
        return self._named(await self._ask("current", self._first.current))

    async def make(self) -> MasterKey:
        """A new master key, the current one from now on; raises KeysOutOfReach."""
        return self._named(await self._ask("make", self._first.make))

    async def retire(self, name: str) -> None:
        """End a master key that wraps nothing any more; raises KeysOutOfReach."""
        kind, _, master = name.partition(":")
        await self._ask("retire", lambda: self._of(kind).retire(master))

    def _named(self, made: tuple[str, datetime]) -> MasterKey:
        return MasterKey(f"{self._first.kind}:{made[0]}", made[1])

    def _of(self, kind: str) -> KeyHolder:
        if kind not in self._by_kind:
            raise KeyUnusable(f"no holder of {kind} keys is named in PAYMINT_KEY_PROVIDER")
        return self._by_kind[kind]

    async def _ask(self, call: str, ask: Callable[[], Answer]) -> Answer:
        outcome = "failed"
        try:
            async with asyncio.timeout(self._patience_seconds):
                answer = await self._in_a_thread(ask)
            outcome = "done"
            return answer
        except KeyUnusable:
            outcome = "unusable"
            raise
        except TimeoutError:
            outcome = "late"
            raise KeysOutOfReach("the key holder did not answer in time") from None
        except Exception as error:
            # What a library says may name keys and addresses: its kind must do.
            raise KeysOutOfReach(f"the key holder failed: {type(error).__name__}") from None
        finally:
            _CALLS.labels(call, outcome).inc()

    async def _in_a_thread(self, ask: Callable[[], Answer]) -> Answer:
        """Run in a thread that nobody waits for: one that hangs must not keep a process alive.

        It keeps its place until it ends, so a holder that hangs costs four threads, not more.
        """
        await self._room.acquire()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Answer] = loop.create_future()

        def settle(fulfil: Callable[[], None]) -> None:
            self._room.release()
            if not done.done():
                fulfil()

        def run() -> None:
            try:
                answer = ask()
                fulfil = partial(done.set_result, answer)
            except Exception as error:
                fulfil = partial(done.set_exception, error)
            # The loop may be over: then nobody waits for the answer.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, fulfil)

        threading.Thread(target=run, daemon=True, name="key-holder").start()
        return await done


def master_of(wrapped: bytes) -> str:
    """The name of the master key under which this is wrapped; raises KeyUnusable."""
    if len(wrapped) == _UNNAMED_BYTES:
        return UNNAMED
    length = wrapped[len(_MARK)] if wrapped.startswith(_MARK) and len(wrapped) > _MARK_BYTES else 0
    if not length:
        raise KeyUnusable("this is no wrapped key")
    return wrapped[_MARK_BYTES : _MARK_BYTES + length].decode(errors="replace")


def _body_of(wrapped: bytes) -> bytes:
    if len(wrapped) == _UNNAMED_BYTES:
        return wrapped
    return wrapped[_MARK_BYTES + wrapped[len(_MARK)] :]
