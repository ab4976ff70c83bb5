"""What is posted in one turn of the event loop leaves in one write, and what never left is known.

What is posted stays in a list of ours until it is handed to the transport, at most
`SLICE_BYTES` (or one frame) a turn and nothing while the transport asks for a pause.  So a
frame that never left is known to have never left, which is what lets a caller say
"certainly not begun" instead of "unknown".
"""

import asyncio
from typing import cast

SLICE_BYTES = 64 * 1024
SECONDS_UNTIL_ABORT_AFTER_CLOSE = 1.0


class Sending(asyncio.Protocol):
    """The sending half of a connection that carries frames; a subclass reads the other half.

    Frames are told apart by an id that whoever posts them chooses.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unsent: dict[int, bytes] = {}
        self._unsent_bytes = 0
        self._flush_scheduled = False
        self._paused = False
        self._closing = False

    def frames_ended(self) -> None:
        """The connection is gone; what `is_unsent` says stays true."""

    def post(self, call_id: int, frame: bytes) -> None:
        """Queue a frame; it leaves at the end of this turn of the loop."""
        self.withdraw(call_id)
        self._unsent[call_id] = frame
        self._unsent_bytes += len(frame)
        self._schedule_flush()

    def post_at_once(self, frame: bytes) -> None:
        """Send a frame past everything that is queued."""
        if self._transport is not None:
            self._transport.write(frame)

    def is_unsent(self, call_id: int) -> bool:
        """True while the frame of this call has certainly not left."""
        return call_id in self._unsent

    def withdraw(self, call_id: int) -> bool:
        """Take back a frame that has not left; False when it is too late."""
        frame = self._unsent.pop(call_id, None)
        if frame is None:
            return False
        self._unsent_bytes -= len(frame)
        return True

    def close_after_flush(self) -> None:
        """Send what is queued, say goodbye to the peer, and end within a second."""
        if self._transport is None or self._closing:
            return
        self._closing = True
        while self._unsent:
            self._write_slice()
        self._transport.close()
        # A peer that does not answer the TLS goodbye would keep the connection for long.
        self._loop.call_later(SECONDS_UNTIL_ABORT_AFTER_CLOSE, self.abort)

    def abort(self) -> None:
        """End the connection now; what was queued is dropped."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes, whatever they can do.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=SLICE_BYTES)

    def connection_lost(self, error: Exception | None) -> None:
        # Dropped at once: uvloop's `write` on a dead transport raises.
        self._transport = None
        self.frames_ended()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._schedule_flush()

    def _schedule_flush(self) -> None:
        if self._unsent and not self._flush_scheduled and not self._paused:
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_scheduled = False
        if self._paused or self._transport is None:
            return
        self._write_slice()
        # One slice a turn: the transport has said by then whether it wants a pause.
        self._schedule_flush()

    def _write_slice(self) -> None:
        assert self._transport is not None
        if self._unsent_bytes <= SLICE_BYTES:
            data = b"".join(self._unsent.values())
            self._unsent.clear()
            self._unsent_bytes = 0
        else:
            data = self._take_slice()
        if data:
            self._transport.write(data)

    def _take_slice(self) -> bytes:
        taken: list[int] = []
        size = 0
        for call_id, frame in self._unsent.items():
            if taken and size + len(frame) > SLICE_BYTES:
                break
            taken.append(call_id)
            size += len(frame)
        self._unsent_bytes -= size
        return b"".join([self._unsent.pop(call_id) for call_id in taken])
