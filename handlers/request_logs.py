"""The operations tagged `request_logs`."""

from flows import request_logs as flow
from handlers.http import Answer, Request


async def list_request_logs(request: Request) -> Answer:
    page = await flow.list_request_logs(request.house, request.caller, request.query)
    return Answer(200, page)


async def retrieve_request_log(request: Request) -> Answer:
    request_id = request.path["request_id"]
    shown = await flow.retrieve_request_log(request.house, request.caller, request_id)
    return Answer(200, shown, resource_id=request_id)
