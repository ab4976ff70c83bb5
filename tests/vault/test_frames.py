"""Frames: whatever is sent arrives whole and in order, however the stream is cut."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.frames import (
    HEADER,
    PAYLOAD_MAX_BYTES,
    Framed,
    Kind,
    PayloadTooLarge,
    encode_frame,
)
from runtime.sending import SLICE_BYTES
from tests.properties import SAME_EVERYWHERE

FRAME = st.tuples(
    st.sampled_from(Kind),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    st.binary(max_size=300),
)


class Transport:
    """Takes what is written; asks for a pause when told to."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def abort(self) -> None:
        self.aborted = True


class Recorder(Framed):
    """Keeps every frame that arrives."""

    def __init__(self, transport: Any) -> None:
        super().__init__()
        self.frames: list[tuple[Kind, int, int, bytes]] = []
        self.connection_made(transport)

    def frame_received(self, kind: Kind, call_id: int, deadline_ms: int, payload: bytes) -> None:
        self.frames.append((kind, call_id, deadline_ms, payload))


def with_recorder(scenario: Callable[[Recorder, Transport], Awaitable[None]]) -> None:
    async def run() -> None:
        transport = Transport()
        await scenario(Recorder(transport), transport)

    asyncio.run(run())


@settings(SAME_EVERYWHERE, max_examples=60)
@given(st.lists(FRAME, max_size=8), st.data())
def test_frames_survive_any_cut(frames: list[Any], data: st.DataObject) -> None:
    stream = b"".join(
        encode_frame(kind, call_id, payload, deadline_ms)
        for kind, call_id, deadline_ms, payload in frames
    )

    async def scenario(end: Recorder, _: Transport) -> None:
        rest = stream
        while rest:
            cut = data.draw(st.integers(1, len(rest)))
            end.data_received(rest[:cut])
            rest = rest[cut:]
        assert end.frames == frames

    with_recorder(scenario)


@pytest.mark.parametrize(
    "header", [HEADER.pack(PAYLOAD_MAX_BYTES + 1, 1, Kind.CALL, 0), HEADER.pack(0, 1, 99, 0)]
)
def test_a_frame_that_cannot_be_ends_the_connection(header: bytes) -> None:
    async def scenario(end: Recorder, transport: Transport) -> None:
        end.data_received(header)
        assert transport.aborted and not end.frames

    with_recorder(scenario)


def test_an_oversized_payload_is_refused_by_the_sender() -> None:
    with pytest.raises(PayloadTooLarge):
        encode_frame(Kind.CALL, 1, b"x" * (PAYLOAD_MAX_BYTES + 1))


def test_frames_of_one_turn_leave_in_one_write() -> None:
    async def scenario(end: Recorder, transport: Transport) -> None:
        for call_id in range(5):
            end.post(call_id, encode_frame(Kind.CALL, call_id))
        assert transport.writes == []
        await asyncio.sleep(0)
        assert len(transport.writes) == 1

    with_recorder(scenario)


def test_what_a_paused_transport_has_not_taken_stays_unsent() -> None:
    frame = encode_frame(Kind.CALL, 0, b"x" * 8000)

    async def scenario(end: Recorder, transport: Transport) -> None:
        for call_id in range(100):
            end.post(call_id, frame)
        await asyncio.sleep(0)
        end.pause_writing()
        await asyncio.sleep(0)
        taken = sum(not end.is_unsent(call_id) for call_id in range(100))
        assert 0 < taken * len(frame) <= SLICE_BYTES
        assert end.withdraw(99) and not end.withdraw(0)
        end.resume_writing()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not any(end.is_unsent(call_id) for call_id in range(100))
        assert sum(map(len, transport.writes)) == 99 * len(frame)

    with_recorder(scenario)
