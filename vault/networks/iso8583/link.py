"""One connection to one card network, and the messages that wait on it.

Answers are matched by moment, trace number and retrieval reference (fields 7, 11, 37), so
any number may be under way at once.
A message that is still in our list when the connection is lost, or its time is up, was
certainly not sent; one that was handed to the transport may have been.
"""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from prometheus_client import Counter

from runtime.clock import Clock
from runtime.log import log
from vault.networks.iso8583.codec import (
    ACQUIRER,
    MANAGEMENT_CODE,
    RESPONSE_CODE,
    RETRIEVAL_REFERENCE,
    SENT_AT,
    TRACE_NUMBER,
    Message,
    NotAMessage,
    unpack,
)
from vault.networks.iso8583.messages import (
    APPROVED,
    ECHO,
    MANAGEMENT,
    OUR_INSTITUTION,
    REPEATED_FIELDS,
    SIGN_OFF,
    SIGN_ON,
    TOLD,
    TOLD_AGAIN,
    answer_fields,
    answer_type,
    is_answer_to,
)
from vault.networks.iso8583.wire import Wire
from vault.networks.network import NetworkSilent, NetworkUnreached

TRACE_NUMBER_MAX: Final = 999_999
MAX_WAITING: Final = 1000

_UNMATCHED = Counter(
    "paymint_network_unmatched_answers",
    "Answers that nobody waited for: they came late, or twice",
    ["network"],
)
_UNBELIEVED = Counter(
    "paymint_network_unbelieved_answers",
    "Answers that could not be read or were not about what was asked",
    ["network"],
)

_Key = tuple[str | None, str | None, str | None]


class Patience(NamedTuple):
    """How long a network is waited for, seconds; after how many unanswered echoes it is dead."""

    answer_seconds: float = 3.0
    echo_after_seconds: float = 30.0
    missed_echoes: int = 2


class _Waiting(NamedTuple):
    answer: "asyncio.Future[Message]"
    mti: str
    asked: dict[int, str]
    frame_id: int
    gives_up_at: float


