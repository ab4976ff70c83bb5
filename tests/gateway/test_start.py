"""A process whose parts do not fit together does not start."""

import copy
from typing import Any, cast

import pytest

from contract.document import DocumentError, Node
from contract.operations import EXTENSIONS, Operation
from flows.house import House
from gateway import connexion_names
from gateway.app import build_app
from gateway.exchange import Handler
from handlers.http import Answer, Request
from tests.document import DOCUMENT
from tests.gateway.door import PlainHouse


async def _handler(request: Request) -> Answer:
    raise NotImplementedError


def _resolve(operation: Operation) -> Handler:
    return _handler


def _start(document: Node) -> None:
    build_app(cast(House, PlainHouse()), _resolve, document)


def _changed() -> tuple[Node, dict[str, Any]]:
    document = copy.deepcopy(DOCUMENT)
    return document, document["paths"]["/v1/payments"]["post"]


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("value", [None, "unheard of"])
def test_an_extension_that_is_missing_or_unknown(extension: str, value: str | None) -> None:
    document, operation = _changed()
    operation.pop(extension)
    if value is not None:
        if extension == "x-house":
            return
        operation[extension] = value
    with pytest.raises(DocumentError):
        _start(document)


def test_an_extension_that_no_code_knows() -> None:
    document, operation = _changed()
    operation["x-novelty"] = True
    with pytest.raises(DocumentError, match="x-novelty"):
        _start(document)


def test_a_security_that_admits_anybody() -> None:
    document, operation = _changed()
    operation["security"].append({})
    with pytest.raises(DocumentError):
        _start(document)


def test_a_header_parameter_that_no_code_reads() -> None:
    document, operation = _changed()
    operation["parameters"].append({"name": "X-New", "in": "header", "schema": {"type": "string"}})
    with pytest.raises(DocumentError, match="X-New"):
        _start(document)


def test_a_handler_that_is_missing() -> None:
    def resolve(operation: Operation) -> Handler:
        if operation.operation_id == "list_payments":
            raise DocumentError("no handler")
        return _handler

    with pytest.raises(DocumentError, match="no handler"):
        build_app(cast(House, PlainHouse()), resolve, DOCUMENT)


@pytest.mark.parametrize("name", connexion_names.__all__)
def test_the_names_of_connexion_are_there(name: str) -> None:
    assert getattr(connexion_names, name) is not None


def test_connexion_hands_scopes_to_security_and_options_to_layers() -> None:
    assert hasattr(connexion_names.AbstractSecurityHandler, "get_fn")
    for layer in (connexion_names.RoutedMiddleware, connexion_names.SpecMiddleware):
        assert hasattr(layer, "add_api")
    assert hasattr(connexion_names.RoutedAPI, "make_operation")
    assert connexion_names.Resolution("function", "id").operation_id == "id"
