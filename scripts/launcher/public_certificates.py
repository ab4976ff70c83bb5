"""The certificate of the public doors under `scripts/serve --tls`.

Clients trust an authority made for the data directory.  Its key is kept, unlike that of the
private door's: a certificate can then be renewed without every client being told of another
authority.  The authority is constrained to this machine, so that a thief of the key can show
himself as nothing but localhost.
"""

from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from scripts.launcher.certificates import (
    RENEWAL,
    Authority,
    draft,
    named,
    usage,
    write_certificate,
    write_key,
)

AUTHORITY_VALIDITY = timedelta(days=3650)
SERVER_VALIDITY = timedelta(days=90)
LOCALHOST = x509.DNSName("localhost")
NAMES = [
    LOCALHOST,
    x509.IPAddress(IPv4Address("127.0.0.1")),
    x509.IPAddress(IPv6Address("::1")),
]
PERMITTED = [
    LOCALHOST,
    x509.IPAddress(IPv4Network("127.0.0.1/32")),
    x509.IPAddress(IPv6Network("::1/128")),
]


def ensure_public_certificate(directory: Path, now: datetime) -> bool:
    """Makes ca.pem, ca.key, server.pem, server.key when needed; tells whether it did."""
    authority = _known(directory, now)
    if authority is not None and _is_good(directory, authority, now):
        return False
    if authority is None:
        authority = _made(now)
        write_key(directory / "ca.key", authority.key)
        write_certificate(directory / "ca.pem", authority.certificate)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = sign_server(authority, key, now)
    write_key(directory / "server.key", key)
    write_certificate(directory / "server.pem", certificate)
    return True


def sign_server(
    authority: Authority, key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.Certificate:
    """The certificate that the public doors show."""
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    return (
        draft(named("localhost"), authority.certificate.subject, key, now, SERVER_VALIDITY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(signs_certificates=False), critical=True)
        .add_extension(purposes, critical=False)
        .add_extension(x509.SubjectAlternativeName(NAMES), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority.key, hashes.SHA256())
    )


def _made(now: datetime) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = named("Paymint on this machine")
    certificate = (
        draft(name, name, key, now, AUTHORITY_VALIDITY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(PERMITTED, None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def _known(directory: Path, now: datetime) -> Authority | None:
    try:
        certificate = x509.load_pem_x509_certificate((directory / "ca.pem").read_bytes())
        secret = (directory / "ca.key").read_bytes()
        key = serialization.load_pem_private_key(secret, password=None)
    except (OSError, ValueError, TypeError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return None
    fits = certificate.public_key() == key.public_key()
    lasts = certificate.not_valid_after_utc - now > SERVER_VALIDITY
    return Authority(certificate, key) if fits and lasts else None


def _is_good(directory: Path, authority: Authority, now: datetime) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate((directory / "server.pem").read_bytes())
        secret = (directory / "server.key").read_bytes()
        key = serialization.load_pem_private_key(secret, password=None)
        certificate.verify_directly_issued_by(authority.certificate)
    except (OSError, ValueError, TypeError, InvalidSignature):
        return False
    lasts = certificate.not_valid_after_utc - now > RENEWAL
    return lasts and certificate.public_key() == key.public_key()
