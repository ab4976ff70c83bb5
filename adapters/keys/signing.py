"""Ed25519 signatures (RFC 8032): a secret half that is sealed at rest, a public half for all."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)


def new_key() -> tuple[bytes, bytes]:
    """The public and the secret half of a new key, 32 bytes each."""
    secret = Ed25519PrivateKey.generate()
    return secret.public_key().public_bytes_raw(), secret.private_bytes_raw()


def sign(secret: bytes, message: bytes) -> bytes:
    """The signature of a message, 64 bytes."""
    return Ed25519PrivateKey.from_private_bytes(secret).sign(message)


def is_signed(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the signature is that of this message under this key."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
