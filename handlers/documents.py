"""The operations tagged `documents`."""

from contract.publishing import JSON, YAML, published
from domain.api_versions import PRESENT
from domain.refusals import Missing
from handlers.http import Answer, Request


async def retrieve_openapi_json(request: Request) -> Answer:
    return Answer(200, published()[PRESENT, JSON])


async def retrieve_openapi_yaml(request: Request) -> Answer:
    return Answer(200, published()[PRESENT, YAML])


async def retrieve_versioned_openapi_json(request: Request) -> Answer:
    return _of_version(request, JSON)


async def retrieve_versioned_openapi_yaml(request: Request) -> Answer:
    return _of_version(request, YAML)


def _of_version(request: Request, media_type: str) -> Answer:
    document = published().get((request.path["api_version"], media_type))
    if document is None:
        raise Missing("resource_missing", "api_version")
    return Answer(200, document)
