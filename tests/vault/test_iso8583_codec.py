"""The codec, held byte for byte against pyiso8583, and stricter than it where that is due."""

from typing import Any

import iso8583
import pytest
from hypothesis import given
from hypothesis import strategies as st
from iso8583.specs import default_ascii

from runtime.ids import uuid7
from runtime.masked import Masked
from tests.properties import SAME_EVERYWHERE
from tests.vault.test_simulator import card, order
from vault.networks.iso8583.codec import (
    AMOUNT,
    FIELDS,
    MANAGEMENT_CODE,
    ORIGINAL,
    PAN,
    REFERENCES,
    Message,
    NotAMessage,
    pack,
    unpack,
)
from vault.networks.iso8583.messages import (
    card_fields,
    cvc_in,
    document_in,
    document_parts,
    order_fields,
    references_in,
)

NUMBER = "4242424242424242"
PRINTABLE = st.characters(min_codepoint=32, max_codepoint=126)
DIGITS = st.sampled_from("0123456789")
TYPES = st.text(DIGITS, min_size=4, max_size=4)


def _value(number: int) -> st.SearchStrategy[str]:
    row = FIELDS[number]
    least = row.most if row.prefix == 0 else int(row.digits)
    return st.text(DIGITS if row.digits else PRINTABLE, min_size=least, max_size=row.most)


MESSAGES = st.builds(
    Message,
    TYPES,
    st.sets(st.sampled_from(sorted(FIELDS)), min_size=1).flatmap(
        lambda numbers: st.fixed_dictionaries({number: _value(number) for number in numbers})
    ),
)
# Small enough to be written by hand, with a field of each shape and both bitmaps.
SAMPLE = Message(
    "0100", {PAN: NUMBER, AMOUNT: "000000001000", REFERENCES: "abc", ORIGINAL: "1" * 42}
)
SAMPLE_BYTES = (
    b"0100"
    + b"D000000000000010"
    + b"0000004000000000"
    + b"16"
    + NUMBER.encode()
    + b"000000001000"
    + b"003abc"
    + b"1" * 42
)


def theirs(message: Message) -> bytes:
    """The bytes that pyiso8583 makes of a message."""
    document = {"t": message.mti, **{str(key): value for key, value in message.fields.items()}}
    return bytes(iso8583.encode(document, default_ascii)[0])


def read_by_them(data: bytes) -> Message:
    """What pyiso8583 reads."""
    document, _ = iso8583.decode(data, default_ascii)
    fields = {int(key): value for key, value in document.items() if key.isdecimal() and key != "1"}
    return Message(document["t"], fields)


@SAME_EVERYWHERE
@given(MESSAGES)
def test_a_message_is_packed_as_the_oracle_packs_it_and_read_back_by_both(message: Message) -> None:
    data = pack(message.mti, message.fields)
    assert data == theirs(message)
    assert unpack(data) == message == read_by_them(data)


@SAME_EVERYWHERE
@given(MESSAGES, st.data())
def test_what_we_read_of_damaged_bytes_the_oracle_reads_the_same(
    message: Message, data: st.DataObject
) -> None:
    damaged = bytearray(pack(message.mti, message.fields))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        match data.draw(st.sampled_from(["change", "cut", "insert"])):
            case "change":
                damaged[place] = data.draw(st.integers(0, 255))
            case "cut":
                del damaged[place : place + data.draw(st.integers(1, 40))]
            case _:
                damaged[place:place] = data.draw(st.binary(min_size=1, max_size=3))
        if not damaged:
            break
    try:
        found = unpack(bytes(damaged))
    except NotAMessage:
        return
    assert read_by_them(bytes(damaged)) == found
    assert pack(found.mti, found.fields) == bytes(damaged)


@SAME_EVERYWHERE
@given(st.binary(max_size=400))
def test_no_bytes_but_a_message_are_read(noise: bytes) -> None:
    try:
        found = unpack(noise)
    except NotAMessage:
        return
    assert pack(found.mti, found.fields) == noise


