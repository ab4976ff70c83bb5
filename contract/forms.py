"""Bodies of `application/x-www-form-urlencoded`: HTML forms, and OAuth (RFC 6749 appendix B)."""

from urllib.parse import parse_qsl

from domain.refusals import Malformed

FIELDS_MAX = 64


def parse(data: bytes) -> dict[str, str]:
    """The fields by name; raises Malformed `body_not_form`.

    A field that is given twice is refused (RFC 6749 section 3.2): two readers of the same body
    would see two requests.
    """
    try:
        pairs = parse_qsl(
            data.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=FIELDS_MAX,
        )
    except ValueError:
        raise Malformed("body_not_form") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Malformed("body_not_form")
    return fields
