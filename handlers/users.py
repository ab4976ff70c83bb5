"""The operations tagged `users`."""

from flows import users as flow
from handlers.http import Answer, Request


async def list_users(request: Request) -> Answer:
    return Answer(200, await flow.list_users(request.house, request.caller, request.query))


async def create_user(request: Request) -> Answer:
    reply = await flow.create_user(request.house, request.caller, request.body)
    return Answer(reply.status, reply.resource, reply.replayed, reply.resource["id"])


async def retrieve_user(request: Request) -> Answer:
    user_id = request.path["user_id"]
    shown = await flow.retrieve_user(request.house, request.caller, user_id)
    return Answer(200, shown, resource_id=user_id)


async def delete_user(request: Request) -> Answer:
    user_id = request.path["user_id"]
    gone = await flow.delete_user(request.house, request.caller, user_id)
    return Answer(200, gone, resource_id=user_id)


async def unlock_user(request: Request) -> Answer:
    user_id = request.path["user_id"]
    reply = await flow.unlock_user(request.house, request.caller, user_id)
    return Answer(reply.status, reply.resource, reply.replayed, user_id)


async def list_user_sessions(request: Request) -> Answer:
    user_id = request.path["user_id"]
    page = await flow.list_user_sessions(request.house, request.caller, user_id, request.query)
    return Answer(200, page, resource_id=user_id)


async def end_user_session(request: Request) -> Answer:
    user_id, session_id = request.path["user_id"], request.path["session_id"]
    gone = await flow.end_user_session(request.house, request.caller, user_id, session_id)
    return Answer(200, gone, resource_id=session_id)