def test_the_sample() -> None:
    assert pack(*SAMPLE) == SAMPLE_BYTES == theirs(SAMPLE)
    assert unpack(SAMPLE_BYTES) == SAMPLE


@pytest.mark.parametrize("length", range(len(SAMPLE_BYTES)))
def test_a_message_that_is_cut_off_is_refused(length: int) -> None:
    with pytest.raises(NotAMessage):
        unpack(SAMPLE_BYTES[:length])


@pytest.mark.parametrize(
    "data",
    [
        SAMPLE_BYTES + b"0",
        # A card number that is none: the oracle takes it.
        SAMPLE_BYTES.replace(NUMBER.encode(), b"42424242424242x2"),
        # Longer than the field may be.
        SAMPLE_BYTES.replace(b"16" + NUMBER.encode(), b"20" + b"4" * 20),
        SAMPLE_BYTES.replace(b"003abc", b"-03abc"),
        # Bitmaps: small letters, a blank, a field that is not ours, an empty second one.
        SAMPLE_BYTES.replace(b"D0000", b"d0000"),
        SAMPLE_BYTES.replace(b"D0000", b"D 000"),
        b"0800" + b"0000000000000001" + b"0" * 16,
        b"0800" + b"8000000000000000" + b"0" * 16,
        b"0800" + b"8000000000000000" + b"8" + b"0" * 15,
        b"08x0" + b"0000000000000000",
        SAMPLE_BYTES.replace(b"abc", "é ".encode()),
    ],
)
def test_what_is_no_message_is_refused_and_not_repeated_in_the_error(data: bytes) -> None:
    with pytest.raises(NotAMessage) as refusal:
        unpack(data)
    assert "4242" not in str(refusal.value) and "4444" not in str(refusal.value)


@pytest.mark.parametrize(
    ("mti", "fields"),
    [
        ("100", {AMOUNT: "0" * 12}),
        ("01x0", {AMOUNT: "0" * 12}),
        ("0100", {AMOUNT: "0" * 11}),
        ("0100", {AMOUNT: "0" * 13}),
        ("0100", {AMOUNT: "-" + "0" * 11}),
        ("0100", {PAN: ""}),
        ("0100", {PAN: "4" * 20}),
        ("0100", {PAN: "4242 4242"}),
        ("0100", {PAN: "٤٢٤٢٤٢٤٢٤٢٤٢٤٢"}),
        ("0100", {REFERENCES: "x" * 1000}),
        ("0100", {REFERENCES: "é"}),
        ("0100", {REFERENCES: "a\nb"}),
        ("0800", {MANAGEMENT_CODE: "01"}),
        ("0100", {1: "0" * 16}),
        ("0100", {64: "0" * 16}),
        ("0100", {65: "0"}),
        ("0100", {129: "0"}),
    ],
)
def test_what_no_network_would_read_is_not_sent(mti: str, fields: dict[int, str]) -> None:
    with pytest.raises(NotAMessage):
        pack(mti, fields)


def test_a_message_shows_no_card_number() -> None:
    fields = card_fields(card(NUMBER), Masked("987"))
    assert cvc_in(fields) == "987"
    shown = repr(Message("0100", fields))
    assert NUMBER not in shown and "987" not in shown and "2" in shown


def test_references_survive_their_field() -> None:
    for hold_id in (None, uuid7()):
        asked = order(livemode=True, hold_id=hold_id)
        found = references_in(order_fields(asked))
        ours = (asked.attempt_id, asked.payment_id, asked.merchant_id)
        assert found == (*ours, True, hold_id)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0" * 97,
        "0" * 96 + "x",
        "x" * 96 + "T",
        "0" * 95 + "T",
        "0" * 96 + "T" + "0" * 31,
        "0" * 96 + "T" + "x" * 32,
    ],
)
def test_references_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(NotAMessage):
        references_in({REFERENCES: text})


@SAME_EVERYWHERE
@given(st.binary(max_size=30_000))
def test_documents_of_any_length_survive_their_parts(document: bytes) -> None:
    parts: list[dict[int, Any]] = document_parts(document)
    packed = [unpack(pack("0600", part)).fields for part in parts if part]
    assert document_in(packed) == document
