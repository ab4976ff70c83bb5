"""The operations tagged `merchants`."""

from flows import merchants as flow
from handlers.http import Answer, Request


async def retrieve_merchant(request: Request) -> Answer:
    merchant_id = request.path["merchant_id"]
    shown = await flow.retrieve_merchant(request.house, request.caller, merchant_id)
    return Answer(200, shown, resource_id=merchant_id)


async def update_merchant(request: Request) -> Answer:
    merchant_id = request.path["merchant_id"]
    changed = await flow.update_merchant(request.house, request.caller, merchant_id, request.body)
    return Answer(200, changed, resource_id=merchant_id)
