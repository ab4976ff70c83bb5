"""How a delivery is signed, in the two ways that receivers verify.

`Paymint-Signature`: `t=<unix seconds>,v1=<hex>`, HMAC-SHA256 over `<t>.<body>`, keyed with
the whole secret as UTF-8 (what stripe's libraries verify).  Standard Webhooks
(standardwebhooks.com): `v1,<base64>`, HMAC-SHA256 over `<id>.<t>.<body>`, keyed with the
bytes that the secret encodes.  Test vectors of both: tests/domain/test_signatures.py.
"""

import base64
import hmac
from typing import Final

from runtime.masked import Masked

SECRET_PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32
_HASH: Final = "sha256"


def compose_secret(random_bytes: bytes) -> str:
    """The secret of 32 random bytes: `whsec_` and their base64."""
    assert len(random_bytes) == SECRET_BYTES
    return SECRET_PREFIX + base64.b64encode(random_bytes).decode()


def headers(secret: Masked, event_id: str, unix_seconds: int, body: bytes) -> dict[str, str]:
    """The signature headers of one attempt to deliver `body`."""
    return {
        "Paymint-Signature": paymint_signature(secret, unix_seconds, body),
        "webhook-id": event_id,
        "webhook-timestamp": str(unix_seconds),
        "webhook-signature": standard_signature(secret, event_id, unix_seconds, body),
    }


def paymint_signature(secret: Masked, unix_seconds: int, body: bytes) -> str:
    """The value of the `Paymint-Signature` header."""
    signed = b"%d.%b" % (unix_seconds, body)
    digest = hmac.digest(secret.reveal().encode(), signed, _HASH)
    return f"t={unix_seconds},v1={digest.hex()}"


def standard_signature(secret: Masked, event_id: str, unix_seconds: int, body: bytes) -> str:
    """The value of the `webhook-signature` header."""
    key = base64.b64decode(secret.reveal().removeprefix(SECRET_PREFIX))
    signed = b"%b.%d.%b" % (event_id.encode(), unix_seconds, body)
    return "v1," + base64.b64encode(hmac.digest(key, signed, _HASH)).decode()
