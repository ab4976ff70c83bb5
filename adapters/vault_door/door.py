"""The main house's way to ask the vault: one connection, many calls, exact outcomes.

Every call ends in exactly one way: an answer, `Unsent` or `Refused` (both certain: the
vault has not begun it and never will), or `Unknown` (ask `relay.Resolve`).  The frame
carries the moment until which the vault may begin the call, so a vault that was stopped
does not charge cards for payments that were given up long ago.
"""

import asyncio
import random
import ssl
from pathlib import Path
from types import TracebackType

import msgspec
from prometheus_client import Counter

from adapters.vault_door.link import Link
from adapters.vault_door.outcomes import NoAnswer, Unknown, Unsent
from contract import relay
from runtime.clock import Clock, SystemClock
from runtime.frames import Kind, PayloadTooLarge, encode_frame
from runtime.fresh_files import keep_fresh
from runtime.log import log
from runtime.private_tls import certificates, client_context

CALL_TIMEOUT_SECONDS = 3.0
MAX_WAITING = 1000
CONNECT_WAIT_SECONDS = 0.25
CONNECT_TIMEOUT_SECONDS = 2.0
BACKOFF_FIRST_SECONDS = 0.02
BACKOFF_MAX_SECONDS = 1.0
BACKOFF_GROWTH = 2
SWEEP_SECONDS = 0.05
DRAIN_SECONDS = 5.0
VAULT_NAME = "paymint-vault"
API = "api"
CERTIFICATES = certificates(API)
RENEWAL_PAUSE_SECONDS = 0.5

_OUTCOMES = Counter("paymint_vault_calls", "Calls to the vault by outcome", ["outcome"])
_ANSWERED = _OUTCOMES.labels("answered")
_LATE = Counter("paymint_vault_late_answers", "Answers that came after their caller gave up")

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[relay.Answer] = msgspec.json.Decoder(relay.Answer)


def client_tls(directory: Path) -> ssl.SSLContext:
    """Mutual TLS 1.3 with the certificates of `directory`: ca.pem, api.pem, api.key."""
    return client_context(directory, API)


