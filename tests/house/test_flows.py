"""Flows do not call flows: that is how other houses became knots."""

import ast
from collections.abc import Iterator

from tests.house.tree import Source, breaks, faults, product

# What flows may import of each other, and why it is no business operation of its own.
PLUMBING = {
    "house": "the opened parts of the process, handed to every flow",
    "authentication": "the ring of keys that the house holds",
    "access_tokens": "the ring of access tokens that the house holds, and their making",
    "signing_keys": "the keys that sign access tokens, held by the house",
    "client_secrets": "proving clients of OAuth by their secrets, held by the house",
    "inviting": "making an invitation; the API and the command line do it alike",
    "key_making": "making a key and telling the vault of it; every way to a key does it alike",
    "audit_alarm": "the alert about entries that cannot be stored, held by the house",
    "deprecated_use": "who was told today of an old version, held by the house",
    "overuse": "telling of blocked keys, held by the house",
    "replies": "idempotency: a change together with the reply of its key",
    "hold_changes": "what the answer about a hold changes; requests and workers do it alike",
    "authorising": "asking for an authorisation in time; payments and holds do it alike",
    "hold_asking": "asking the network for a hold or for more of one, and what a request hears",
    "pages": "from query parameters to a page, from rows to the list envelope",
    "recording": "writing a network's answer; the request and its recovery do it alike",
    "operation_outcomes": "what a capture's answer changes; request and recovery do it alike",
    "operation_commits": "the two coalesced commits of a capture or cancellation",
    "dispute_changes": "opening and closing a dispute; workers and test helpers do it alike",
    "payment_events": "writing the event of a payment under its row lock",
    "customer_reads": "finding a customer, or 404, before anything is done below it",
    "sealed_customers": "how a person is stored and shown; reads and changes do it alike",
    "payment_reads": "finding a payment, or 404, before anything is done below it",
}

# (who, whom): the flows that do call a flow, and why.
EXCEPTIONS = {
    (
        "flows/payment_batches.py",
        "payments",
    ): "a batch is many single payments side by side, in the very"
    " flow of one, so that they share its coalesced statements and its calls to the vault",
    (
        "flows/payment_batches.py",
        "hold_draws",
    ): "and some of them may be drawn on a hold",
}


def calls_of_flows(source: Source) -> Iterator[str]:
    if source.package != "flows":
        return
    for node in source.nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "flows":
            for name in _flows_of(node):
                if name not in PLUMBING and (source.path, name) not in EXCEPTIONS:
                    yield f"{source.place(node)} imports flows.{name}"
        elif isinstance(node, ast.Import):
            for each in node.names:
                if each.name.startswith("flows.") and each.name[6:] not in PLUMBING:
                    yield f"{source.place(node)} imports {each.name}"


def _flows_of(node: ast.ImportFrom) -> list[str]:
    module = (node.module or "").removeprefix("flows").lstrip(".")
    return [module] if module else [each.name for each in node.names]


def test_flows_do_not_call_flows() -> None:
    for text in (
        "from flows.payments import create_payment",
        "from flows import pages, payments",
        "import flows.refunds",
    ):
        assert breaks(calls_of_flows, text, "flows/example.py"), text
    assert not breaks(calls_of_flows, "from flows.house import House", "flows/example.py")
    for caller, called in EXCEPTIONS:
        assert not breaks(calls_of_flows, f"from flows.{called} import x", caller)
    assert faults(calls_of_flows, product()) == []


def test_the_list_of_plumbing_is_true() -> None:
    names = {source.path for source in product("flows")}
    assert [name for name in PLUMBING if f"flows/{name}.py" not in names] == []
