"""One reading of the same bytes, or none."""

import jiter
import pytest

from contract import strict_json
from domain.refusals import Malformed


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'{"a":1,"a":1}', "json_duplicate_key"),
        (b'{"b":[{"a":1,"\\u0061":2}]}', "json_duplicate_key"),
        (b'{"a":NaN}', "json_invalid"),
        (b'{"a":-Infinity}', "json_invalid"),
        (b'{"a":"\xff"}', "json_invalid"),
        (b'{"a":"\\ud800"}', "json_invalid"),
        (b'{"a":"\\udc00\\ud800"}', "json_invalid"),
        (b'{"a":"\x00"}', "json_invalid"),
        (b'{"a":1}{}', "json_invalid"),
        (b'{"a":01}', "json_invalid"),
        (b'{"a":+1}', "json_invalid"),
        (b"{'a':1}", "json_invalid"),
        (b'{"a":1,}', "json_invalid"),
        (b"[" * 202 + b"]" * 202, "json_invalid"),
        ('{"a":1}'.encode("utf-16"), "json_invalid"),
        (b'{"a":' + b"1" * 5000 + b"}", "json_invalid"),
    ],
)
def test_refused(data: bytes, code: str) -> None:
    with pytest.raises(Malformed) as caught:
        strict_json.parse(data)
    assert caught.value.code == code
    # The parser's own message quotes the body.
    assert caught.value.__context__ is None


def test_read() -> None:
    data = b'{"a":[1,-2,true,null,"\\ud83d\\ude00"],"b":9007199254740993}'
    assert strict_json.parse(data) == {"a": [1, -2, True, None, "\U0001f600"], "b": 2**53 + 1}


@pytest.mark.parametrize("number", [b"1.0", b"1e3", b"1E400", b"-0.0"])
def test_a_number_with_a_fraction_is_no_integer(number: bytes) -> None:
    assert isinstance(strict_json.parse(number), jiter.LosslessFloat)
