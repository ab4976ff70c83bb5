"""The catalogue, the classes of refusals and the answers they become agree."""

import re
from typing import Any

import jsonschema_rs
import orjson
import pytest

from contract.errors import InternalError, refuse
from domain import refusals
from domain.refusals import MethodNotAllowed, Refusal, Unavailable
from generated.error_codes import CATALOGUE
from tests.document import DOCUMENT

REQUEST_ID = "req_" + "0" * 32
STATUSES = {kind.status: kind for kind in Refusal.__subclasses__()}
VALUES: dict[str, Any] = {
    "expected": "integer",
    "minimum": 1,
    "maximum": 2,
    "limit_bytes": 3,
    "amount": 4,
    "available": 5,
    "limit": "captured amount",
    "currency": "xxx",
    "status": "failed",
    "unit": "cents",
}


def error_of(refusal: Refusal) -> tuple[int, dict[bytes, bytes], dict[str, Any]]:
    status, headers, body = refuse(refusal, REQUEST_ID)
    return status, dict(headers), orjson.loads(body)["error"]


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_code_becomes_an_error_of_the_document(code: str) -> None:
    refusal = Refusal(code, "amount", **VALUES)
    status, _, error = error_of(refusal)
    schema = {"$ref": "#/components/schemas/Error", "components": DOCUMENT["components"]}
    jsonschema_rs.Draft202012Validator(schema).validate({"error": error})
    assert status == CATALOGUE[code].status
    assert "{" not in error["message"]


@pytest.mark.parametrize("code", CATALOGUE)
def test_a_message_names_only_what_a_refusal_may_carry(code: str) -> None:
    placeholders = set(re.findall(r"\{(.*?)\}", CATALOGUE[code].message))
    assert placeholders <= VALUES.keys() | {"param"}


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_status_of_the_catalogue_has_a_class(code: str) -> None:
    assert CATALOGUE[code].status in STATUSES
    assert issubclass(refusals.Unprocessable, Refusal)


def test_the_headers_of_errors() -> None:
    assert error_of(Refusal("api_key_invalid"))[1][b"www-authenticate"] == b'Bearer realm="paymint"'
    assert error_of(MethodNotAllowed("GET, HEAD"))[1][b"allow"] == b"GET, HEAD"
    assert error_of(Unavailable())[1][b"retry-after"] == b"1"
    assert error_of(Refusal("idempotency_key_in_use"))[1][b"retry-after"] == b"1"
    assert b"retry-after" not in error_of(Refusal("idempotency_key_reused"))[1]


def test_an_error_without_a_parameter_has_no_param() -> None:
    assert "param" not in error_of(InternalError())[2]
