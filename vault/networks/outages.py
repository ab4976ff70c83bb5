"""Whole networks that misbehave, as a file says: `simulator/faults.json` of the state directory.

`{"visa": {"fault": "silent_after"}, "amex": {"refuses": true, "delay_seconds": 5}}`: `fault` is
one of behaviours.Fault, `refuses` takes no connection, `delay_seconds` comes before every
answer.  The file is read again within a moment of its change, so whoever tests changes it while
the networks run; it should be replaced by a rename.  Without the file all is well.
"""

import time
from pathlib import Path
from typing import Final

import msgspec

from runtime.log import log_exception
from vault.networks.behaviours import Fault

FILE_NAME: Final = "faults.json"
LOOK_SECONDS: Final = 0.005


class Outage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is wrong with one network."""

    fault: Fault | None = None
    refuses: bool = False
    delay_seconds: float = 0.0


WELL: Final = Outage()
_decoder: Final[msgspec.json.Decoder[dict[str, Outage]]] = msgspec.json.Decoder(dict[str, Outage])


class Outages:
    """What the file says at the moment."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE_NAME
        self._seen: tuple[int, int] | None = None
        self._told: dict[str, Outage] = {}
        self._flaps = 0
        self._look_at = 0.0

    def refuses(self, network: str) -> bool:
        """Whether a network takes no connection."""
        return self._present(network).refuses

    def delay_seconds(self, network: str) -> float:
        """How much later than usual a network answers."""
        return self._present(network).delay_seconds

    def silent(self, network: str) -> bool:
        """Whether a network gives no sign of life."""
        return self._present(network).fault is Fault.SILENT_BEFORE

    def fault(self, network: str) -> Fault | None:
        """What goes wrong with the next thing asked of a network; ask once for each."""
        fault = self._present(network).fault
        if fault is not Fault.FLAPS:
            return fault
        self._flaps += 1
        return Fault.SYSTEM_ERROR if self._flaps % 2 else None

    def _present(self, network: str) -> Outage:
        # A question to a network asks three times, and a look is a system call: under load
        # they took 12 us of the 240 that a charge cost the vault.
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            self._look()
        return self._told.get(network, WELL)

    def _look(self) -> None:
        try:
            status = self._path.stat()
        except OSError:
            self._seen, self._told = None, {}
            return
        seen = (status.st_mtime_ns, status.st_ino)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._told = _decoder.decode(self._path.read_bytes())
        except (OSError, msgspec.MsgspecError) as error:
            # What it said before goes on: a slip in a test's file mends nothing.
            log_exception("faults_unreadable", error)
