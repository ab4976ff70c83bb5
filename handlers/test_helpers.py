"""The operations tagged `test_helpers`."""

from flows import sandbox_disputes
from handlers.http import Answer, Request


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
