"""The operations tagged `refunds`."""

from flows import payment_reads
from flows import refunds as flow
from handlers.http import Answer, Request


async def create_refund(request: Request) -> Answer:
    body = request.body or {}
    reply = await flow.create_refund(
        request.house,
        request.caller,
        request.path["payment_id"],
        body.get("amount"),
        body.get("reason"),
    )
    return Answer(reply.status, reply.resource, reply.replayed, reply.resource["id"])


async def list_refunds(request: Request) -> Answer:
    page = await payment_reads.list_refunds(
        request.house, request.caller, request.path["payment_id"], request.query
    )
    return Answer(200, page)


async def retrieve_refund(request: Request) -> Answer:
    refund_id = request.path["refund_id"]
    payment = await payment_reads.find_payment(
        request.house, request.caller, request.path["payment_id"]
    )
    refund = await flow.retrieve_refund(request.house, payment, refund_id)
    return Answer(200, refund, resource_id=refund_id)
