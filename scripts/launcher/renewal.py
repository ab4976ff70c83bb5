"""New certificates for a private door that is in use, in three steps that lose no call.

Both ends take files anew within a second.  The trust in the new authority comes first, then
the certificates it signed, and last the trust in the old authority goes: at no moment does
one end show a certificate that the other does not trust, in whatever order they look.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from scripts.launcher.certificates import (
    ENDS,
    is_good,
    make_authority,
    sign_end,
    write_certificate,
    write_key,
)
from scripts.launcher.private_files import write_private

LOOK_SECONDS = 3600.0
# Ten times what both ends take to notice.
STEP_SECONDS = 10.0
PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Renewal:
    """New certificates, signed; the key that signed them is forgotten already."""

    directory: Path
    authority: x509.Certificate
    signed: dict[str, tuple[ec.EllipticCurvePrivateKey, x509.Certificate]]

    @classmethod
    def made(cls, directory: Path, now: datetime) -> "Renewal":
        """Sign new certificates for both ends; nothing is written yet."""
        authority = make_authority(now)
        signed = {}
        for end in ENDS:
            key = ec.generate_private_key(ec.SECP256R1())
            signed[end] = (key, sign_end(authority, end, key, now))
        return cls(directory, authority.certificate, signed)

    def trust_both(self) -> None:
        """First: each end trusts what the old and the new authority signed."""
        # The new one stands first: it is the one that a later start judges the ends by.
        path = self.directory / "ca.pem"
        write_private(path, self.authority.public_bytes(PEM) + path.read_bytes())

    def show_new(self) -> None:
        """Second: each end shows its new certificate."""
        for end, (key, certificate) in self.signed.items():
            write_key(self.directory / f"{end}.key", key)
            write_certificate(self.directory / f"{end}.pem", certificate)

    def trust_new(self) -> None:
        """Last: what the old authority signed is refused."""
        write_certificate(self.directory / "ca.pem", self.authority)


class Renewing:
    """Renews before the certificates end, a step each time its moment has come."""

    def __init__(self, directory: Path, say: Callable[[str], None]) -> None:
        self._directory = directory
        self._say = say
        self._next_at = 0.0
        self._steps: list[Callable[[], None]] = []

    def tend(self, monotonic: float, now: datetime) -> None:
        """Called every now and then; reads the certificates once an hour."""
        if monotonic < self._next_at:
            return
        if self._steps:
            self._steps.pop(0)()
            if not self._steps:
                self._say("renewed the certificates of the private door")
        elif not all(is_good(self._directory, end, now) for end in ENDS):
            renewal = Renewal.made(self._directory, now)
            renewal.trust_both()
            self._steps = [renewal.show_new, renewal.trust_new]
        self._next_at = monotonic + (STEP_SECONDS if self._steps else LOOK_SECONDS)
