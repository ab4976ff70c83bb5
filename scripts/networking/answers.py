"""What a simulated network answers to a message: the issuers' decisions, as messages."""

from typing import Final, TypeVar
from uuid import UUID

import msgspec

from contract import relay
from domain.card_numbers import brand_of
from runtime.masked import Masked
from vault.instruments import Card
from vault.networks.iso8583.codec import (
    AMOUNT,
    CURRENCY,
    DETAILS,
    EXPIRY,
    FUNCTION,
    ORIGINAL,
    PAN,
    PROCESSING_CODE,
    REFERENCES,
    TEXT_PARTS,
    Message,
    NotAMessage,
)
from vault.networks.iso8583.messages import (
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
    Part,
    Ruling,
    answer_fields,
    cvc_in,
    decision_fields,
    document_in,
    references_in,
    trace_in,
    trace_of,
)
from vault.networks.issuers import FollowUp, Issuers
from vault.networks.journal import Line
from vault.networks.network import Charge, Order

CENTURY: Final = 2000

_Details = TypeVar("_Details", bound=msgspec.Struct)


class Answers:
    """Understands what one network is asked; what it says is `Issuers`' word."""

    def __init__(self, network: str, issuers: Issuers) -> None:
        self._network = network
        self._issuers = issuers
        self._evidence: dict[UUID, dict[int, dict[int, str]]] = {}

    def decide(self, message: Message) -> Line | None:
        """The decision that a message asks for; None where it asks for none.

        Raises NotAMessage for one that lacks what it must say.
        """
        fields = message.fields
        kind = f"{message.mti[:3]}0"
        if kind == AUTHORISATION or (kind == FINANCIAL and PAN in fields):
            sale = kind == FINANCIAL
            order = self._order(message)
            return self._issuers.charge(order, _charge(fields, sale), trace_of(message))
        follow_up = _follow_up(kind, fields)
        if follow_up is None:
            return None
        order = self._order(message)
        if follow_up == "capture" and order.hold_id is not None:
            follow_up = "draw"
        try:
            approval = self._issuers.approval(order.hold_id or order.payment_id, trace_in(fields))
        except LookupError:
            raise NotAMessage("about another message", ORIGINAL) from None
        of = None if approval is None else approval.attempt
        return self._issuers.follow_up(order, follow_up, trace_of(message), of)

    def told_of(self, message: Message, line: Line) -> dict[int, str]:
        """The answer that tells a decision."""
        decision = self._issuers.decision(line)
        return answer_fields(message, APPROVED) | decision_fields(decision)

    def administrative(self, message: Message) -> dict[int, str]:
        """The answer to a message of class 06; raises NotAMessage."""
        function = message.fields.get(FUNCTION)
        try:
            if function == INQUIRY:
                return self._inquiry(message)
            if function == EVIDENCE:
                return self._take_evidence(message)
            if function == CLAIM:
                return self._claim(message)
            if function == RULING:
                ruling = _details(message, Ruling)
                self._issuers.rule(ruling.chargeback, ruling.won)
                return answer_fields(message, APPROVED)
        except LookupError:
            return answer_fields(message, NOT_FOUND)
        return answer_fields(message, NOT_UNDERSTOOD)

    def _order(self, message: Message) -> Order:
        fields = message.fields
        references = references_in(fields)
        return Order(
            **references._asdict(),
            network=self._network,
            amount=int(fields.get(AMOUNT, "0")),
            currency=fields.get(CURRENCY, "").lower(),
        )

    def _inquiry(self, message: Message) -> dict[int, str]:
        try:
            attempt_id = UUID(hex=message.fields.get(REFERENCES, ""))
        except ValueError:
            raise NotAMessage("no attempt", REFERENCES) from None
        line = self._issuers.inquire(attempt_id)
        return answer_fields(message, NOT_FOUND) if line is None else self.told_of(message, line)

    def _claim(self, message: Message) -> dict[int, str]:
        claimed = self._issuers.charge_back(_details(message, relay.OpenChargeback))
        if claimed is None:
            return answer_fields(message, NOT_FOUND)
        details = msgspec.json.encode(claimed).decode()
        return answer_fields(message, APPROVED) | {DETAILS: details}

    def _take_evidence(self, message: Message) -> dict[int, str]:
        """Keep a part; the last one that was missing makes the whole."""
        part = _details(message, Part)
        kept = self._evidence.setdefault(part.chargeback.id, {})
        kept[part.number] = {
            field: message.fields[field] for field in TEXT_PARTS if field in message.fields
        }
        if len(kept) >= part.of:
            del self._evidence[part.chargeback.id]
            try:
                document = document_in([kept[number] for number in range(1, part.of + 1)])
                evidence = msgspec.json.decode(document, type=relay.Represent)
            except (KeyError, ValueError, msgspec.MsgspecError):
                raise NotAMessage("no document", TEXT_PARTS.start) from None
            self._issuers.represent(part.chargeback, evidence)
        return answer_fields(message, APPROVED)


def _follow_up(kind: str, fields: dict[int, str]) -> FollowUp | None:
    if kind == CAPTURE:
        return "capture"
    if kind == REVERSAL:
        return "reverse"
    refunds = kind == FINANCIAL and fields.get(PROCESSING_CODE) == REFUND
    return "refund" if refunds else None


def _details(message: Message, kind: type[_Details]) -> _Details:
    try:
        return msgspec.json.decode(message.fields.get(DETAILS, ""), type=kind)
    except msgspec.MsgspecError:
        raise NotAMessage("no details", DETAILS) from None


def _charge(fields: dict[int, str], sale: bool) -> Charge:
    number, expiry = fields.get(PAN, ""), fields.get(EXPIRY, "")
    brand = brand_of(number)
    if brand is None or not expiry:
        raise NotAMessage("no card", PAN)
    card = Card(Masked(number), int(expiry[2:]), CENTURY + int(expiry[:2]), brand)
    cvc = cvc_in(fields)
    return Charge(card, None if cvc is None else Masked(cvc), sale)