class VaultDoor:
    """`async with VaultDoor(host, port, tls_directory) as door: await door.call(request)`."""

    def __init__(
        self, host: str, port: int, tls_directory: Path, clock: Clock | None = None
    ) -> None:
        self._host = host
        self._port = port
        self._tls_directory = tls_directory
        self._tls = client_tls(tls_directory)
        self._renewal_due = asyncio.Event()
        self._clock = clock or SystemClock()
        self._link: Link | None = None
        self._retired: set[Link] = set()
        self._link_up = asyncio.Event()
        self._link_down = asyncio.Event()
        self._queueing = 0
        self._last_call_id = 0
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def connected(self) -> bool:
        """True while the vault answers pings."""
        return self._link is not None

    async def start(self) -> None:
        """Begin connecting; calls wait up to 250 ms for the connection."""
        self._tasks = [
            asyncio.create_task(self._keep_connected(), name="vault-door-connect"),
            asyncio.create_task(self._keep_sweeping(), name="vault-door-sweep"),
            asyncio.create_task(self._keep_renewing(), name="vault-door-renew"),
            asyncio.create_task(self._keep_certified(), name="vault-door-certificates"),
        ]

    async def close(self) -> None:
        """Wait up to 5 s for answers that are owed, then close."""
        ends = self._clock.monotonic() + DRAIN_SECONDS
        while self._waiting_calls() and self._clock.monotonic() < ends:
            await asyncio.sleep(SWEEP_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for link in self._links():
            link.close_after_flush()
        # One turn, so that the goodbye leaves before the loop is closed.
        await asyncio.sleep(0)

    async def __aenter__(self) -> "VaultDoor":
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def call(
        self, request: relay.Request, timeout_seconds: float = CALL_TIMEOUT_SECONDS
    ) -> relay.Answer:
        """Ask the vault; raises exactly one of Unsent, Refused (certain) or Unknown."""
        try:
            answer = await self._exchange(request, timeout_seconds)
            decoded = _decoder.decode(answer)
        except NoAnswer as outcome:
            _OUTCOMES.labels(type(outcome).__name__.lower()).inc()
            raise
        except msgspec.MsgspecError:
            _OUTCOMES.labels("unknown").inc()
            raise Unknown("unreadable answer") from None
        _ANSWERED.inc()
        return decoded

    async def _exchange(self, request: relay.Request, timeout_seconds: float) -> bytes:
        if self._waiting_calls() >= MAX_WAITING:
            raise Unsent("too many waiting")
        gives_up_at = self._clock.monotonic() + timeout_seconds
        deadline_ms = self._clock.unix_ms() + int(timeout_seconds * 1000)
        link = self._link or await self._wait_for_link(timeout_seconds)
        self._last_call_id += 1
        call_id = self._last_call_id
        try:
            frame = encode_frame(Kind.CALL, call_id, _encoder.encode(request), deadline_ms)
        except PayloadTooLarge:
            raise Unsent("too large") from None
        try:
            return await link.ask(call_id, frame, gives_up_at)
        except asyncio.CancelledError:
            link.forget(call_id)
            raise

    async def _wait_for_link(self, timeout_seconds: float) -> Link:
        self._queueing += 1
        try:
            async with asyncio.timeout(min(CONNECT_WAIT_SECONDS, timeout_seconds)):
                while self._link is None:
                    await self._link_up.wait()
            return self._link
        except TimeoutError:
            raise Unsent("no link") from None
        finally:
            self._queueing -= 1

    def _links(self) -> list[Link]:
        return [*self._retired, *([self._link] if self._link else [])]

    def _waiting_calls(self) -> int:
        waiting = self._queueing + (self._link.waiting if self._link else 0)
        if self._retired:
            waiting += sum(link.waiting for link in self._retired)
        return waiting

    async def _keep_connected(self) -> None:
        pause = BACKOFF_FIRST_SECONDS
        while True:
            link = await self._connect()
            if link is None or link.retired:
                # Spread, so that many processes do not knock at a new vault in step.
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # nosec B311  # no secret
                pause = min(pause * BACKOFF_GROWTH, BACKOFF_MAX_SECONDS)
                continue
            pause = BACKOFF_FIRST_SECONDS
            self._link = link
            self._link_down.clear()
            self._link_up.set()
            log("vault_link_up")
            await self._link_down.wait()

    def _link_retired(self, link: Link, reason: str) -> None:
        if link is not self._link:
            return
        log("vault_link_retired", reason=reason, waiting=link.waiting)
        self._link = None
        self._link_up.clear()
        self._link_down.set()
        self._retired.add(link)

    async def _keep_certified(self) -> None:
        async def take() -> None:
            self._tls = client_tls(self._tls_directory)
            self._renewal_due.set()

        files = [self._tls_directory / name for name in CERTIFICATES]
        await keep_fresh("private certificates", files, take)

    async def _keep_renewing(self) -> None:
        """After new certificates: a new link first, then the old one ends with its last call."""
        while True:
            await self._renewal_due.wait()
            self._renewal_due.clear()
            if self._link is None:
                # The next connection has them anyway.
                continue
            link = await self._connect()
            if link is None or link.retired:
                # The vault may not have taken its own yet; meanwhile the old link serves.
                await asyncio.sleep(RENEWAL_PAUSE_SECONDS)
                self._renewal_due.set()
                continue
            self._replace(link)

    def _replace(self, link: Link) -> None:
        earlier, self._link = self._link, link
        if earlier is None:
            self._link_up.set()
            return
        self._retired.add(earlier)
        earlier.leave()
        log("vault_link_renewed", waiting=earlier.waiting)

    async def _connect(self) -> Link | None:
        link: Link | None = None
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                _, link = await asyncio.get_running_loop().create_connection(
                    lambda: Link(self._clock, self._link_retired, _LATE.inc),
                    self._host,
                    self._port,
                    ssl=self._tls,
                    server_hostname=VAULT_NAME,
                )
                if await link.ready:
                    return link
        except (OSError, TimeoutError):
            pass
        if link is not None:
            link.abort()
        return None

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            for link in self._links():
                link.sweep()
            self._retired = {link for link in self._retired if not link.spent}
