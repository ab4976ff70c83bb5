"""The operations tagged `test_helpers`."""

from flows import sandbox_disputes, test_clocks, test_events
from handlers.http import Answer, Request


async def create_test_clock(request: Request) -> Answer:
    frozen_time = request.body["frozen_time"]
    reply = await test_clocks.create_test_clock(request.house, request.caller, frozen_time)
    return Answer(reply.status, reply.resource, reply.replayed, reply.resource["id"])


async def list_test_clocks(request: Request) -> Answer:
    page = await test_clocks.list_test_clocks(request.house, request.caller, request.query)
    return Answer(200, page)


async def retrieve_test_clock(request: Request) -> Answer:
    clock_id = request.path["clock_id"]
    shown = await test_clocks.retrieve_test_clock(request.house, request.caller, clock_id)
    return Answer(200, shown, resource_id=clock_id)


async def advance_test_clock(request: Request) -> Answer:
    clock_id, frozen_time = request.path["clock_id"], request.body["frozen_time"]
    reply = await test_clocks.advance_test_clock(
        request.house, request.caller, clock_id, frozen_time
    )
    return Answer(reply.status, reply.resource, reply.replayed, clock_id)


async def delete_test_clock(request: Request) -> Answer:
    clock_id = request.path["clock_id"]
    gone = await test_clocks.delete_test_clock(request.house, request.caller, clock_id)
    return Answer(200, gone, resource_id=clock_id)


async def create_test_event(request: Request) -> Answer:
    reply = await test_events.create_test_event(request.house, request.caller, request.body)
    return Answer(reply.status, reply.resource, reply.replayed, reply.resource["id"])


async def create_test_dispute(request: Request) -> Answer:
    body = request.body
    reply = await sandbox_disputes.create_test_dispute(
        request.house,
        request.caller,
        body["payment_id"],
        body.get("reason"),
        body.get("amount"),
    )
    return Answer(reply.status, reply.resource, reply.replayed, reply.resource["id"])


async def close_test_dispute(request: Request) -> Answer:
    reply = await sandbox_disputes.close_test_dispute(
        request.house, request.caller, request.path["dispute_id"], request.body["outcome"]
    )
    return Answer(reply.status, reply.resource, reply.replayed, reply.resource["id"])
