"""The operations tagged `health`."""

from flows import readiness
from handlers.http import Answer, Request


async def check_liveness(request: Request) -> Answer:
    return Answer(200, {"status": "ok"})


async def check_readiness(request: Request) -> Answer:
    ready = await readiness.check_readiness(request.house, request.request_id)
    return Answer(200 if ready["status"] == "ready" else 503, ready)
