"""The answer to bytes that are no HTTP request, in the envelope of every other refusal."""

from contract.errors import refuse
from contract.guarding import GUARDS, POLICY
from domain.api_versions import PRESENT
from domain.ids import to_text
from domain.refusals import Malformed
from runtime.ids import uuid7
from runtime.log import log


def answer_to_unreadable() -> bytes:
    """A whole HTTP answer, after which the connection is closed; its id stands in the log."""
    request_id = to_text("req", uuid7())
    status, headers, body = refuse(Malformed("http_malformed"), request_id)
    log("request_unreadable", request_id=request_id, status_code=status)
    lines = [b"HTTP/1.1 400 Bad Request", *(b"%s: %s" % header for header in headers)]
    lines.append(b"x-request-id: " + request_id.encode())
    lines.append(b"paymint-version: " + PRESENT.encode())
    lines.append(b"content-length: %d" % len(body))
    lines.extend(b"%s: %s" % header for header in (*GUARDS, POLICY))
    lines.extend((b"cache-control: no-store", b"connection: close", b"", body))
    return b"\r\n".join(lines)
