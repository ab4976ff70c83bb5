"""The simulated networks' own books: a file of JSON lines that is only ever appended to.

It is the truth about what the networks decided, whatever became of the vault: a line has
reached the operating system before its decision is answered, so it survives a killed
process.  Several vault processes may write to one file; each reads what the others wrote.
Numbers never enter it, only the last four digits (PCI DSS 4.0.1 req. 3.4.1).
"""

import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

TAIL_READ_AT_START_BYTES = 16 * 1024 * 1024
_FILE_MODE = 0o600
_DIRECTORY_MODE = 0o700


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One decision; ids are 32 hex digits, `at` is unix ms, `amount` minor units."""

    at: int
    kind: str
    attempt: str
    payment: str
    merchant: str
    livemode: bool
    network: str
    amount: int
    currency: str
    # `silence` when the network never decided.
    decision: Literal["approved", "declined", "pending", "silence"]
    reference: str | None = None
    code: str | None = None
    decline_code: str | None = None
    cvc_check: Literal["pass", "fail", "unavailable"] | None = None
    last_four: str | None = None
    behaviour: str = "succeeds"
    # The message that asked, on a network that is spoken to in messages.
    trace: str | None = None
    # The hold that an authorisation added to, or that was drawn on.
    hold: str | None = None
    # The attempt whose approval a reversal gives back; none: all there is of the payment.
    of: str | None = None


_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


class Journal:
    """Appends lines, and reads those of other processes and of the past."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
        self._file = os.open(path, flags, _FILE_MODE)
        size = self._ended()
        # Everything before this offset has been handed out or is older than the tail.
        self._seen = self._start_of_line(max(0, size - TAIL_READ_AT_START_BYTES))

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def append(self, line: Line) -> None:
        """Write one line; it is with the operating system when this returns."""
        data = _encoder.encode(line) + b"\n"
        if os.write(self._file, data) != len(data):
            raise OSError("the journal took only a part of a line")
        end = os.lseek(self._file, 0, os.SEEK_CUR)
        # Only when nobody else has written in between is everything before `end` seen.
        if end - len(data) == self._seen:
            self._seen = end

    def news(self) -> list[Line]:
        """Lines that were written since this was last asked, other processes' above all."""
        size = os.fstat(self._file).st_size
        if size == self._seen:
            return []
        data = os.pread(self._file, size - self._seen, self._seen)
        whole = data[: data.rfind(b"\n") + 1]
        self._seen += len(whole)
        return list(_lines(whole))

    def about(self, reference: str) -> list[Line]:
        """Every line that names an attempt or a payment, however old: a search of the file."""
        if os.fstat(self._file).st_size == 0:
            return []
        wanted = f'"{reference}"'.encode()
        found: list[bytes] = []
        with mmap.mmap(self._file, 0, prot=mmap.PROT_READ) as content:
            place = content.find(wanted)
            while place >= 0:
                start = content.rfind(b"\n", 0, place) + 1
                end = content.find(b"\n", place)
                if end < 0:
                    break
                found.append(content[start : end + 1])
                place = content.find(wanted, end)
        return list(_lines(b"".join(found)))

    def _ended(self) -> int:
        """The size of the file, after the end of a line that a killed process left torn."""
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")
            size = os.fstat(self._file).st_size
        return size

    def _start_of_line(self, offset: int) -> int:
        if offset == 0:
            return 0
        size = os.fstat(self._file).st_size
        rest = os.pread(self._file, size - offset, offset)
        return offset + rest.find(b"\n") + 1


def _lines(data: bytes) -> Iterator[Line]:
    for text in data.splitlines():
        try:
            yield _decoder.decode(text)
        except msgspec.MsgspecError:
            # A process that was killed while writing leaves a torn line: it was not answered.
            continue
