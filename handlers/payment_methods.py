"""The operations tagged `payment_methods`."""

from flows import customer_reads
from flows import payment_methods as flow
from handlers.http import Answer, Request


async def create_payment_method(request: Request) -> Answer:
    reply = await flow.create_payment_method(
        request.house, request.caller, request.path["customer_id"], request.body
    )
    return Answer(reply.status, reply.resource, reply.replayed, reply.resource["id"])


async def list_payment_methods(request: Request) -> Answer:
    page = await customer_reads.list_payment_methods(
        request.house, request.caller, request.path["customer_id"], request.query
    )
    return Answer(200, page)


async def retrieve_payment_method(request: Request) -> Answer:
    method_id = request.path["payment_method_id"]
    method = await flow.retrieve_payment_method(
        request.house, request.caller, request.path["customer_id"], method_id
    )
    return Answer(200, method, resource_id=method_id)


async def detach_payment_method(request: Request) -> Answer:
    method_id = request.path["payment_method_id"]
    deleted = await flow.detach_payment_method(
        request.house, request.caller, request.path["customer_id"], method_id
    )
    return Answer(200, deleted, resource_id=method_id)
