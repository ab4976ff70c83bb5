"""A plain ASGI door on the contract, as the package's docstring shows it to the vault."""

import asyncio
from typing import Any

import orjson
import pytest

from contract.answers import UndeclaredAnswer, encode
from contract.bodies import ClientGone
from contract.errors import refuse
from contract.headers import read_headers
from contract.operations import compile_operations
from domain.refusals import Refusal
from tests.document import DOCUMENT

REQUEST_ID = "req_" + "0" * 32
JSON = (b"content-type", b"application/json")
CARD = b'{"type":"card","card":{"number":"4242424242424242","exp_month":12,"exp_year":2030}}'
TOKEN = DOCUMENT["components"]["examples"]["TokenCard"]["value"]


@pytest.fixture
def operation(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("PAYMINT_STRICT_ANSWERS", "1")
    return compile_operations(DOCUMENT, "vault")["create_token"]


async def door(operation: Any, raw_headers: list[tuple[bytes, bytes]], *chunks: bytes) -> Any:
    waiting = list(chunks)

    async def receive() -> dict[str, Any]:
        if not waiting:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    try:
        headers = read_headers(raw_headers)
        body = operation.body.parse(await operation.body.read(headers, receive))
        operation.parameters.read_query(b"")
        operation.body.check(body)
        operation.answers.check(201, TOKEN)
        return 201, orjson.loads(encode(TOKEN))
    except Refusal as refusal:
        operation.answers.check_refusal(refusal)
        status, _, data = refuse(refusal, REQUEST_ID)
        return status, orjson.loads(data)["error"]["code"]


@pytest.mark.parametrize(
    ("headers", "chunks", "status", "answer"),
    [
        ([JSON], [CARD], 201, TOKEN),
        ([JSON], [CARD[:9], CARD[9:]], 201, TOKEN),
        ([JSON, JSON], [CARD], 400, "header_invalid"),
        ([], [CARD], 415, "content_type_unsupported"),
        ([JSON], [b""], 400, "body_missing"),
        ([JSON], [b"x" * 262_145], 413, "payload_too_large"),
        ([JSON], [CARD.replace(b"12", b"12.0")], 400, "parameter_invalid_type"),
    ],
)
def test_the_door(
    operation: Any, headers: list[Any], chunks: list[bytes], status: int, answer: Any
) -> None:
    assert asyncio.run(door(operation, headers, *chunks)) == (status, answer)


def test_a_client_that_leaves(operation: Any) -> None:
    with pytest.raises(ClientGone):
        asyncio.run(door(operation, [JSON]))


def test_a_strict_answer_that_is_not_declared(operation: Any) -> None:
    for status, body in ((200, TOKEN), (201, {**TOKEN, "number": "4242424242424242"})):
        with pytest.raises(UndeclaredAnswer) as caught:
            operation.answers.check(status, body)
        assert "4242" not in str(caught.value)
    with pytest.raises(UndeclaredAnswer):
        operation.answers.check_refusal(Refusal("resource_missing"))


def test_an_undeclared_answer_passes_where_answers_are_not_strict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PAYMINT_STRICT_ANSWERS", raising=False)
    compile_operations(DOCUMENT, "vault")["create_token"].answers.check(200, {})
