"""The operations tagged `payouts`."""

from flows import payouts as flow
from handlers.http import Answer, Request


async def list_payouts(request: Request) -> Answer:
    return Answer(200, await flow.list_payouts(request.house, request.caller, request.query))


async def retrieve_payout(request: Request) -> Answer:
    payout_id = request.path["payout_id"]
    shown = await flow.retrieve_payout(request.house, request.caller, payout_id)
    return Answer(200, shown, resource_id=payout_id)
