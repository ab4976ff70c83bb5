"""What our messages mean: types, codes and private fields, for both ends of a line.

    0100/0110  authorisation            0200/0210  sale, and refund by its processing code
    0220/0230  capture                  0400/0410  reversal; 0401 when it is repeated
    0600/0610  inquiry, evidence        0620/0630  a chargeback, told by the network
    0800/0810  sign-on, sign-off, echo

Field 60 carries our own references (attempt, payment, merchant, mode, and the hold that is
added to or drawn on), 61 what a message of
class 06 is about, 62 a JSON document, 120 to 127 a longer one in parts, 63 the network's
reference, 90 the message that asked for the decision spoken of.
"""

import base64
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple
from uuid import UUID

import msgspec

from contract import relay
from runtime.masked import Masked
from vault.instruments import Card
from vault.networks.iso8583.codec import (
    ACQUIRER,
    ADDITIONAL_DATA,
    AMOUNT,
    CURRENCY,
    EXPIRY,
    FUNCTION,
    MANAGEMENT_CODE,
    NETWORK_REFERENCE,
    ORIGINAL,
    PAN,
    PROCESSING_CODE,
    REFERENCES,
    RESPONSE_CODE,
    RESPONSE_DATA,
    RETRIEVAL_REFERENCE,
    SENT_AT,
    TEXT_PARTS,
    TRACE_NUMBER,
    Message,
    NotAMessage,
)
from vault.networks.network import Order

AUTHORISATION: Final = "0100"
FINANCIAL: Final = "0200"
CAPTURE: Final = "0220"
REVERSAL: Final = "0400"
ADMINISTRATIVE: Final = "0600"
TOLD: Final = "0620"
TOLD_AGAIN: Final = "0621"
MANAGEMENT: Final = "0800"

SIGN_ON: Final = "001"
SIGN_OFF: Final = "002"
ECHO: Final = "301"

PURCHASE: Final = "000000"
REFUND: Final = "200000"

INQUIRY: Final = "inquiry"
EVIDENCE: Final = "evidence"
CLAIM: Final = "claim"
RULING: Final = "ruling"

APPROVED: Final = "00"
PENDING: Final = "09"
NOT_FOUND: Final = "25"
NOT_UNDERSTOOD: Final = "30"
SYSTEM_ERROR: Final = "96"
_DECLINED: Final[dict[str, tuple[str, str | None]]] = {
    "05": ("card_declined", "generic_decline"),
    "06": ("processing_error", "processing_error"),
    # What cannot follow upon what was decided before.
    "12": ("processing_error", None),
    "41": ("card_declined", "lost_card"),
    "43": ("card_declined", "stolen_card"),
    "51": ("card_declined", "insufficient_funds"),
    "54": ("expired_card", "expired_card"),
    "65": ("card_declined", "card_velocity_exceeded"),
    "N7": ("incorrect_cvc", "incorrect_cvc"),
    "R0": ("refund_failed", None),
}
_DO_NOT_HONOUR: Final = "05"
_CODE_OF: Final = {meaning: code for code, meaning in _DECLINED.items()}
_CVC_CHECKS: Final[dict[str, Literal["pass", "fail", "unavailable"]]] = {
    "M": "pass",
    "N": "fail",
    "U": "unavailable",
}
_CVC_LETTER: Final = {check: letter for letter, check in _CVC_CHECKS.items()}

# Our institution in every message, and the one that forwards: none does.
OUR_INSTITUTION: Final = "99000000001"
_NO_INSTITUTION: Final = "0" * 11
TRACE_DIGITS: Final = 20
_NO_TRACE: Final = "0" * TRACE_DIGITS
# Subelement 92 of field 48: the number printed on the card, never written anywhere.
_CVC_ELEMENT: Final = "92"
_MODES: Final = {"L": True, "T": False}
_MODE_AT: Final = 3 * 32
_PART_CHARACTERS: Final = 999
DOCUMENT_PART_CHARACTERS: Final = _PART_CHARACTERS * len(TEXT_PARTS)

