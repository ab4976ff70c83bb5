"""Mutual TLS 1.3 between our own processes, and to the card networks.

PCI DSS 4.0.1 req. 4.2.1: card numbers leave for nobody who has not proved a name under the
one authority, and are taken from nobody else.
"""

import asyncio
import ssl
from pathlib import Path


def certificates(name: str) -> tuple[str, str, str]:
    """The files that a side named `name` needs: the authority, its certificate and its key."""
    return "ca.pem", f"{name}.pem", f"{name}.key"


def client_context(directory: Path, name: str) -> ssl.SSLContext:
    """The calling side; raises OSError and ssl.SSLError for files that are not there, or not so."""
    return _context(ssl.PROTOCOL_TLS_CLIENT, directory, name)


def server_context(directory: Path, name: str) -> ssl.SSLContext:
    """The answering side, which asks for a certificate; raises as `client_context`."""
    return _context(ssl.PROTOCOL_TLS_SERVER, directory, name)


def common_name(transport: asyncio.BaseTransport) -> str | None:
    """Who the other end proved to be."""
    certificate = transport.get_extra_info("peercert")
    if not isinstance(certificate, dict):
        return None
    for relative_name in certificate.get("subject", ()):
        for field, value in relative_name:
            if field == "commonName":
                return str(value)
    return None


def _context(protocol: int, directory: Path, name: str) -> ssl.SSLContext:
    authority, certificate, key = certificates(name)
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(directory / authority)
    context.load_cert_chain(directory / certificate, directory / key)
    return context
