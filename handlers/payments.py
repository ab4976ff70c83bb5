"""The operations tagged `payments`."""

from typing import Any

from contract.errors import error_body
from domain import payments
from domain.payment_requests import PaymentRequest
from domain.refusals import Refusal
from flows import hold_draws, payment_operations, payment_reads
from flows import payments as flow
from flows.payment_batches import BatchItem, create_payments
from flows.replies import Reply
from handlers.http import Answer, Item, Request


async def create_payment(request: Request) -> Answer:
    asked = _asked(request.body)
    if asked.hold_id is None:
        reply = await flow.create_payment(request.house, request.caller, asked)
    else:
        reply = await hold_draws.draw_payment(request.house, request.caller, asked)
    return Answer(reply.status, reply.resource, reply.replayed, reply.resource["id"])


async def create_payment_batch(request: Request) -> Answer:
    asked = [
        BatchItem(item.once, _asked(item.body)) if isinstance(item, Item) else item
        for item in request.items
    ]
    outcomes = await create_payments(request.house, request.caller, asked)
    results = [_result(request, index, outcome) for index, outcome in enumerate(outcomes)]
    return Answer(207, {"object": "list", "data": results})


def _asked(body: dict[str, Any]) -> PaymentRequest:
    return PaymentRequest(
        amount=body["amount"],
        currency=body["currency"],
        payment_method_id=body["payment_method_id"],
        customer_id=body.get("customer_id"),
        capture=body.get("capture", True),
        description=body.get("description"),
        metadata=body.get("metadata", {}),
        hold_id=body.get("hold_id"),
    )


def _result(request: Request, index: int, outcome: Reply | Refusal) -> dict[str, Any]:
    if isinstance(outcome, Refusal):
        return {
            "index": index,
            "status": outcome.status,
            **error_body(outcome, request.request_id),
        }
    return {"index": index, "status": outcome.status, "payment": outcome.resource}


async def list_payments(request: Request) -> Answer:
    page = await payment_reads.list_payments(request.house, request.caller, request.query)
    return Answer(200, page)


async def retrieve_payment(request: Request) -> Answer:
    payment_id = request.path["payment_id"]
    row = await payment_reads.shown_payment(request.house, request.caller, payment_id)
    return Answer(200, payments.resource(row), resource_id=payment_id)


async def capture_payment(request: Request) -> Answer:
    payment_id = request.path["payment_id"]
    amount = (request.body or {}).get("amount")
    reply = await payment_operations.capture_payment(
        request.house, request.caller, payment_id, amount
    )
    return Answer(reply.status, reply.resource, reply.replayed, payment_id)


async def cancel_payment(request: Request) -> Answer:
    payment_id = request.path["payment_id"]
    reply = await payment_operations.cancel_payment(request.house, request.caller, payment_id)
    return Answer(reply.status, reply.resource, reply.replayed, payment_id)
