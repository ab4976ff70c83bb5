"""One simulated network as a server: connections, misbehaviour, chargebacks told until heard."""

import asyncio
import random
from typing import Final
from uuid import UUID

import msgspec

from contract import relay
from runtime.clock import Clock
from runtime.log import log
from runtime.private_tls import common_name
from scripts.networking.answers import Answers
from vault.networks.behaviours import Fault, behaviour_named
from vault.networks.iso8583.codec import (
    ACQUIRER,
    AMOUNT,
    DETAILS,
    MANAGEMENT_CODE,
    RETRIEVAL_REFERENCE,
    SENT_AT,
    TRACE_NUMBER,
    Message,
    NotAMessage,
    pack,
    unpack,
)
from vault.networks.iso8583.messages import (
    ADMINISTRATIVE,
    APPROVED,
    MANAGEMENT,
    NOT_UNDERSTOOD,
    SIGN_OFF,
    SIGN_ON,
    SYSTEM_ERROR,
    TOLD,
    TOLD_AGAIN,
    answer_fields,
    answer_type,
)
from vault.networks.iso8583.wire import Wire
from vault.networks.issuers import Issuers
from vault.networks.outages import Outages
from vault.settings import Latency

CLIENT_NAME: Final = "paymint-vault"
TELL_AGAIN_SECONDS: Final = 3.0
# What is cut off the end of a malformed answer.
CUT_BYTES: Final = 3
THEIR_INSTITUTION: Final = "1"
_TOLD_ANSWER: Final = answer_type(TOLD)
_UNASKED: Final = (Fault.SILENT_BEFORE, Fault.SYSTEM_ERROR)


class _Told:
    """A chargeback that was told and not heard yet."""

    def __init__(self, chargeback: relay.Chargeback) -> None:
        self.chargeback = chargeback
        self.at = -TELL_AGAIN_SECONDS
        self.mti = TOLD


