"""The operations tagged `disputes`."""

from flows import disputes as flow
from handlers.http import Answer, Request


async def list_disputes(request: Request) -> Answer:
    page = await flow.list_disputes(request.house, request.caller, request.query)
    return Answer(200, page)


async def retrieve_dispute(request: Request) -> Answer:
    dispute_id = request.path["dispute_id"]
    dispute = await flow.retrieve_dispute(request.house, request.caller, dispute_id)
    return Answer(200, dispute, resource_id=dispute_id)


async def submit_dispute_evidence(request: Request) -> Answer:
    reply = await flow.submit_evidence(
        request.house, request.caller, request.path["dispute_id"], request.body
    )
    return Answer(reply.status, reply.resource, reply.replayed, reply.resource["id"])
