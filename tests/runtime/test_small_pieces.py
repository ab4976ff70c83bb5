"""Ids, masks and log lines."""

import pickle

import orjson
import pytest

from runtime import log as log_module
from runtime.ids import uuid7
from runtime.masked import Masked


def test_ids_carry_their_millisecond_and_are_all_different() -> None:
    made = [uuid7(1_760_000_000_000) for _ in range(5000)]
    assert len(set(made)) == 5000
    assert {identifier.version for identifier in made} == {7}
    assert {identifier.variant for identifier in made} == {"specified in RFC 4122"}
    assert {identifier.int >> 80 for identifier in made} == {1_760_000_000_000}
    assert uuid7(1) < uuid7(2)


def test_a_masked_value_shows_itself_only_when_asked() -> None:
    secret = Masked("4242424242424242")
    shown = [str(secret), repr(secret), f"{secret}", f"{secret:>30}", repr([secret])]
    assert not any("4242" in text for text in shown)
    assert secret.reveal() == "4242424242424242"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        orjson.dumps(secret)


def test_an_exception_is_logged_by_its_place_and_never_by_its_message(
    capfd: pytest.CaptureFixture[str],
) -> None:
    log_module.flush()
    capfd.readouterr()
    try:
        raise ValueError("4242424242424242")
    except ValueError as error:
        log_module.log_exception("it_failed", error, request_id="req_1")
    log_module.flush()
    line = orjson.loads(capfd.readouterr().out)
    assert line["error_type"] == "ValueError"
    assert line["request_id"] == "req_1"
    assert line["frames"]
    assert "4242" not in str(line)
