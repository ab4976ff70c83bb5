"""What pages of other origins are told is what the document promises."""

from contract import cross_origin
from tests.document import DOCUMENT


def test_the_headers_are_those_of_the_document() -> None:
    promised = DOCUMENT["x-cors"]
    assert promised["gateway"]["origins"] == [cross_origin.DASHBOARD_ORIGIN]
    assert promised["allow_headers"] == list(cross_origin.ALLOWED_HEADERS)
    assert promised["expose_headers"] == list(cross_origin.EXPOSED_HEADERS)
    assert promised["max_age_seconds"] == cross_origin.MAX_AGE_SECONDS
