"""The operations tagged `alerts`."""

from flows import alerts as flow
from handlers.http import Answer, Request


async def list_alerts(request: Request) -> Answer:
    page = await flow.list_alerts(request.house, request.caller, request.query)
    return Answer(200, page)


async def retrieve_alert(request: Request) -> Answer:
    alert_id = request.path["alert_id"]
    shown = await flow.retrieve_alert(request.house, request.caller, alert_id)
    return Answer(200, shown, resource_id=alert_id)
