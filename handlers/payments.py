"""The operations tagged `payments`."""

from domain import payments
from flows import payment_operations, payment_reads
from flows import payments as flow
from handlers.http import Answer, Request


async def create_payment(request: Request) -> Answer:
    body = request.body
    asked = flow.PaymentRequest(
        amount=body["amount"],
        currency=body["currency"],
        payment_method_id=body["payment_method_id"],
        customer_id=body.get("customer_id"),
        capture=body.get("capture", True),
        description=body.get("description"),
        metadata=body.get("metadata", {}),
    )
    reply = await flow.create_payment(request.house, request.caller, asked)
    return Answer(reply.status, reply.resource, reply.replayed, reply.resource["id"])


async def list_payments(request: Request) -> Answer:
    page = await payment_reads.list_payments(request.house, request.caller, request.query)
    return Answer(200, page)


async def retrieve_payment(request: Request) -> Answer:
    payment_id = request.path["payment_id"]
    row = await payment_reads.find_payment(request.house, request.caller, payment_id)
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
