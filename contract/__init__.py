"""The document, compiled: operations, strict bodies, refusals and answers that fit the promise.

Gateway and vault share it; it knows neither.  A plain ASGI door uses it like this:

    operation = compile_operations(load_document(), house="vault")["create_token"]

    async def door(scope, receive, send):
        request_id = "req_" + uuid7().hex
        try:
            headers = read_headers(scope["headers"])           # 400 header_invalid
            ...                                                # 401, 403: the door's own keys
            raw = await operation.body.read(headers, receive)  # 413, 415; ClientGone
            body = operation.body.parse(raw)                   # 400: strict JSON
            operation.parameters.read_query(scope["query_string"])  # 400: unknown, repeated
            operation.body.check(body)                         # 400: the schema, x-error-code
            status, answer = ...                               # the door's own work
            operation.answers.check(status, answer)            # fatal where answers are strict
            headers, data = [JSON_CONTENT_TYPE], encode(answer)
        except Refusal as refusal:
            operation.answers.check_refusal(refusal)
            status, headers, data = refuse(refusal, request_id)

Imports: `contract.document.load_document`, `contract.operations.compile_operations`,
`contract.headers.read_headers`, `contract.bodies.ClientGone`, `contract.errors.refuse`,
`contract.answers.encode` and `.JSON_CONTENT_TYPE`.  An unforeseen exception is
`refuse(InternalError(), request_id)` (contract.errors), a database out of reach is
`refuse(Unavailable(), request_id)` (domain.refusals).
"""
