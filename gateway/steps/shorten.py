"""Sends a representation that may be kept in the shortest way: by its tag, or coded.

An ETag on every 200; 304 without a body to a client that has it already (RFC 9110 section
13.2); otherwise Brotli or gzip where the client takes it.  What may not be kept, secrets
first, is never coded: its length would tell of what stands beside a guess (BREACH).
"""

from contract import entity_tags
from contract.headers import joined
from contract.operations import Operation
from contract.publishing import CACHE
from domain.api_versions import PRESENT
from gateway.codings import SMALLEST_BODY_BYTES, coded, negotiated
from gateway.exchange import Exchange, Proceed

OK = 200
NOT_MODIFIED = 304
UNKEPT = "no-store"
REVISION = "revision"
ACCEPT_ENCODING = b"accept-encoding"
_MODE = {True: b"live", False: b"test"}


def bind(operation: Operation, proceed: Proceed) -> Proceed:
    if operation.method != "GET" or operation.cache == UNKEPT:
        return proceed
    check = operation.answers.check
    # What is published is made once, and coded once.
    made: dict[tuple[bytes, str], bytes] | None = {} if operation.cache == CACHE else None

    async def shortened(exchange: Exchange) -> None:
        await proceed(exchange)
        if exchange.status != OK:
            return
        body = exchange.answer_body
        tag = entity_tags.tag_of(_whose(exchange), body, _revision(exchange))
        coding = None
        if len(body) >= SMALLEST_BODY_BYTES and ACCEPT_ENCODING in exchange.headers:
            coding = negotiated(_accepted(exchange))
        etag = (b"etag", b'"%s-%s"' % (tag, coding.encode()) if coding else b'"%s"' % tag)
        known = exchange.if_none_match
        if known is not None and entity_tags.is_known(tag, known):
            check(NOT_MODIFIED, None)
            exchange.status = NOT_MODIFIED
            exchange.answer_headers = [etag]
            exchange.answer_body = b""
            return
        exchange.answer_headers.append(etag)
        if coding:
            exchange.answer_headers.append((b"content-encoding", coding.encode()))
            known_bytes = None if made is None else made.get((tag, coding))
            exchange.answer_body = known_bytes or await coded(coding, body)
            if made is not None:
                made[tag, coding] = exchange.answer_body

    return shortened


def _whose(exchange: Exchange) -> bytes:
    """For whom and in which version the bytes were made; the same bytes have other tags."""
    version, caller = (exchange.version or PRESENT).encode("ascii"), exchange.caller
    if caller is None:
        return version
    return version + caller.merchant_id.bytes + _MODE[caller.livemode]


def _revision(exchange: Exchange) -> int | None:
    """The row's revision, also where `fields` left it out of the bytes."""
    body = None if exchange.answer is None else exchange.answer.body
    return body.get(REVISION) if isinstance(body, dict) else None


def _accepted(exchange: Exchange) -> bytes:
    return joined(exchange.scope["headers"], exchange.headers, ACCEPT_ENCODING)