class Link(Wire):
    """Signs on, multiplexes requests, notices silence.

    `up` from the network's answer to the sign-on until the connection is lost; then
    `on_down` is called, once, also where it never came up.
    """

    def __init__(
        self,
        network: str,
        clock: Clock,
        patience: Patience,
        on_told: Callable[["Link", Message], None],
        on_down: Callable[["Link"], None],
    ) -> None:
        super().__init__()
        self.network = network
        self.up = False
        self._clock = clock
        self._patience = patience
        self._on_told = on_told
        self._on_down = on_down
        self._waiting: OrderedDict[_Key, _Waiting] = OrderedDict()
        self._trace_number = random.randint(1, TRACE_NUMBER_MAX)  # nosec B311  # no secret
        # The moment as messages of this second give it, and the hour as references do.
        self._second = 0
        self._sent_at = ""
        self._hour = ""
        self._heard_at = clock.monotonic()
        self._echo: asyncio.Future[Message] | None = None
        self._missed = 0

    @property
    def waiting(self) -> int:
        """Requests that wait for an answer."""
        return len(self._waiting)

    @property
    def free(self) -> bool:
        """Whether it may be asked something more."""
        return self.up and len(self._waiting) < MAX_WAITING

    async def ask(self, mti: str, fields: dict[int, str]) -> Message:
        """Send a request and wait for its answer; raises NetworkUnreached and NetworkSilent."""
        answer = self._send(mti, fields)
        try:
            return await answer
        except asyncio.CancelledError:
            # Taken back if it has not left; an answer that comes yet is dropped.
            asked = self._waiting.pop(_key_of(fields), None)
            if asked is not None:
                self.withdraw(asked.frame_id)
            raise

    async def sign_on(self) -> None:
        """Begin; raises as `ask`, and NetworkSilent when the network wants no business."""
        answer = await self._manage(SIGN_ON)
        if answer.fields[RESPONSE_CODE] != APPROVED:
            raise NetworkSilent
        # Lost in the turn between the answer and now, it stays down.
        self.up = self._transport is not None

    async def sign_off(self) -> None:
        """Say that nothing more will be asked."""
        self.up = False
        await self._manage(SIGN_OFF)

    async def echo(self) -> None:
        """Ask for a sign of life; raises as `ask`."""
        await self._manage(ECHO)

    def answer(self, advice: Message) -> None:
        """Tell the network that its advice was taken in."""
        self.send(answer_type(advice.mti), answer_fields(advice, APPROVED))

    def sweep(self) -> None:
        """Give up what is overdue, look for life in a silent network; called every 50 ms.

        All wait equally long, so the oldest comes first, and one sweep costs less than a
        timer for each.
        """
        now = self._clock.monotonic()
        while self._waiting:
            key, oldest = next(iter(self._waiting.items()))
            if oldest.gives_up_at > now:
                break
            self._give_up(key)
        if self.up and now - self._heard_at > self._patience.echo_after_seconds:
            self._look_for_life()

    def frames_ended(self) -> None:
        self.up = False
        for key in list(self._waiting):
            self._give_up(key)
        self._on_down(self)

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._clock.monotonic()
        self._missed = 0
        super().data_received(data)

    def _send(self, mti: str, fields: dict[int, str]) -> "asyncio.Future[Message]":
        if self._transport is None:
            raise NetworkUnreached
        key = self._sign(fields)
        answer: asyncio.Future[Message] = self._loop.create_future()
        gives_up_at = self._clock.monotonic() + self._patience.answer_seconds
        frame_id = self.send(mti, fields)
        # Not the card: of that nothing is left here once the message has left.
        asked = {field: fields[field] for field in REPEATED_FIELDS if field in fields}
        self._waiting[key] = _Waiting(answer, mti, asked, frame_id, gives_up_at)
        return answer

    def _sign(self, fields: dict[int, str]) -> _Key:
        """Give a message its moment, trace number and reference; one that waits has them not."""
        second = self._clock.unix_ms() // 1000
        if second != self._second:
            now = self._clock.now()
            self._second = second
            self._sent_at = now.strftime("%m%d%H%M%S")
            self._hour = f"{now.year % 10}{now.timetuple().tm_yday:03}{now.hour:02}"
        fields[SENT_AT] = self._sent_at
        fields[ACQUIRER] = OUR_INSTITUTION
        while True:
            self._trace_number = self._trace_number % TRACE_NUMBER_MAX + 1
            trace_number = f"{self._trace_number:06}"
            fields[TRACE_NUMBER] = trace_number
            fields[RETRIEVAL_REFERENCE] = self._hour + trace_number
            key = _key_of(fields)
            if key not in self._waiting:
                return key

    def received(self, data: bytes) -> None:
        try:
            message = unpack(data)
        except NotAMessage as error:
            _UNBELIEVED.labels(self.network).inc()
            log("network_message_malformed", network=self.network, reason=str(error))
            return
        if message.mti in (TOLD, TOLD_AGAIN):
            self._on_told(self, message)
            return
        if message.mti == MANAGEMENT:
            self.answer(message)
            return
        asked = self._waiting.pop(_key_of(message.fields), None)
        if asked is None:
            _UNMATCHED.labels(self.network).inc()
        elif asked.answer.done():
            return
        elif is_answer_to(asked.mti, asked.asked, message):
            asked.answer.set_result(message)
        else:
            _UNBELIEVED.labels(self.network).inc()
            asked.answer.set_exception(NetworkSilent())

    def _give_up(self, key: _Key) -> None:
        asked = self._waiting.pop(key)
        never_left = self.withdraw(asked.frame_id)
        if not asked.answer.done():
            asked.answer.set_exception(NetworkUnreached() if never_left else NetworkSilent())

    def _manage(self, code: str) -> "asyncio.Future[Message]":
        return self._send(MANAGEMENT, {MANAGEMENT_CODE: code})

    def _look_for_life(self) -> None:
        if self._echo is not None:
            if not self._echo.done():
                return
            answered = not self._echo.cancelled() and self._echo.exception() is None
            self._echo = None
            if answered:
                return
            self._missed += 1
            log("network_echo_missed", network=self.network, missed=self._missed)
            if self._missed >= self._patience.missed_echoes:
                self.abort()
                return
        self._echo = self._manage(ECHO)


def _key_of(fields: dict[int, str]) -> _Key:
    get = fields.get
    return get(SENT_AT), get(TRACE_NUMBER), get(RETRIEVAL_REFERENCE)