class Host:
    """One network: who is connected to it, and what it does with what it is asked."""

    def __init__(
        self, network: str, issuers: Issuers, outages: Outages, latency: Latency, clock: Clock
    ) -> None:
        self.network = network
        self._clock = clock
        self._issuers = issuers
        self._answers = Answers(network, issuers)
        self._outages = outages
        self._latency = latency
        self._links: set[HostLink] = set()
        self._told: dict[tuple[UUID, str], _Told] = {}
        self._telling: dict[str, tuple[UUID, str]] = {}
        self._trace_number = 0
        self._running: set[asyncio.Task[None]] = set()

    def link(self) -> "HostLink":
        """The protocol of one more connection."""
        return HostLink(self)

    def connected(self, link: "HostLink") -> None:
        """A connection is there."""
        self._links.add(link)

    def disconnected(self, link: "HostLink") -> None:
        """A connection is gone."""
        self._links.discard(link)

    def drop_all(self) -> None:
        """Break every connection."""
        for link in list(self._links):
            link.abort()

    def received(self, link: "HostLink", data: bytes) -> None:
        """Take one message in; what is answered is answered in a task of its own."""
        try:
            message = unpack(data)
        except NotAMessage as error:
            log("host_message_malformed", network=self.network, reason=str(error))
            link.abort()
            return
        if message.mti == _TOLD_ANSWER:
            self._heard(message)
        elif message.mti == MANAGEMENT:
            self._manage(link, message)
        elif not link.signed_on:
            link.abort()
        else:
            task = asyncio.get_running_loop().create_task(self._serve(link, message))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def tell(self) -> None:
        """Tell of the chargebacks that nobody has heard, unless that was done a moment ago."""
        link = next((link for link in self._links if link.signed_on), None)
        if link is None or self._outages.silent(self.network):
            return
        now = self._clock.monotonic()
        for chargeback in self._issuers.chargebacks():
            if self._issuers.network_of(chargeback) != self.network:
                continue
            name = (chargeback.id, chargeback.state)
            told = self._told.setdefault(name, _Told(chargeback))
            if now - told.at >= TELL_AGAIN_SECONDS:
                self._advise(link, told)
                told.at, told.mti = now, TOLD_AGAIN

    def _advise(self, link: "HostLink", told: _Told) -> None:
        self._trace_number += 1
        reference = f"{self._trace_number:012}"
        self._telling[reference] = (told.chargeback.id, told.chargeback.state)
        link.send(
            told.mti,
            {
                SENT_AT: self._clock.now().strftime("%m%d%H%M%S"),
                TRACE_NUMBER: reference[-6:],
                ACQUIRER: THEIR_INSTITUTION,
                RETRIEVAL_REFERENCE: reference,
                DETAILS: msgspec.json.encode(told.chargeback).decode(),
            },
        )

    def _heard(self, message: Message) -> None:
        name = self._telling.pop(message.fields.get(RETRIEVAL_REFERENCE, ""), None)
        told = None if name is None else self._told.pop(name, None)
        if told is not None:
            self._issuers.heard([told.chargeback])

    def _manage(self, link: "HostLink", message: Message) -> None:
        code = message.fields.get(MANAGEMENT_CODE)
        if code in (SIGN_ON, SIGN_OFF):
            link.signed_on = code == SIGN_ON
        elif self._outages.silent(self.network):
            return
        link.send(answer_type(message.mti), answer_fields(message, APPROVED))

    async def _serve(self, link: "HostLink", message: Message) -> None:
        """Decide, wait as long as a network does, answer; or misbehave."""
        fault = self._outages.fault(self.network)
        if fault is Fault.SILENT_BEFORE:
            return
        seconds = self._outages.delay_seconds(self.network)
        answered = answer_fields(message, SYSTEM_ERROR)
        if fault is not Fault.SYSTEM_ERROR:
            try:
                answered, of_card, more = self._decided(link, message)
            except NotAMessage as error:
                log("host_message_malformed", network=self.network, reason=str(error))
                answered, of_card, more = answer_fields(message, NOT_UNDERSTOOD), None, 0.0
            fault = None if message.mti == ADMINISTRATIVE else fault or of_card
            seconds += more
        if fault in (Fault.SILENT_BEFORE, Fault.SILENT_AFTER):
            return
        seconds += random.uniform(self._latency.from_ms, self._latency.to_ms) / 1000  # nosec B311  # no secret
        if seconds:
            await asyncio.sleep(seconds)
        link.answer_badly(message, answered, fault)

    def _decided(
        self, link: "HostLink", message: Message
    ) -> tuple[dict[int, str], Fault | None, float]:
        """The answer, what goes wrong with it, and after how many seconds it comes."""
        if message.mti == ADMINISTRATIVE:
            answered = self._answers.administrative(message)
            # What came of it is told before it is answered.
            self.tell()
            return answered, None, 0.0
        line = self._answers.decide(message)
        if line is None:
            return answer_fields(message, NOT_UNDERSTOOD), None, 0.0
        behaviour = behaviour_named(line.behaviour)
        seconds = behaviour.answers_after_seconds
        if behaviour.fault in _UNASKED:
            return answer_fields(message, SYSTEM_ERROR), behaviour.fault, seconds
        return self._answers.told_of(message, line), behaviour.fault, seconds


class HostLink(Wire):
    """One connection of a vault."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.signed_on = False
        self._host = host

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if common_name(transport) != CLIENT_NAME:
            self.abort()
            return
        self._host.connected(self)

    def frames_ended(self) -> None:
        self.signed_on = False
        self._host.disconnected(self)

    def received(self, data: bytes) -> None:
        self._host.received(self, data)

    def answer_badly(self, message: Message, fields: dict[int, str], fault: Fault | None) -> None:
        """Answer, as far as the fault lets us."""
        mti = answer_type(message.mti)
        if fault is Fault.RESET:
            self.abort()
        elif fault is Fault.MALFORMED:
            self.send_bytes(pack(mti, fields)[:-CUT_BYTES])
        elif fault is Fault.OTHER_AMOUNT:
            amount = int(fields.get(AMOUNT, "0")) + 1
            self.send(mti, fields | {AMOUNT: f"{amount:012}"})
        else:
            self.send(mti, fields)
            if fault is Fault.TWICE:
                self.send(mti, fields)
