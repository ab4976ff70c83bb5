"""uvicorn's HTTP protocol, where ours has to differ.

Writes of one loop turn leave together: uvicorn writes head and body of an answer one after
the other, and each write is a system call that wakes the reader (in a profile of creates the
two took 12 % of the API's busy time, the one takes 3 %).
"""

import asyncio
from typing import Any

from contract.http_heads import BoundedHttp


class CorkedTransport:
    """A transport that gathers what is written until the event loop turns."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Queue `data`; it leaves when the callbacks of this turn are done."""
        if not self._parts:
            asyncio.get_running_loop().call_soon(self._flush)
        self._parts.append(data)

    def close(self) -> None:
        """Send what is queued, then close."""
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts and not self._transport.is_closing():
            self._transport.write(parts[0] if len(parts) == 1 else b"".join(parts))


class Wire(BoundedHttp):
    """The protocol of one connection."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(CorkedTransport(transport))
