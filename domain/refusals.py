"""Refusals: what the rules say no to.

A refusal carries a code of the error catalogue in `openapi.yaml`, the parameter it speaks
of and, for its message, integers that passed the schema and currency codes; nothing else
that the caller sent (contract-decisions, "Refusals").  Its class is its HTTP status; a
test holds class and catalogue together.
"""

from typing import ClassVar
from uuid import UUID


class Refusal(Exception):
    """A request that is answered with an error.  Raised, caught once at the edge."""

    status: ClassVar[int] = 400

    def __init__(self, code: str, param: str | None = None, **values: int | str) -> None:
        super().__init__(code)
        self.code = code
        self.param = param
        self.values = values
        # Set where an idempotency key answers with the refusal of an earlier request.
        self.replayed = False


class Malformed(Refusal):
    """400: the request breaks the document."""


class Unauthenticated(Refusal):
    """401: no key, or not one of ours."""

    status = 401


class Declined(Refusal):
    """402: the card network or the issuer said no."""

    status = 402

    def __init__(
        self,
        code: str,
        param: str | None = None,
        *,
        decline_code: str | None = None,
        payment_id: UUID | None = None,
        hold_id: UUID | None = None,
    ) -> None:
        super().__init__(code, param)
        self.decline_code = decline_code
        # What was made and failed, and is kept: one of the two, or neither.
        self.payment_id = payment_id
        self.hold_id = hold_id


class Forbidden(Refusal):
    """403: a known caller that may not do this."""

    status = 403


class Missing(Refusal):
    """404: nothing here under this id, for this merchant, in this mode."""

    status = 404


class MethodNotAllowed(Refusal):
    """405: the path exists, the method does not; `allow` names those that do."""

    status = 405

    def __init__(self, allow: str) -> None:
        super().__init__("method_not_allowed")
        self.allow = allow


class Conflict(Refusal):
    """409: the idempotency key belongs to another request, or to one still running."""

    status = 409


class Gone(Refusal):
    """410: the API version was removed, or is away for an hour."""

    status = 410


class PreconditionFailed(Refusal):
    """412: it was changed since the caller looked."""

    status = 412


class TooLarge(Refusal):
    """413: more bytes than the operation takes."""

    status = 413


class UnsupportedMediaType(Refusal):
    """415: a body that is not `application/json`."""

    status = 415


class Unprocessable(Refusal):
    """422: well-formed, and the state of things forbids it."""

    status = 422


class TooManyRequests(Refusal):
    """429: above a limit; `retry_after` is the whole seconds after which it is no more."""

    status = 429

    def __init__(self, code: str, wait_ms: int = 1000) -> None:
        super().__init__(code)
        self.retry_after = max(1, -(-wait_ms // 1000))


class Unavailable(Refusal):
    """503: database or vault out of reach; nothing was done."""

    status = 503

    def __init__(self, code: str = "service_unavailable") -> None:
        super().__init__(code)
