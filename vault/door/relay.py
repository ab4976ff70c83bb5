"""The private door: frames from the main house over mutual TLS 1.3.

A call that comes after its deadline, or while too many run, is refused before anything is
begun; everything else runs in a task of its own, which a caller that hangs up does not
cancel: a decision that was begun is always recorded.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from contract import relay
from runtime.clock import Clock
from runtime.frames import Framed, Kind, encode_frame
from runtime.log import log, log_exception
from runtime.private_tls import certificates, common_name, server_context
from vault.outcomes import CallRefused, CallUndecided

MAX_RUNNING = 2000
MAX_UNREAD_ANSWERS = 2000
LATEST_BEGIN_MS = 3000
DRAIN_SECONDS = 5.0
DRAIN_LOOK_SECONDS = 0.02
# As long as callers may take to notice certificates of their own.
OVERLAP_SECONDS = 5.0
VAULT = "vault"
CERTIFICATES = certificates(VAULT)
CLIENT_NAME = "paymint-api"
_LOOPBACK = "127.0.0.1"

Answerer = Callable[[relay.Request, int], Awaitable[relay.Answer]]

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[relay.Request] = msgspec.json.Decoder(relay.Request)


def server_tls(directory: Path) -> ssl.SSLContext:
    """Mutual TLS 1.3 with the certificates of `directory`: ca.pem, vault.pem, vault.key."""
    return server_context(directory, VAULT)


class RelayDoor:
    """Listens, admits the main house only, and hands calls to `answer(request, deadline_ms)`."""

    def __init__(self, answer: Answerer, clock: Clock, max_running: int = MAX_RUNNING) -> None:
        self._answer = answer
        self._clock = clock
        self._max_running = max_running
        self._server: asyncio.Server | None = None
        self._listening: socket.socket | None = None
        self._generation = 0
        self._connections: set[RelayConnection] = set()
        self._running: set[asyncio.Task[None]] = set()
        self.leaving = False

    async def open(self, port: int, tls: ssl.SSLContext) -> None:
        """Listen on loopback.  Several vault processes may share the port, so that the next
        one is up before this one leaves."""
        self._listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._listening.bind((_LOOPBACK, port))
        self._server = await self._serve(self._listening, tls)

    async def renew(self, tls: ssl.SSLContext) -> None:
        """Admit new connections by `tls` alone.

        Those that are there serve on for `OVERLAP_SECONDS`, while their callers come back by
        themselves, and are told to go then.
        """
        if self._listening is None or self._server is None or self.leaving:
            return
        self._generation += 1
        earlier, self._server = self._server, await self._serve(self._listening, tls)
        # Its socket is a copy: who knocks at this moment is answered by the new one.
        earlier.close()
        asyncio.get_running_loop().call_later(OVERLAP_SECONDS, self._part, self._generation)

    async def _serve(self, listening: socket.socket, tls: ssl.SSLContext) -> asyncio.Server:
        generation = self._generation
        return await asyncio.get_running_loop().create_server(
            lambda: RelayConnection(self, generation), sock=listening.dup(), ssl=tls
        )

    def _part(self, generation: int) -> None:
        for connection in self._connections:
            if connection.generation < generation:
                connection.say_goodbye()

    async def close(self) -> None:
        """Say GOAWAY, finish what runs, wait up to 5 s for the callers to let go."""
        self.leaving = True
        if self._server is not None:
            self._server.close()
        if self._listening is not None:
            self._listening.close()
        for connection in self._connections:
            connection.say_goodbye()
        ends = self._clock.monotonic() + DRAIN_SECONDS
        while (self._running or self._connections) and self._clock.monotonic() < ends:
            await asyncio.sleep(DRAIN_LOOK_SECONDS)
        for connection in list(self._connections):
            connection.close_after_flush()
        await asyncio.sleep(0)

    def admit(self, connection: "RelayConnection") -> None:
        """A connection whose certificate is the main house's."""
        self._connections.add(connection)
        if self.leaving:
            connection.say_goodbye()

    def dismiss(self, connection: "RelayConnection") -> None:
        """A connection that ended; its calls run on."""
        self._connections.discard(connection)

    def begin(
        self, connection: "RelayConnection", call_id: int, deadline_ms: int, payload: bytes
    ) -> None:
        """Start one call, or refuse it for certain."""
        if deadline_ms <= self._clock.unix_ms():
            return connection.refuse(call_id, "expired")
        if len(self._running) >= self._max_running:
            return connection.refuse(call_id, "busy")
        try:
            request = _decoder.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return connection.refuse(call_id, "malformed")
        # However patient the caller, what is put off for long is not begun at all.
        latest_ms = self._clock.unix_ms() + LATEST_BEGIN_MS
        call = self._run(connection, call_id, min(deadline_ms, latest_ms), request)
        task = asyncio.get_running_loop().create_task(call)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return None

    async def _run(
        self,
        connection: "RelayConnection",
        call_id: int,
        deadline_ms: int,
        request: relay.Request,
    ) -> None:
        try:
            answer = await self._answer(request, deadline_ms)
        except CallRefused as refusal:
            connection.refuse(call_id, refusal.reason)
        except CallUndecided:
            connection.reply(encode_frame(Kind.UNDECIDED, call_id), call_id)
        except Exception as error:
            # Whether it was begun cannot be told here, so nothing certain is said.
            log_exception("relay_call_failed", error, request_id=request.request_id)
            connection.reply(encode_frame(Kind.UNDECIDED, call_id), call_id)
        else:
            frame = encode_frame(Kind.ANSWER, call_id, _encoder.encode(answer))
            connection.reply(frame, call_id)


class RelayConnection(Framed):
    """One caller's connection."""

    def __init__(self, door: RelayDoor, generation: int) -> None:
        super().__init__()
        self._door = door
        # How often the certificates had been renewed when it was admitted.
        self.generation = generation
        self._admitted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        name = common_name(transport)
        if name != CLIENT_NAME:
            log("relay_client_refused")
            self.abort()
            return
        self._admitted = True
        self._door.admit(self)

    def frames_ended(self) -> None:
        self._door.dismiss(self)

    def frame_received(self, kind: Kind, call_id: int, deadline_ms: int, payload: bytes) -> None:
        if not self._admitted:
            return
        if kind is Kind.CALL:
            self._door.begin(self, call_id, deadline_ms, payload)
        elif kind is Kind.PING:
            self.post_at_once(encode_frame(Kind.PONG, call_id))

    def say_goodbye(self) -> None:
        """Tell the caller to send its next calls elsewhere."""
        self.post_at_once(encode_frame(Kind.GOAWAY, 0))

    def refuse(self, call_id: int, reason: str) -> None:
        """Answer that the call was not begun and never will be."""
        self.reply(encode_frame(Kind.REFUSED, call_id, reason.encode()), call_id)

    def reply(self, frame: bytes, call_id: int) -> None:
        """Answer a call, unless its caller has gone; one that reads nothing is cut off."""
        if self._transport is None:
            return
        if len(self._unsent) >= MAX_UNREAD_ANSWERS:
            self.abort()
            return
        self.post(call_id, frame)
