"""The operations tagged `holds`."""

from flows import hold_endings, hold_top_ups
from flows import holds as flow
from handlers.http import Answer, Request


async def create_hold(request: Request) -> Answer:
    body = request.body
    asked = flow.HoldRequest(
        payment_method_id=body["payment_method_id"],
        customer_id=body["customer_id"],
        amount=body["amount"],
        currency=body["currency"],
        seconds=body["expires_in_seconds"],
    )
    reply = await flow.create_hold(request.house, request.caller, asked)
    return Answer(reply.status, reply.resource, reply.replayed, reply.resource["id"])


async def list_holds(request: Request) -> Answer:
    page = await flow.list_holds(request.house, request.caller, request.query)
    return Answer(200, page)


async def retrieve_hold(request: Request) -> Answer:
    hold_id = request.path["hold_id"]
    hold = await flow.retrieve_hold(request.house, request.caller, hold_id)
    return Answer(200, hold, resource_id=hold_id)


async def top_up_hold(request: Request) -> Answer:
    hold_id = request.path["hold_id"]
    amount = request.body["amount"]
    reply = await hold_top_ups.top_up_hold(request.house, request.caller, hold_id, amount)
    return Answer(reply.status, reply.resource, reply.replayed, hold_id)


async def release_hold(request: Request) -> Answer:
    hold_id = request.path["hold_id"]
    reply = await hold_endings.release_hold(request.house, request.caller, hold_id)
    return Answer(reply.status, reply.resource, reply.replayed, hold_id)
