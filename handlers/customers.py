"""The operations tagged `customers`."""

from domain import customers
from flows import customer_reads
from flows import customers as flow
from handlers.http import Answer, Request


async def create_customer(request: Request) -> Answer:
    reply = await flow.create_customer(request.house, request.caller, request.body)
    return Answer(reply.status, reply.resource, reply.replayed, reply.resource["id"])


async def list_customers(request: Request) -> Answer:
    page = await customer_reads.list_customers(request.house, request.caller, request.query)
    return Answer(200, page)


async def retrieve_customer(request: Request) -> Answer:
    customer_id = request.path["customer_id"]
    row = await customer_reads.shown_customer(request.house, request.caller, customer_id)
    return Answer(200, customers.resource(row), resource_id=customer_id)


async def update_customer(request: Request) -> Answer:
    customer_id = request.path["customer_id"]
    changed = await flow.update_customer(request.house, request.caller, customer_id, request.body)
    return Answer(200, changed, resource_id=customer_id)


async def delete_customer(request: Request) -> Answer:
    customer_id = request.path["customer_id"]
    gone = await flow.remove_customer(request.house, request.caller, customer_id)
    return Answer(200, gone, resource_id=customer_id)
