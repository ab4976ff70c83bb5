"""What is written of a request: the fields of blueprint section 9, "Audit Logging Schema".

Nothing a client wrote is copied but its user agent, its method and a path that is none of
ours, all of them cut and cleaned (PCI DSS 4.0.1 req. 10.2.2, 3.5.1).
"""

import re
from functools import lru_cache
from typing import Final

USER_AGENT_CHARACTERS: Final = 256
PATH_CHARACTERS: Final = 256
REMEMBERED_TEXTS: Final = 1024
MASK: Final = "[masked]"
# A mask of 8 characters stands for 73 at most, so no cut number comes within the limit; what
# is remembered must not be as long as the client likes.
READ_PER_KEPT: Final = 10

FIELDS: Final = (
    "timestamp",
    "request_id",
    "merchant_id",
    "api_key_prefix",
    "method",
    "path",
    "status_code",
    "ip_address",
    "user_agent",
    "latency_ms",
    "resource_id",
    "scopes_used",
    "idempotency_key",
    "risk_signals",
)

# Controls break lines and colour terminals, half surrogates cannot be encoded, and the
# separators of lines and the marks of direction make a line read as another.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# As many digits as a card number has, of any script and however they are grouped.  A line of
# the log may lose a number that is none; a card number must not get by.
_CARD_NUMBERS = re.compile(r"\d(?:[\W_]{0,3}\d){11,18}")


def cleaned(text: str, limit: int) -> str:
    """A text of the client's, without control characters and card numbers, cut to `limit`."""
    return _cleaned(text[: limit * READ_PER_KEPT], limit)


@lru_cache(REMEMBERED_TEXTS)
def _cleaned(text: str, limit: int) -> str:
    return _CARD_NUMBERS.sub(MASK, _CONTROLS.sub(" ", text))[:limit]
