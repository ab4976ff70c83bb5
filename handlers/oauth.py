"""The operations tagged `oauth`."""

from domain.oauth import ProtocolError
from flows import oauth_clients, oauth_documents, oauth_grants, oauth_tokens
from handlers.http import Answer, Request

# RFC 6749 section 5.1, for caches of HTTP/1.0.
_NOT_KEPT = ((b"pragma", b"no-cache"),)
_CHALLENGE = ((b"www-authenticate", b'Basic realm="paymint"'),)


async def create_oauth_client(request: Request) -> Answer:
    reply = await oauth_clients.create_oauth_client(request.house, request.caller, request.body)
    return Answer(reply.status, reply.resource, reply.replayed, reply.resource["id"])


async def list_oauth_clients(request: Request) -> Answer:
    return Answer(200, await oauth_clients.list_oauth_clients(request.house, request.query))


async def retrieve_oauth_client(request: Request) -> Answer:
    client_id = request.path["oauth_client_id"]
    shown = await oauth_clients.retrieve_oauth_client(request.house, client_id)
    return Answer(200, shown, resource_id=client_id)


async def update_oauth_client(request: Request) -> Answer:
    client_id = request.path["oauth_client_id"]
    shown = await oauth_clients.update_oauth_client(request.house, client_id, request.body)
    return Answer(200, shown, resource_id=client_id)


async def delete_oauth_client(request: Request) -> Answer:
    client_id = request.path["oauth_client_id"]
    gone = await oauth_clients.delete_oauth_client(request.house, client_id)
    return Answer(200, gone, resource_id=client_id)


async def list_oauth_grants(request: Request) -> Answer:
    page = await oauth_grants.list_oauth_grants(request.house, request.caller, request.query)
    return Answer(200, page)


async def delete_oauth_grant(request: Request) -> Answer:
    grant_id = request.path["oauth_grant_id"]
    gone = await oauth_grants.delete_oauth_grant(request.house, request.caller, grant_id)
    return Answer(200, gone, resource_id=grant_id)


async def create_access_token(request: Request) -> Answer:
    try:
        issued = await oauth_tokens.issue_token(request.house, request.body, _asker(request))
    except ProtocolError as error:
        return _refused(error)
    return Answer(200, issued, headers=_NOT_KEPT)


async def revoke_token(request: Request) -> Answer:
    try:
        await oauth_tokens.revoke_token(request.house, request.body, _asker(request))
    except ProtocolError as error:
        return _refused(error)
    return Answer(200, {}, headers=_NOT_KEPT)


async def retrieve_oauth_metadata(request: Request) -> Answer:
    return Answer(200, oauth_documents.server_metadata(request.house))


async def retrieve_signing_keys(request: Request) -> Answer:
    return Answer(200, await oauth_documents.key_set(request.house))


def _asker(request: Request) -> oauth_tokens.Asker:
    return oauth_tokens.Asker(request.guest.authorization, request.guest.address)


def _refused(error: ProtocolError) -> Answer:
    headers = _NOT_KEPT + (_CHALLENGE if error.challenged and error.status == 401 else ())
    return Answer(error.status, error.body, headers=headers)
