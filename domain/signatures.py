"""How a delivery is signed, in the two ways that receivers verify.

`Paymint-Signature`: `t=<unix seconds>,v1=<hex>`, HMAC-SHA256 over `<t>.<body>`, keyed with
the whole secret as UTF-8 (what stripe's libraries verify).  Standard Webhooks
(standardwebhooks.com): `v1,<base64>`, HMAC-SHA256 over `<id>.<t>.<body>`, keyed with the
bytes that the secret encodes.  While a secret is being rolled each header carries a
signature of the new secret, then one of the old.  Test vectors of both:
docs/webhooks.md, tests/domain/test_signatures.py.
"""

import base64
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from runtime.masked import Masked

SECRET_PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32
_HASH: Final = "sha256"


def compose_secret(random_bytes: bytes) -> str:
    """The secret of 32 random bytes: `whsec_` and their base64."""
    assert len(random_bytes) == SECRET_BYTES
    return SECRET_PREFIX + base64.b64encode(random_bytes).decode()


def headers(
    secrets: Sequence[Masked], event_id: str, unix_seconds: int, body: bytes
) -> dict[str, str]:
    """The signature headers of one attempt to deliver `body`, newest secret first."""
    return {
        "Paymint-Signature": paymint_signature(secrets, unix_seconds, body),
        "webhook-id": event_id,
        "webhook-timestamp": str(unix_seconds),
        "webhook-signature": standard_signature(secrets, event_id, unix_seconds, body),
    }


def paymint_signature(secrets: Sequence[Masked], unix_seconds: int, body: bytes) -> str:
    """The value of the `Paymint-Signature` header: one `v1` for each secret."""
    signed = b"%d.%b" % (unix_seconds, body)
    digests = [hmac.digest(secret.reveal().encode(), signed, _HASH).hex() for secret in secrets]
    return ",".join((f"t={unix_seconds}", *(f"v1={digest}" for digest in digests)))


def standard_signature(
    secrets: Sequence[Masked], event_id: str, unix_seconds: int, body: bytes
) -> str:
    """The value of the `webhook-signature` header: one `v1` for each secret."""
    signed = b"%b.%d.%b" % (event_id.encode(), unix_seconds, body)
    keys = [base64.b64decode(secret.reveal().removeprefix(SECRET_PREFIX)) for secret in secrets]
    digests = [base64.b64encode(hmac.digest(key, signed, _HASH)).decode() for key in keys]
    return " ".join(f"v1,{digest}" for digest in digests)


def valid_secrets(
    secret: bytes, previous: bytes | None, previous_until: datetime | None, now: datetime
) -> tuple[bytes, ...]:
    """The (sealed) secrets that sign at `now` (wall time), the newest first."""
    if previous is None or previous_until is None or previous_until <= now:
        return (secret,)
    return (secret, previous)
