"""One connection to one vault process, and the calls that wait on it."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from adapters.vault_door.outcomes import NoAnswer, Refused, Unknown, Unsent
from runtime.clock import Clock
from runtime.frames import Framed, Kind, encode_frame

PING_SECONDS = 0.5
SILENT_SECONDS = 1.5


class Waiting(NamedTuple):
    """A call under way: who waits for it, and until when (monotonic seconds)."""

    answer: "asyncio.Future[bytes]"
    gives_up_at: float


class Link(Framed):
    """Multiplexes calls; tells exactly which of them left and which did not.

    `ready` ends with True once the vault has answered the first ping: with TLS 1.3 a
    connection stands before the vault has looked at our certificate, and a stopped vault's
    kernel accepts connections too.  A link retires, and must be asked nothing more, when
    the vault is leaving, has been silent for 1.5 s, or the connection is lost.  It keeps
    waiting for the answers it is owed.
    """

    def __init__(
        self,
        clock: Clock,
        on_retired: Callable[["Link", str], None],
        count_late_answer: Callable[[], None],
    ) -> None:
        super().__init__()
        self._clock = clock
        self._on_retired = on_retired
        self._count_late_answer = count_late_answer
        self._waiting: dict[int, Waiting] = {}
        self._heard_at = clock.monotonic()
        self._pinged_at = self._heard_at
        self.retired = False
        self._lost = False
        self.ready: asyncio.Future[bool] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.post_at_once(encode_frame(Kind.PING, 0))

    @property
    def waiting(self) -> int:
        """Calls that wait for an answer."""
        return len(self._waiting)

    @property
    def spent(self) -> bool:
        """True when nothing will come of this link any more."""
        return self._lost

    def ask(self, call_id: int, frame: bytes, gives_up_at: float) -> "asyncio.Future[bytes]":
        """Send one call; the future ends with the answer's bytes or with a NoAnswer."""
        answer: asyncio.Future[bytes] = self._loop.create_future()
        self._waiting[call_id] = Waiting(answer, gives_up_at)
        self.post(call_id, frame)
        return answer

    def forget(self, call_id: int) -> None:
        """The caller went away: an unsent call is taken back, a late answer is dropped."""
        self.withdraw(call_id)
        self._waiting.pop(call_id, None)

    def leave(self) -> None:
        """Ask nothing more here; the link ends when the answers it is owed have come."""
        self._retire("renewed")

    def sweep(self) -> None:
        """Give up what is overdue, ping, notice silence; called every 50 ms.

        One sweep for all calls: a timer for each costs more than the call itself.
        """
        now = self._clock.monotonic()
        overdue = [call_id for call_id, call in self._waiting.items() if call.gives_up_at <= now]
        for call_id in overdue:
            never_left = self.withdraw(call_id)
            self._end(call_id, Unsent("congested") if never_left else Unknown("timed out"))
        if now - self._heard_at > SILENT_SECONDS:
            self._retire("silent")
        if now - self._pinged_at >= PING_SECONDS:
            self._pinged_at = now
            self.post_at_once(encode_frame(Kind.PING, 0))
        if self.retired and not self._waiting:
            self.close_after_flush()

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._clock.monotonic()
        super().data_received(data)

    def frame_received(self, kind: Kind, call_id: int, deadline_ms: int, payload: bytes) -> None:
        if kind is Kind.ANSWER:
            call = self._waiting.pop(call_id, None)
            if call is None:
                self._count_late_answer()
            elif not call.answer.done():
                call.answer.set_result(payload)
        elif kind is Kind.REFUSED:
            self._end(call_id, Refused(payload.decode("ascii", "replace")))
        elif kind is Kind.UNDECIDED:
            self._end(call_id, Unknown("undecided"))
        elif kind is Kind.GOAWAY:
            self._retire("the vault is leaving")
        elif not self.ready.done():
            self.ready.set_result(True)

    def frames_ended(self) -> None:
        self._lost = True
        self._retire("connection lost")
        for call_id in list(self._waiting):
            never_left = self.is_unsent(call_id)
            self._end(call_id, Unsent("no link") if never_left else Unknown("connection lost"))

    def _retire(self, reason: str) -> None:
        if self.retired:
            return
        self.retired = True
        if not self.ready.done():
            self.ready.set_result(False)
        self._on_retired(self, reason)

    def _end(self, call_id: int, outcome: NoAnswer) -> None:
        call = self._waiting.pop(call_id, None)
        if call is None:
            self._count_late_answer()
        elif not call.answer.done():
            call.answer.set_exception(outcome)
