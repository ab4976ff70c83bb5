"""The body of an operation: its size, its type, its syntax, its schema, in this order."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from contract import forms, strict_json
from contract.document import DocumentError, Node, resolved
from contract.headers import Headers
from contract.items import items_of
from contract.shapes import shape_of
from domain.refusals import Malformed, TooLarge, UnsupportedMediaType

Receive = Callable[[], Awaitable[Any]]

JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"
IDENTITY = b"identity"
# At most with a charset, and that one ours.
_CONTENT_TYPES = {
    media_type: re.compile(
        re.escape(media_type.encode()) + rb'(?:[ \t]*;[ \t]*charset="?utf-8"?)?[ \t]*',
        re.IGNORECASE,
    )
    for media_type in (JSON_TYPE, FORM_TYPE)
}


class ClientGone(Exception):
    """The connection ended before the body did; there is nobody to answer."""


class Body:
    """The body that an operation takes: JSON, or a form."""

    def __init__(self, document: Node, request_body: Node, max_bytes: int) -> None:
        declared = resolved(document, request_body)
        (media_type,) = declared["content"]
        if media_type not in _CONTENT_TYPES:
            raise DocumentError(f"a request body must be {JSON_TYPE} or {FORM_TYPE}")
        self._content_type = _CONTENT_TYPES[media_type]
        self._syntax = _json_object if media_type == JSON_TYPE else forms.parse
        self.max_bytes = max_bytes
        self.required = bool(declared.get("required"))
        schema = declared["content"][media_type]["schema"]
        self._shape = shape_of(document, schema)
        self.items = items_of(document, schema)
        # Items that are judged alone are none of the whole's business.
        self.check = self._shape.check if self.items is None else self._check_hollow

    async def read(self, headers: Headers, receive: Receive) -> bytes:
        """The bytes; raises TooLarge before it has taken more than `max_bytes` of them,
        UnsupportedMediaType, and ClientGone."""
        announced = headers.get(b"content-length")
        if announced is not None and int(announced) > self.max_bytes:
            raise TooLarge("payload_too_large", limit_bytes=self.max_bytes)
        data = await self._take(receive)
        if data and not self._is_plain(headers):
            raise UnsupportedMediaType("content_type_unsupported")
        return data

    def parse(self, data: bytes) -> Any:
        """The JSON object or the form's fields, None when there is no body; raises Malformed."""
        if data:
            return self._syntax(data)
        if self.required:
            raise Malformed("body_missing")
        return None

    def _check_hollow(self, value: Any) -> None:
        assert self.items is not None
        self._shape.check(self.items.hollow(value))

    def _is_plain(self, headers: Headers) -> bool:
        """Of the declared type and, since nobody decodes a body, without a content coding."""
        coding = headers.get(b"content-encoding", IDENTITY).strip().lower()
        content_type = headers.get(b"content-type", b"")
        return coding == IDENTITY and self._content_type.fullmatch(content_type) is not None

    async def _take(self, receive: Receive) -> bytes:
        message = await receive()
        data: bytes = message.get("body", b"")
        parts: list[bytes] = []
        size = len(data)
        while message["type"] != "http.disconnect" and size <= self.max_bytes:
            if not message.get("more_body"):
                return b"".join((*parts, data)) if parts else data
            parts.append(data)
            message = await receive()
            data = message.get("body", b"")
            size += len(data)
        if message["type"] == "http.disconnect":
            raise ClientGone
        raise TooLarge("payload_too_large", limit_bytes=self.max_bytes)


def _json_object(data: bytes) -> dict[str, Any]:
    value = strict_json.parse(data)
    if not isinstance(value, dict):
        # Also `null`, which must not pass for the absence of a body.
        raise Malformed("body_not_object")
    return value


async def refuse_body(headers: Headers, receive: Receive) -> None:
    """For an operation that takes no body; raises Malformed `body_unexpected`."""
    announced = headers.get(b"content-length")
    if announced is None and b"transfer-encoding" not in headers:
        return
    message = await receive()
    while message["type"] != "http.disconnect":
        if message.get("body"):
            raise Malformed("body_unexpected")
        if not message.get("more_body"):
            return
        message = await receive()
    raise ClientGone
