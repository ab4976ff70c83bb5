"""The document is read strictly, and each house gets its own operations."""

from pathlib import Path

import pytest

from contract.document import DocumentError, load_document, operations_of, resolved
from contract.operations import compile_operations
from contract.routing_view import routing_view
from generated.operations import OPERATIONS
from tests.document import DOCUMENT


def test_a_key_given_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text("openapi: 3.1.0\npaths: {}\npaths: {}\n")
    with pytest.raises(DocumentError, match="line 3"):
        load_document(path)


def test_another_version_of_openapi_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    path.write_text("openapi: 3.0.3\npaths: {}\n")
    with pytest.raises(DocumentError):
        load_document(path)


def test_a_reference_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(DocumentError):
        resolved(DOCUMENT, {"$ref": "#/components/schemas/Nothing"})


def test_the_houses_share_the_operations_out() -> None:
    gateway = {place.node["operationId"] for place in operations_of(DOCUMENT, "gateway")}
    vault = {place.node["operationId"] for place in operations_of(DOCUMENT, "vault")}
    assert gateway | vault == {row.operation_id for row in OPERATIONS}
    assert vault == {"create_token"} and not gateway & vault
    assert compile_operations(DOCUMENT, "gateway").keys() == gateway


def test_the_routing_view_is_3_0_and_has_the_gateways_paths_only() -> None:
    view = routing_view(DOCUMENT)
    assert view["openapi"] == "3.0.3"
    assert "/v1/tokens" not in view["paths"]
    create = view["paths"]["/v1/payments"]["post"]
    schemes = ("SecretKey", "AccessToken")
    assert create["security"] == [{scheme: ["payments:write"]} for scheme in schemes]
    # Connexion does not hand on which scheme it is.
    found = view["components"]["securitySchemes"]
    assert {each["x-scheme-name"] for each in found.values()} == found.keys()
    retrieve = view["paths"]["/v1/payments/{payment_id}"]["get"]
    assert [each["name"] for each in retrieve["parameters"]] == ["payment_id"]
