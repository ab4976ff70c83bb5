"""The operations tagged `sandbox_accounts`."""

from flows import sandbox_accounts as flow
from handlers.http import Answer, Request


async def create_sandbox_account(request: Request) -> Answer:
    account = await flow.create_sandbox_account(request.house, request.request_id, request.body)
    return Answer(201, account, resource_id=account["merchant"]["id"])
