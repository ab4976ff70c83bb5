"""What an operation may answer, checked on every answer.

A check costs a payment's answer some 12 us, and it is never off.  A violation is logged and
counted; where PAYMINT_STRICT_ANSWERS is 1 (tests, continuous integration) it is an error.
"""

import os
from collections.abc import Callable
from typing import Any

import orjson
from prometheus_client import Counter

from contract.document import Node, resolved
from contract.errors import JSON_CONTENT_TYPE
from contract.shapes import compile_validator
from contract.sheets import CSV, Sheet
from domain.refusals import Refusal
from generated.error_codes import CATALOGUE
from runtime.log import log

__all__ = ["JSON_CONTENT_TYPE", "Answers", "UndeclaredAnswer", "encode"]

STRICT_VARIABLE = "PAYMINT_STRICT_ANSWERS"
_VIOLATIONS = Counter(
    "paymint_undeclared_answers",
    "Answers that the document does not declare.",
    ["operation", "status"],
)
_LINE_SEPARATOR = "\u2028".encode()
_PARAGRAPH_SEPARATOR = "\u2029".encode()


class UndeclaredAnswer(Exception):
    """An answer that breaks the document; raised where answers are strict."""


class Answers:
    """The statuses of one operation with the shapes of their bodies, and its error codes."""

    def __init__(self, document: Node, operation: Node) -> None:
        self._operation_id: str = operation["operationId"]
        self._codes = frozenset(operation["x-errors"])
        self._strict = os.environ.get(STRICT_VARIABLE) == "1"
        self._valid = {
            int(status): _judge(document, response)
            for status, response in operation["responses"].items()
        }

    def check(self, status: int, body: Any) -> None:
        """Check a resource; raises UndeclaredAnswer where answers are strict."""
        valid = self._valid.get(status)
        if valid is None:
            self._report(status, "the status is not declared")
            return
        try:
            fits = valid(body)
        except ValueError:
            fits = False
        if not fits:
            self._report(status, "the body does not fit its schema")

    def check_refusal(self, refusal: Refusal) -> None:
        """Check that the document says this operation can give this code."""
        if refusal.code not in self._codes:
            status = CATALOGUE[refusal.code].status
            self._report(status, f"{refusal.code} is not in x-errors")

    def _report(self, status: int, fault: str) -> None:
        _VIOLATIONS.labels(self._operation_id, str(status)).inc()
        log("undeclared_answer", operation=self._operation_id, status=status, fault=fault)
        if self._strict:
            raise UndeclaredAnswer(f"{self._operation_id} {status}: {fault}")


def encode(body: Any) -> bytes:
    """JSON in which nothing can be taken for HTML or end a line of JavaScript.

    `<`, `>`, `&`, U+2028 and U+2029 are escaped; a reader gets back exactly what was stored.
    """
    data = orjson.dumps(body)
    if b"<" in data or b">" in data or b"&" in data:
        data = data.replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026")
    if b"\xe2\x80" in data:
        data = data.replace(_LINE_SEPARATOR, b"\\u2028")
        data = data.replace(_PARAGRAPH_SEPARATOR, b"\\u2029")
    return data


def _judge(document: Node, response: Node) -> Callable[[Any], bool]:
    content = resolved(document, response).get("content")
    if content is None:
        return _is_nothing
    if "application/json" not in content:
        # A page, or text that was made when the process started: nothing in it to judge.
        return _is_text
    fits = compile_validator(document, content["application/json"]["schema"]).is_valid
    if CSV in content:
        return lambda body: isinstance(body, Sheet) or fits(body)
    return fits


def _is_nothing(body: Any) -> bool:
    return body is None


def _is_text(body: Any) -> bool:
    return isinstance(body, bytes)
