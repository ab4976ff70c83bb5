"""Certificates for the private doors between API and vault, and between vault and networks.

All ends prove who they are.  A certificate authority signs them and its key is then
forgotten: nobody, not even a thief of the data directory, can sign one more.  Whatever is
missing, unfitting or about to expire has all of them made anew (PCI DSS 4.0.1 req. 4.2.1).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from scripts.launcher.private_files import write_private

VALIDITY = timedelta(days=365)
RENEWAL = timedelta(days=30)
CLOCK_SKEW = timedelta(minutes=5)
ENDS = ("vault", "api", "network")
AUTHORITY = "paymint-ca"


@dataclass(frozen=True)
class Authority:
    """The signer, alive for the few milliseconds of one signing."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def ensure_certificates(directory: Path, now: datetime) -> bool:
    """Makes ca.pem, and NAME.pem and NAME.key of each end, when needed; tells whether it did."""
    if all(is_good(directory, end, now) for end in ENDS):
        return False
    authority = make_authority(now)
    write_certificate(directory / "ca.pem", authority.certificate)
    for end in ENDS:
        key = ec.generate_private_key(ec.SECP256R1())
        write_key(directory / f"{end}.key", key)
        write_certificate(directory / f"{end}.pem", sign_end(authority, end, key, now))
    return True


def is_good(directory: Path, end: str, now: datetime) -> bool:
    """Whether the end's certificate is signed by ca.pem, fits its key and lasts long enough."""
    try:
        authority = x509.load_pem_x509_certificate((directory / "ca.pem").read_bytes())
        certificate = x509.load_pem_x509_certificate((directory / f"{end}.pem").read_bytes())
        secret = (directory / f"{end}.key").read_bytes()
        key = serialization.load_pem_private_key(secret, password=None)
        certificate.verify_directly_issued_by(authority)
    except (OSError, ValueError, TypeError, InvalidSignature):
        return False
    lasts = min(authority.not_valid_after_utc, certificate.not_valid_after_utc) - now > RENEWAL
    return lasts and certificate.public_key() == key.public_key()


def make_authority(now: datetime) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = named(AUTHORITY)
    certificate = (
        draft(name, name, key, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def sign_end(
    authority: Authority, end: str, key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.Certificate:
    """The certificate of one end: it may serve and call, on this machine."""
    name = f"paymint-{end}"
    places = [x509.DNSName("localhost"), x509.DNSName(name)]
    addresses = [x509.IPAddress(IPv4Address("127.0.0.1"))]
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    return (
        draft(named(name), authority.certificate.subject, key, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName([*places, *addresses]), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority.key, hashes.SHA256())
    )


def draft(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    validity: timedelta = VALIDITY,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + validity)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def write_certificate(path: Path, certificate: x509.Certificate) -> None:
    write_private(path, certificate.public_bytes(serialization.Encoding.PEM))


def write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    write_private(
        path,
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def utc_now() -> datetime:
    return datetime.now(UTC)
