"""The operations tagged `api_keys`."""

from flows import api_keys as flow
from handlers.http import Answer, Request


async def create_api_key(request: Request) -> Answer:
    reply = await flow.create_api_key(request.house, request.caller, request.body)
    return Answer(reply.status, reply.resource, reply.replayed, reply.resource["id"])


async def list_api_keys(request: Request) -> Answer:
    page = await flow.list_api_keys(request.house, request.caller, request.query)
    return Answer(200, page)


async def retrieve_api_key(request: Request) -> Answer:
    key_id = request.path["api_key_id"]
    shown = await flow.retrieve_api_key(request.house, request.caller, key_id)
    return Answer(200, shown, resource_id=key_id)


async def delete_api_key(request: Request) -> Answer:
    key_id = request.path["api_key_id"]
    gone = await flow.delete_api_key(request.house, request.caller, key_id)
    return Answer(200, gone, resource_id=key_id)


async def roll_api_key(request: Request) -> Answer:
    reply = await flow.roll_api_key(
        request.house, request.caller, request.path["api_key_id"], request.body["overlap_seconds"]
    )
    return Answer(reply.status, reply.resource, reply.replayed, reply.resource["id"])


async def suspend_api_key(request: Request) -> Answer:
    key_id = request.path["api_key_id"]
    reply = await flow.suspend_api_key(request.house, request.caller, key_id)
    return Answer(reply.status, reply.resource, reply.replayed, key_id)


async def resume_api_key(request: Request) -> Answer:
    key_id = request.path["api_key_id"]
    reply = await flow.resume_api_key(request.house, request.caller, key_id)
    return Answer(reply.status, reply.resource, reply.replayed, key_id)
