"""A refusal's class is its HTTP status: class and catalogue agree at every place that refuses."""

import ast
from collections.abc import Iterator

from domain import refusals
from domain.refusals import Refusal
from generated.error_codes import CATALOGUE
from tests.house.test_purity import dotted
from tests.house.tree import Source, breaks, faults, product

FEWEST_PLACES = 60
CLASSES: dict[str, type[Refusal]] = {
    name: found
    for name, found in vars(refusals).items()
    if isinstance(found, type) and issubclass(found, Refusal)
}
# These carry their code themselves.
FIXED = {"MethodNotAllowed": "method_not_allowed", "Unavailable": "service_unavailable"}


def refusing(source: Source) -> Iterator[tuple[ast.Call, str]]:
    """Every place that makes a refusal: the call and the name of the class."""
    for node in source.nodes:
        if isinstance(node, ast.Call):
            name = dotted(node.func).rpartition(".")[2]
            if name in CLASSES:
                yield node, name


def code_of(call: ast.Call, name: str) -> str | None:
    """The code as it is written there; None where it is handed on from elsewhere."""
    if name in FIXED:
        return FIXED[name]
    first = call.args[0] if call.args else None
    return str(first.value) if isinstance(first, ast.Constant) else None


def wrong_refusals(source: Source) -> Iterator[str]:
    for call, name in refusing(source):
        code = code_of(call, name)
        if code is None:
            continue
        row = CATALOGUE.get(code)
        if row is None:
            yield f"{source.place(call)} {code} is not in the catalogue"
        elif row.status != CLASSES[name].status:
            yield f"{source.place(call)} {code} is {row.status}, {name} {CLASSES[name].status}"


def test_class_and_catalogue_agree() -> None:
    assert breaks(wrong_refusals, "raise Missing('no_such_code')")
    assert breaks(wrong_refusals, "raise refusals.Conflict('resource_missing')")
    assert not breaks(wrong_refusals, "raise Missing('resource_missing', 'payment_id')")
    places = sum(1 for source in product() for _ in refusing(source))
    assert places >= FEWEST_PLACES
    assert faults(wrong_refusals, product()) == []


def test_every_class_has_a_status_of_the_catalogue() -> None:
    statuses = {row.status for row in CATALOGUE.values()}
    assert {found.status for found in CLASSES.values()} <= statuses
    for name, code in FIXED.items():
        assert CATALOGUE[code].status == CLASSES[name].status