# What an answer repeats of its request, as it was.
REPEATED_FIELDS: Final[tuple[int, ...]] = (PROCESSING_CODE, AMOUNT, CURRENCY, REFERENCES, FUNCTION)
MATCHED_FIELDS: Final = (SENT_AT, TRACE_NUMBER, RETRIEVAL_REFERENCE)


class References(NamedTuple):
    """Field 60: what a message is about, in our own ids."""

    attempt_id: UUID
    payment_id: UUID
    merchant_id: UUID
    livemode: bool
    hold_id: UUID | None = None


class Ruling(msgspec.Struct, frozen=True):
    """Sandbox: the decision that a network is asked to take on a chargeback."""

    chargeback: relay.Chargeback
    won: bool


class Part(msgspec.Struct, frozen=True):
    """Which part of a document fields 120 to 127 hold, counted from 1, and whose it is."""

    number: int
    of: int
    chargeback: relay.Chargeback


def repeat_type(mti: str) -> str:
    """The type of a message that was sent before and not answered: 0400 becomes 0401."""
    return f"{mti[:3]}1"


def answer_type(mti: str) -> str:
    """The type that answers a request or an advice, repeated or not: 0401 is answered 0410."""
    return f"{mti[:2]}{int(mti[2]) + 1}0"


def order_fields(order: Order, processing_code: str = PURCHASE) -> dict[int, str]:
    """What every order says; a reversal gives back all there is and names no amount."""
    references = References(
        order.attempt_id, order.payment_id, order.merchant_id, order.livemode, order.hold_id
    )
    fields = {PROCESSING_CODE: processing_code, REFERENCES: references_text(references)}
    if order.currency:
        fields[AMOUNT] = f"{order.amount:012}"
        fields[CURRENCY] = order.currency.upper()
    return fields


def card_fields(card: Card, code: Masked | None) -> dict[int, str]:
    """The card: its number, its expiry as YYMM, and its CVC where there is one."""
    expiry = f"{card.exp_year % 100:02}{card.exp_month:02}"
    fields = {PAN: card.number.reveal(), EXPIRY: expiry}
    if code is not None:
        cvc = code.reveal()
        fields[ADDITIONAL_DATA] = f"{_CVC_ELEMENT}{len(cvc):02}{cvc}"
    return fields


def cvc_in(fields: Mapping[int, str]) -> str | None:
    """The CVC that a message brought."""
    text = fields.get(ADDITIONAL_DATA, "")
    return text[len(_CVC_ELEMENT) + 2 :] if text.startswith(_CVC_ELEMENT) else None


def references_text(references: References) -> str:
    """Field 60."""
    mode = "L" if references.livemode else "T"
    attempt, payment, merchant = (each.hex for each in references[:3])
    hold = "" if references.hold_id is None else references.hold_id.hex
    return f"{attempt}{payment}{merchant}{mode}{hold}"


def references_in(fields: Mapping[int, str]) -> References:
    """Field 60 of a message; raises NotAMessage."""
    text = fields.get(REFERENCES, "")
    livemode = _MODES.get(text[_MODE_AT : _MODE_AT + 1])
    hold = text[_MODE_AT + 1 :]
    if len(hold) not in (0, 32) or livemode is None:
        raise NotAMessage("no references", REFERENCES)
    try:
        attempt, payment, merchant = (UUID(hex=text[at : at + 32]) for at in (0, 32, 64))
        hold_id = UUID(hex=hold) if hold else None
    except ValueError:
        raise NotAMessage("no references", REFERENCES) from None
    return References(attempt, payment, merchant, livemode, hold_id)


def original_text(trace: str | None) -> str:
    """Field 90: the message spoken of, ours; all zeros where it is not known."""
    if trace is None:
        return _NO_TRACE + _NO_INSTITUTION + _NO_INSTITUTION
    return trace + OUR_INSTITUTION + _NO_INSTITUTION


