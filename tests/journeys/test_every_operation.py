"""Every operation of the document has a journey that ends well."""

import re
from pathlib import Path

import pytest

from tests.document import DOCUMENT

METHODS = ("get", "post", "put", "patch", "delete")
JOURNEYS = {path.name for path in Path(__file__).parent.glob("test_*.py")}


def test_every_operation_was_answered(
    request: pytest.FixtureRequest, answered: set[tuple[str, str]]
) -> None:
    """What a journey asked in this run and was given; refusals prove nothing of an operation."""
    ran = {item.path.name for item in request.session.items if item.path.parent.name == "journeys"}
    if ran != JOURNEYS or request.config.getoption("keyword"):
        pytest.skip("this run has not all the journeys")
    missing = [
        item[method]["operationId"]
        for template, item in DOCUMENT["paths"].items()
        for method in METHODS
        if method in item and not any(asks(method, template, *each) for each in answered)
    ]
    assert missing == []


def asks(method: str, template: str, sent_method: str, sent_path: str) -> bool:
    """Whether a request that was sent is one of the operation at this path."""
    literals = (re.escape(part) for part in re.split(r"\{[^}]+\}", template))
    return sent_method == method.upper() and bool(re.fullmatch("[^/]+".join(literals), sent_path))
