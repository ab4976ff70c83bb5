"""The operations tagged `events`."""

from flows import events as flow
from handlers.http import Answer, Request


async def list_events(request: Request) -> Answer:
    page = await flow.list_events(request.house, request.caller, request.query)
    return Answer(200, page)


async def retrieve_event(request: Request) -> Answer:
    event_id = request.path["event_id"]
    shown = await flow.retrieve_event(request.house, request.caller, event_id)
    return Answer(200, shown, resource_id=event_id)


async def list_event_deliveries(request: Request) -> Answer:
    event_id = request.path["event_id"]
    page = await flow.list_event_deliveries(request.house, request.caller, event_id, request.query)
    return Answer(200, page, resource_id=event_id)


async def retry_event(request: Request) -> Answer:
    event_id = request.path["event_id"]
    reply = await flow.retry_event(request.house, request.caller, event_id, request.body)
    return Answer(reply.status, reply.resource, reply.replayed, event_id)
