"""Card networks that are spoken to in ISO 8583: what the vault asks, as messages."""

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from contract import relay
from runtime.clock import Clock
from runtime.log import log_exception
from runtime.private_tls import client_context
from vault.instruments import Card
from vault.networks.iso8583.codec import (
    DETAILS,
    FUNCTION,
    ORIGINAL,
    REFERENCES,
    RESPONSE_CODE,
    Message,
)
from vault.networks.iso8583.connection import Connection
from vault.networks.iso8583.link import Link, Patience
from vault.networks.iso8583.messages import (
    ADMINISTRATIVE,
    APPROVED,
    AUTHORISATION,
    CAPTURE,
    CLAIM,
    EVIDENCE,
    FINANCIAL,
    INQUIRY,
    NOT_FOUND,
    NOT_UNDERSTOOD,
    REFUND,
    REVERSAL,
    RULING,
    SYSTEM_ERROR,
    Part,
    Ruling,
    card_fields,
    decision_in,
    document_parts,
    order_fields,
    original_text,
    repeat_type,
)
from vault.networks.network import (
    Charge,
    NetworkFailed,
    NetworkSilent,
    NetworkUnreached,
    Order,
)
from vault.settings import Address

SWEEP_SECONDS: Final = 0.05
# A start waits so long for the networks, and goes on without those that are not there.
START_SECONDS: Final = 2.0
START_LOOK_SECONDS: Final = 0.01
DRAIN_SECONDS: Final = 5.0

_encoder: Final = msgspec.json.Encoder()
_chargebacks: Final[msgspec.json.Decoder[relay.Chargeback]] = msgspec.json.Decoder(relay.Chargeback)
_Told = tuple[UUID, relay.ChargebackState]


def client_tls(directory: Path) -> ssl.SSLContext:
    """Mutual TLS 1.3 with the certificates of `directory`: ca.pem, vault.pem, vault.key."""
    return client_context(directory, "vault")


