"""What an answer says of the caller's limits.

`X-RateLimit-…` of blueprint section 7 and, beside them, the fields of
draft-ietf-httpapi-ratelimit-headers.
"""

from functools import lru_cache

from contract.refusal_shape import RawHeader
from domain.rate_limits import DAY_MS, SECOND_MS, Decision, Rules
from domain.refusals import TooManyRequests

_POLICIES = (b"second", b"minute", b"day")


def limit_headers(rules: Rules, decision: Decision) -> tuple[RawHeader, ...]:
    """The six headers of an answer to a known caller."""
    free_ms = decision.now_ms + decision.wait_ms
    return (
        *_constant(rules),
        (b"x-ratelimit-remaining", b"%d" % decision.remaining),
        (b"x-ratelimit-reset", b"%d" % -(-free_ms // SECOND_MS)),
        (
            b"ratelimit",
            b'"%s";r=%d;t=%d'
            % (_POLICIES[decision.policy], decision.remaining, -(-decision.wait_ms // SECOND_MS)),
        ),
    )


def refusal_of(decision: Decision) -> TooManyRequests:
    """The 429 of a decision against the caller."""
    code = "api_key_blocked" if decision.blocked else "rate_limited"
    return TooManyRequests(code, decision.wait_ms)


@lru_cache(maxsize=4096)
def _constant(rules: Rules) -> tuple[RawHeader, ...]:
    policy = b'"second";q=%d;w=1, "minute";q=%d;w=%d' % (
        rules.per_second,
        rules.per_window,
        rules.window_ms // SECOND_MS,
    )
    if rules.per_day:
        policy += b', "day";q=%d;w=%d' % (rules.per_day, DAY_MS // SECOND_MS)
    return (
        (b"x-ratelimit-limit", b"%d" % rules.per_second),
        (b"x-ratelimit-policy", b"%d;w=1" % rules.per_second),
        (b"ratelimit-policy", policy),
    )