def trace_of(message: Message) -> str:
    """How field 90 names a message: its type, trace number and moment."""
    return message.mti + message.fields[TRACE_NUMBER] + message.fields[SENT_AT]


def trace_in(fields: Mapping[int, str]) -> str | None:
    """The message that field 90 speaks of."""
    trace = fields.get(ORIGINAL, _NO_TRACE)[:TRACE_DIGITS]
    return None if trace == _NO_TRACE else trace


def answer_fields(request: Message, code: str) -> dict[int, str]:
    """The beginning of an answer: what it repeats of its request, and its response code."""
    repeated = (*MATCHED_FIELDS, *REPEATED_FIELDS, ACQUIRER, MANAGEMENT_CODE)
    fields = {field: request.fields[field] for field in repeated if field in request.fields}
    fields[RESPONSE_CODE] = code
    return fields


def is_answer_to(mti: str, asked: Mapping[int, str], answer: Message) -> bool:
    """Whether an answer is one to what was asked: it repeats that, adds no amount, and ends."""
    if answer.mti != answer_type(mti) or RESPONSE_CODE not in answer.fields:
        return False
    fields = answer.fields
    # A loop: a generator for each answer costs as much as the rest of it.
    for field in REPEATED_FIELDS:  # noqa: SIM110
        if fields.get(field) != asked.get(field):
            return False
    return True


def decision_fields(decision: relay.Decision) -> dict[int, str]:
    """How an answer says what was decided; its response code among it."""
    fields = {RESPONSE_CODE: _response_code(decision)}
    if decision.network_reference is not None:
        fields[NETWORK_REFERENCE] = decision.network_reference
    if decision.cvc_check is not None:
        fields[RESPONSE_DATA] = _CVC_LETTER[decision.cvc_check]
    if decision.trace is not None:
        fields[ORIGINAL] = original_text(decision.trace)
    return fields


def decision_in(network: str, fields: Mapping[int, str]) -> relay.Decision:
    """What an answer says was decided."""
    code = fields[RESPONSE_CODE]
    approved = code in (APPROVED, PENDING)
    declined = (None, None) if approved else _DECLINED.get(code, _DECLINED[_DO_NOT_HONOUR])
    outcome: Literal["approved", "declined", "pending"] = "declined"
    if approved:
        outcome = "approved" if code == APPROVED else "pending"
    return relay.Decision(
        outcome=outcome,
        network=network,
        network_reference=fields.get(NETWORK_REFERENCE),
        code=declined[0],
        decline_code=declined[1],
        cvc_check=_CVC_CHECKS.get(fields.get(RESPONSE_DATA, "")),
        trace=trace_in(fields),
    )


def document_parts(document: bytes) -> list[dict[int, str]]:
    """A document of any length as fields 120 to 127 of one message after another."""
    text = base64.b64encode(document).decode("ascii")
    starts = range(0, len(text), DOCUMENT_PART_CHARACTERS)
    return [_part(text[start : start + DOCUMENT_PART_CHARACTERS]) for start in starts]


def document_in(parts: list[dict[int, str]]) -> bytes:
    """The document that these parts make; raises ValueError."""
    texts = [part.get(field, "") for part in parts for field in TEXT_PARTS]
    return base64.b64decode("".join(texts), validate=True)


def _part(text: str) -> dict[int, str]:
    pieces = [text[at : at + _PART_CHARACTERS] for at in range(0, len(text), _PART_CHARACTERS)]
    return dict(zip(TEXT_PARTS, pieces, strict=False))


def _response_code(decision: relay.Decision) -> str:
    if decision.outcome == "approved":
        return APPROVED
    if decision.outcome == "pending":
        return PENDING
    declined = (decision.code or "", decision.decline_code)
    return _CODE_OF.get(declined, _DO_NOT_HONOUR)
