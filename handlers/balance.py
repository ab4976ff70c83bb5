"""The operations tagged `balance`."""

from flows import balance as flow
from handlers.http import Answer, Request


async def retrieve_balance(request: Request) -> Answer:
    return Answer(200, await flow.retrieve_balance(request.house, request.caller))


async def list_balance_transactions(request: Request) -> Answer:
    page = await flow.list_balance_transactions(request.house, request.caller, request.query)
    return Answer(200, page)


async def retrieve_balance_transaction(request: Request) -> Answer:
    transaction_id = request.path["balance_transaction_id"]
    shown = await flow.retrieve_balance_transaction(request.house, request.caller, transaction_id)
    return Answer(200, shown, resource_id=transaction_id)
