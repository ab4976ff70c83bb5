"""Vectors computed with OpenSSL, and the one that Standard Webhooks publishes."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.signatures import (
    compose_secret,
    headers,
    paymint_signature,
    standard_signature,
    valid_secrets,
)
from runtime.masked import Masked

SECRET = Masked("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
NEW_SECRET = Masked("whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=")
EVENT_ID = "evt_019d7cd45c3f7290b8e5a1d6c4f7039b"
BODY = b'{"id":"evt_019d7cd45c3f7290b8e5a1d6c4f7039b","object":"event"}'
SECONDS = 1775917802
PAYMINT = "t=1775917802,v1=5c793057ddc87ae0a1c33af2145aa2f18956164e100c53fd29bd1eff89b672f2"
STANDARD = "v1,VOR595CN58NRd27qOUOA0YFJRKtDy/yirP3b+gdOCew="

NEW_PAYMINT = "16d5d3212cdd79c9058b8832599a77b3cdce92c64e182490c0e4061b4948f94e"
NEW_STANDARD = "v1,kAvOWOxSYGBVTDHBCV1owgvdAvAdmuaI8gXuUWr4ET4="


def test_paymint_signature_is_keyed_with_the_whole_secret() -> None:
    assert paymint_signature([SECRET], SECONDS, BODY) == PAYMINT


def test_standard_signature_is_keyed_with_the_bytes_of_the_secret() -> None:
    assert standard_signature([SECRET], EVENT_ID, SECONDS, BODY) == STANDARD


def test_the_published_vector_of_standard_webhooks() -> None:
    secret = Masked("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    message_id, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}'
    signature = standard_signature([secret], message_id, 1614265330, body)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_while_a_secret_is_rolled_the_new_one_signs_first() -> None:
    both = headers([NEW_SECRET, SECRET], EVENT_ID, SECONDS, BODY)
    old = PAYMINT.removeprefix(f"t={SECONDS},")
    assert both["Paymint-Signature"] == f"t={SECONDS},v1={NEW_PAYMINT},{old}"
    assert both["webhook-signature"] == f"{NEW_STANDARD} {STANDARD}"


@pytest.mark.parametrize(("milliseconds", "count"), [(-1, 2), (0, 1), (1, 1)])
def test_the_old_secret_signs_until_its_moment(milliseconds: int, count: int) -> None:
    until = datetime(2026, 5, 2, 9, 12, 44, tzinfo=UTC)
    now = until + timedelta(milliseconds=milliseconds)
    found = valid_secrets(b"new", b"old", until, now)
    assert found == (b"new", b"old")[:count]
    assert valid_secrets(b"new", None, None, now) == (b"new",)


def test_an_attempt_carries_all_four_headers() -> None:
    assert headers([SECRET], EVENT_ID, SECONDS, BODY) == {
        "Paymint-Signature": PAYMINT,
        "webhook-id": EVENT_ID,
        "webhook-timestamp": "1775917802",
        "webhook-signature": STANDARD,
    }


def test_a_secret_is_the_base64_of_its_bytes() -> None:
    assert compose_secret(bytes(range(32))) == SECRET.reveal()
