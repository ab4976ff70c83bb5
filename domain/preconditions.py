"""`If-Match`: a change is made only to what its author has seen (RFC 9110 section 13.1.1)."""

from domain.refusals import PreconditionFailed


def check_revision(if_match: frozenset[int] | None, revision: int) -> None:
    """Raises 412 `precondition_failed` unless `revision` is one of those the caller named.

    None: the request has no condition.
    """
    if if_match is not None and revision not in if_match:
        raise PreconditionFailed("precondition_failed", "If-Match")
