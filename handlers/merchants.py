"""The operations tagged `merchants`."""

from flows import merchants as flow
from flows import production_access
from handlers.http import Answer, Request


async def create_merchant(request: Request) -> Answer:
    reply = await flow.create_merchant(request.house, request.caller, request.body)
    return Answer(reply.status, reply.resource, reply.replayed, reply.resource["id"])


async def list_merchants(request: Request) -> Answer:
    page = await flow.list_merchants(request.house, request.caller, request.query)
    return Answer(200, page)


async def retrieve_merchant(request: Request) -> Answer:
    merchant_id = request.path["merchant_id"]
    shown = await flow.retrieve_merchant(request.house, request.caller, merchant_id)
    return Answer(200, shown, resource_id=merchant_id)


async def update_merchant(request: Request) -> Answer:
    merchant_id = request.path["merchant_id"]
    changed = await flow.update_merchant(request.house, request.caller, merchant_id, request.body)
    return Answer(200, changed, resource_id=merchant_id)


async def request_production_access(request: Request) -> Answer:
    merchant_id = request.path["merchant_id"]
    reply = await production_access.request_production_access(
        request.house, request.caller, merchant_id, request.body
    )
    return Answer(reply.status, reply.resource, reply.replayed, merchant_id)


async def retrieve_production_access(request: Request) -> Answer:
    merchant_id = request.path["merchant_id"]
    shown = await production_access.retrieve_production_access(
        request.house, request.caller, merchant_id
    )
    return Answer(200, shown, resource_id=merchant_id)


async def create_live_keys(request: Request) -> Answer:
    merchant_id = request.path["merchant_id"]
    reply = await production_access.create_live_keys(request.house, request.caller, merchant_id)
    return Answer(reply.status, reply.resource, reply.replayed, merchant_id)
