"""TLS of the public doors (blueprint section 9, "Encryption"; PCI DSS 4.0.1 req. 4.2.1)."""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CERTIFICATE = "PAYMINT_TLS_CERTIFICATE"
KEY = "PAYMINT_TLS_KEY"
# Of TLS 1.2: forward secrecy and authenticated encryption, nothing else.  1.3 has no others.
CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:!PSK"


@dataclass(frozen=True, slots=True)
class Certified:
    """Where the certificate with its chain and its key lie, as PEM."""

    certificate: Path
    key: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Certified | None":
        """None without both variables; raises ValueError when there is only one of them."""
        certificate, key = environment.get(CERTIFICATE), environment.get(KEY)
        if not certificate and not key:
            return None
        if not certificate or not key:
            raise ValueError(f"{CERTIFICATE} and {KEY} belong together")
        return cls(Path(certificate), Path(key))

    def context(self) -> ssl.SSLContext:
        """What a server needs; raises OSError or ssl.SSLError for files that do not fit."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(CIPHERS)
        context.options |= (
            ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        )
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(self.certificate, self.key)
        return context

    async def renew(self, context: ssl.SSLContext) -> None:
        """Let new connections see the files as they are now; raises as `context` does."""
        # A pair that does not fit must not be found out by the context in use.
        self.context()
        context.load_cert_chain(self.certificate, self.key)
