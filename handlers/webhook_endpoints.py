"""The operations tagged `webhook_endpoints`."""

from flows import webhook_endpoints as flow
from handlers.http import Answer, Request


async def create_webhook_endpoint(request: Request) -> Answer:
    reply = await flow.create_webhook_endpoint(request.house, request.caller, request.body)
    return Answer(reply.status, reply.resource, reply.replayed, reply.resource["id"])


async def list_webhook_endpoints(request: Request) -> Answer:
    page = await flow.list_webhook_endpoints(request.house, request.caller, request.query)
    return Answer(200, page)


async def retrieve_webhook_endpoint(request: Request) -> Answer:
    endpoint_id = request.path["webhook_endpoint_id"]
    shown = await flow.retrieve_webhook_endpoint(request.house, request.caller, endpoint_id)
    return Answer(200, shown, resource_id=endpoint_id)


async def update_webhook_endpoint(request: Request) -> Answer:
    endpoint_id = request.path["webhook_endpoint_id"]
    changed = await flow.update_webhook_endpoint(
        request.house, request.caller, endpoint_id, request.body
    )
    return Answer(200, changed, resource_id=endpoint_id)


async def roll_webhook_secret(request: Request) -> Answer:
    endpoint_id = request.path["webhook_endpoint_id"]
    reply = await flow.roll_webhook_secret(request.house, request.caller, endpoint_id)
    return Answer(reply.status, reply.resource, reply.replayed, endpoint_id)


async def delete_webhook_endpoint(request: Request) -> Answer:
    endpoint_id = request.path["webhook_endpoint_id"]
    gone = await flow.delete_webhook_endpoint(request.house, request.caller, endpoint_id)
    return Answer(200, gone, resource_id=endpoint_id)
