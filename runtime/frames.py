"""Length-prefixed frames over one connection: both ends of the vault's private door.

A frame is a header `!IQBQ` and a payload: length of the payload in bytes, call id, kind,
deadline in unix milliseconds (0 where none applies).
"""

from enum import IntEnum
from struct import Struct

from runtime.sending import Sending

# Evidence of a dispute in the widest characters is 160 kB.
FRAME_MAX_BYTES = 256 * 1024

HEADER = Struct("!IQBQ")
PAYLOAD_MAX_BYTES = FRAME_MAX_BYTES - HEADER.size


class Kind(IntEnum):
    """What a frame says."""

    CALL = 1
    ANSWER = 2
    # Certain: the call was not begun and never will be.
    REFUSED = 3
    PING = 4
    PONG = 5
    # The sender is leaving: finish what is under way, begin nothing new here.
    GOAWAY = 6
    # The call was begun and its end is not known.
    UNDECIDED = 7


_KINDS = {int(kind): kind for kind in Kind}


class PayloadTooLarge(ValueError):
    """The payload does not fit into a frame of 256 kB."""


def encode_frame(kind: Kind, call_id: int, payload: bytes = b"", deadline_ms: int = 0) -> bytes:
    """One frame as bytes; raises PayloadTooLarge above 256 kB."""
    if len(payload) > PAYLOAD_MAX_BYTES:
        raise PayloadTooLarge
    return HEADER.pack(len(payload), call_id, kind, deadline_ms) + payload


class Framed(Sending):
    """One end of a framed connection; the two doors fill in what frames mean to them."""

    def __init__(self) -> None:
        super().__init__()
        self._rest = b""

    def frame_received(self, kind: Kind, call_id: int, deadline_ms: int, payload: bytes) -> None:
        """One whole frame has arrived."""
        raise NotImplementedError

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        start, end = 0, len(data)
        while end - start >= HEADER.size:
            length, call_id, number, deadline_ms = HEADER.unpack_from(data, start)
            kind = _KINDS.get(number)
            if kind is None or length > PAYLOAD_MAX_BYTES:
                self._rest = b""
                self.abort()
                return
            payload_start = start + HEADER.size
            if end - payload_start < length:
                break
            start = payload_start + length
            self.frame_received(kind, call_id, deadline_ms, data[payload_start:start])
        self._rest = data[start:]
