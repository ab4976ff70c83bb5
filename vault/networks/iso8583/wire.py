"""Messages on a connection, both ends of it: two bytes of length, and the message."""

from struct import Struct
from typing import Final

from runtime.sending import Sending
from vault.networks.iso8583.codec import MESSAGE_MAX_BYTES, pack

_LENGTH: Final = Struct("!H")


class Wire(Sending):
    """Cuts what arrives into messages, and sends messages; ends when the cut is lost."""

    def __init__(self) -> None:
        super().__init__()
        self._frame_id = 0
        self._rest = b""

    def received(self, data: bytes) -> None:
        """One whole message has arrived."""
        raise NotImplementedError

    def send(self, mti: str, fields: dict[int, str]) -> int:
        """Queue a message; answers the id by which it can be withdrawn."""
        return self.send_bytes(pack(mti, fields))

    def send_bytes(self, data: bytes) -> int:
        """Queue what is, or should be, a message; answers as `send`."""
        self._frame_id += 1
        self.post(self._frame_id, _LENGTH.pack(len(data)) + data)
        return self._frame_id

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        start, end = 0, len(data)
        while end - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(data, start)
            if not 0 < length <= MESSAGE_MAX_BYTES:
                # Where the next message begins is not known any more.
                self._rest = b""
                self.abort()
                return
            body = start + _LENGTH.size
            if end - body < length:
                break
            start = body + length
            self.received(data[body:start])
        self._rest = data[start:]
