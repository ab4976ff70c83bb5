"""Verifies deliveries as a merchant would, from the published description alone."""

import base64
import hashlib
import hmac
import re

from tests.receiver import Delivery

TOLERANCE_SECONDS = 300


def verify_paymint(delivery: Delivery, secret: str, place: int = 0) -> None:
    """Blueprint section 3: HMAC-SHA256 of `{timestamp}.{raw_body}`, keyed with the secret.

    `place` is which of the signatures must fit: 1 is the old secret's while one is rolled.
    """
    header = delivery.headers["paymint-signature"]
    found = re.fullmatch(r"t=(\d+)((?:,v1=[0-9a-f]{64}){1,2})", header)
    assert found is not None, header
    assert abs(delivery.at - int(found[1])) <= TOLERANCE_SECONDS
    signed = found[1].encode() + b"." + delivery.body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(expected, found[2].split(",v1=")[1:][place])


def verify_standard(delivery: Delivery, secret: str, place: int = 0) -> None:
    """Standard Webhooks: base64 of HMAC-SHA256 of `{id}.{timestamp}.{body}`, keyed with bytes."""
    headers = delivery.headers
    assert abs(delivery.at - int(headers["webhook-timestamp"])) <= TOLERANCE_SECONDS
    head = f"{headers['webhook-id']}.{headers['webhook-timestamp']}."
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, head.encode() + delivery.body, hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(digest).decode()
    assert headers["webhook-signature"].split(" ")[place] == expected
