"""JSON as the promise means it: no second reading of the same bytes.

Refused: duplicate keys, NaN and Infinity, invalid UTF-8, a byte order mark, lone
surrogates, raw control characters, nesting beyond 201 levels, numbers of thousands of
digits, anything after the value.  Numbers with a fraction or an exponent become
`LosslessFloat`, which no schema takes: the API has no such numbers, and `100.0` must not
pass for the integer 100 as JSON Schema would have it.
"""

from typing import Any

import jiter

from domain.refusals import Malformed

_DUPLICATE_KEY = "Detected duplicate key"


def parse(data: bytes) -> Any:
    """The value; raises Malformed `json_invalid` or `json_duplicate_key`."""
    try:
        return jiter.from_json(
            data,
            allow_inf_nan=False,
            catch_duplicate_keys=True,
            float_mode="lossless-float",
            # The parser's cache of strings would keep card numbers in memory after the
            # request; keys are no secrets (PCI DSS 4.0.1 req. 3.3.1).
            cache_mode="keys",
        )
    except ValueError as error:
        duplicate = str(error).startswith(_DUPLICATE_KEY)
    # Raised outside the handler: the parser's message quotes the body, and must not travel
    # along as the context of what is logged.
    raise Malformed("json_duplicate_key" if duplicate else "json_invalid")
