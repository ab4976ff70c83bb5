"""Vectors computed with OpenSSL, and the one that Standard Webhooks publishes."""

from domain.signatures import compose_secret, headers, paymint_signature, standard_signature
from runtime.masked import Masked

SECRET = Masked("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
EVENT_ID = "evt_019d7cd45c3f7290b8e5a1d6c4f7039b"
BODY = b'{"id":"evt_019d7cd45c3f7290b8e5a1d6c4f7039b","object":"event"}'
SECONDS = 1775917802
PAYMINT = "t=1775917802,v1=5c793057ddc87ae0a1c33af2145aa2f18956164e100c53fd29bd1eff89b672f2"
STANDARD = "v1,VOR595CN58NRd27qOUOA0YFJRKtDy/yirP3b+gdOCew="


def test_paymint_signature_is_keyed_with_the_whole_secret() -> None:
    assert paymint_signature([SECRET], SECONDS, BODY) == PAYMINT


def test_standard_signature_is_keyed_with_the_bytes_of_the_secret() -> None:
    assert standard_signature([SECRET], EVENT_ID, SECONDS, BODY) == STANDARD


def test_the_published_vector_of_standard_webhooks() -> None:
    secret = Masked("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    message_id, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}'
    signature = standard_signature([secret], message_id, 1614265330, body)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_an_attempt_carries_all_four_headers() -> None:
    assert headers([SECRET], EVENT_ID, SECONDS, BODY) == {
        "Paymint-Signature": PAYMINT,
        "webhook-id": EVENT_ID,
        "webhook-timestamp": "1775917802",
        "webhook-signature": STANDARD,
    }


def test_a_secret_is_the_base64_of_its_bytes() -> None:
    assert compose_secret(bytes(range(32))) == SECRET.reveal()