class Iso8583Networks:
    """Every network that has an address; one that has several is asked over all of them."""

    def __init__(
        self,
        addresses: Sequence[Address],
        tls: ssl.SSLContext,
        clock: Clock,
        patience: Patience | None = None,
    ) -> None:
        self._told: dict[_Told, tuple[relay.Chargeback, Link, Message]] = {}
        self._clock = clock
        patience = patience or Patience()
        self._connections = [
            Connection(address, tls, clock, patience, self._take_in) for address in addresses
        ]
        self._ways: dict[str, deque[Connection]] = {}
        for connection in self._connections:
            self._ways.setdefault(connection.address.network, deque()).append(connection)
        self._sweeping: asyncio.Task[None] | None = None

    @property
    def networks(self) -> frozenset[str]:
        """The names of the networks that are reached here."""
        return frozenset(self._ways)

    async def start(self) -> None:
        """Connect to all networks; returns when all are signed on, or after 2 s."""
        for connection in self._connections:
            connection.start()
        self._sweeping = asyncio.create_task(self._keep_sweeping(), name="networks-sweep")
        ends = self._clock.monotonic() + START_SECONDS
        while not self._all_up() and self._clock.monotonic() < ends:
            await asyncio.sleep(START_LOOK_SECONDS)

    def renew(self, tls: ssl.SSLContext) -> None:
        """Use other certificates from the next connection on."""
        for connection in self._connections:
            connection.renew(tls)

    async def close(self) -> None:
        """Wait up to 5 s for answers that are owed, sign off, and close."""
        ends = self._clock.monotonic() + DRAIN_SECONDS
        while any(link.waiting for link in self._links()) and self._clock.monotonic() < ends:
            await asyncio.sleep(SWEEP_SECONDS)
        await asyncio.gather(*(connection.close() for connection in self._connections))
        if self._sweeping is not None:
            self._sweeping.cancel()
        # One turn, so that the goodbyes leave before the loop is closed.
        await asyncio.sleep(0)

    async def authorise(self, order: Order, charge: Charge) -> relay.Decision:
        if not isinstance(charge.secret, Card):
            raise TypeError("card networks take cards")
        fields = order_fields(order) | card_fields(charge.secret, charge.cvc)
        mti = FINANCIAL if charge.sale else AUTHORISATION
        return await self._decided(order.network, mti, fields)

    async def capture(self, order: Order, approval: relay.Decision) -> relay.Decision:
        return await self._followed(CAPTURE, order_fields(order), order, approval)

    async def reverse(self, order: Order, approval: relay.Decision) -> relay.Decision:
        return await self._followed(REVERSAL, order_fields(order), order, approval)

    async def refund(self, order: Order, approval: relay.Decision) -> relay.Decision:
        return await self._followed(FINANCIAL, order_fields(order, REFUND), order, approval)

    async def inquire(self, network: str, attempt_id: UUID) -> relay.Decision | None:
        fields = {FUNCTION: INQUIRY, REFERENCES: attempt_id.hex}
        answer = await self._asked(network, ADMINISTRATIVE, fields)
        if answer.fields[RESPONSE_CODE] == NOT_FOUND:
            return None
        return decision_in(network, answer.fields)

    async def echo(self, network: str) -> None:
        await self._free_link(network).echo()

    def chargebacks(self) -> list[relay.Chargeback]:
        return [chargeback for chargeback, _, _ in self._told.values()]

    def heard(self, chargebacks: list[relay.Chargeback]) -> None:
        for chargeback in chargebacks:
            told = self._told.pop((chargeback.id, chargeback.state), None)
            if told is not None:
                # On a link that is lost it goes nowhere, and the network tells it again.
                _, link, advice = told
                link.answer(advice)

    async def represent(
        self, network: str, chargeback: relay.Chargeback, evidence: relay.Represent
    ) -> None:
        link = self._free_link(network)
        parts = document_parts(_encoder.encode(evidence))
        answers = await asyncio.gather(
            *(
                link.ask(
                    ADMINISTRATIVE, _about(EVIDENCE, Part(number, len(parts), chargeback)) | part
                )
                for number, part in enumerate(parts, start=1)
            )
        )
        for answer in answers:
            _accepted(answer)

    async def charge_back(
        self, network: str, asked: relay.OpenChargeback
    ) -> relay.Chargeback | None:
        # A request id is the caller's, and no business of a network.
        claim = msgspec.structs.replace(asked, request_id="")
        answer = await self._asked(network, ADMINISTRATIVE, _about(CLAIM, claim))
        if answer.fields[RESPONSE_CODE] == NOT_FOUND:
            return None
        try:
            return _chargebacks.decode(answer.fields.get(DETAILS, ""))
        except msgspec.MsgspecError:
            raise NetworkSilent from None

    async def rule(self, network: str, chargeback: relay.Chargeback, won: bool) -> None:
        ruling = _about(RULING, Ruling(chargeback, won))
        _accepted(await self._free_link(network).ask(ADMINISTRATIVE, ruling))

    async def _followed(
        self, mti: str, fields: dict[int, str], order: Order, approval: relay.Decision
    ) -> relay.Decision:
        fields[ORIGINAL] = original_text(approval.trace)
        mti = repeat_type(mti) if order.repeated else mti
        return await self._decided(order.network, mti, fields)

    async def _decided(self, network: str, mti: str, fields: dict[int, str]) -> relay.Decision:
        answer = await self._asked(network, mti, fields)
        return decision_in(network, answer.fields)

    async def _asked(self, network: str, mti: str, fields: dict[int, str]) -> Message:
        answer = await self._free_link(network).ask(mti, fields)
        _understood(answer)
        return answer

    def _free_link(self, network: str) -> Link:
        ways = self._ways[network]
        for _ in range(len(ways)):
            ways.rotate()
            link = ways[0].link
            if link is not None and link.free:
                return link
        raise NetworkUnreached

    def _take_in(self, link: Link, advice: Message) -> None:
        try:
            chargeback = _chargebacks.decode(advice.fields.get(DETAILS, ""))
        except msgspec.MsgspecError as error:
            # Not heard, so it is told again; this line says why it does not arrive.
            log_exception("chargeback_unreadable", error)
            return
        self._told[chargeback.id, chargeback.state] = (chargeback, link, advice)

    def _links(self) -> list[Link]:
        return [each.link for each in self._connections if each.link is not None]

    def _all_up(self) -> bool:
        return all(each.link is not None and each.link.up for each in self._connections)

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            for link in self._links():
                link.sweep()


def _about(function: str, details: msgspec.Struct) -> dict[int, str]:
    return {FUNCTION: function, DETAILS: _encoder.encode(details).decode()}


def _understood(answer: Message) -> None:
    """Raise for an answer that decides nothing."""
    if answer.fields[RESPONSE_CODE] == SYSTEM_ERROR:
        raise NetworkFailed
    if answer.fields[RESPONSE_CODE] == NOT_UNDERSTOOD:
        raise NetworkSilent


def _accepted(answer: Message) -> None:
    """Raise for an answer that does not take in what was handed over."""
    _understood(answer)
    if answer.fields[RESPONSE_CODE] != APPROVED:
        raise NetworkSilent
