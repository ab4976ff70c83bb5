"""Path, method, headers, size, media type, JSON: what is seen before the document's schemas."""

import socket

import httpx

from tests.errors.scene import JSON, Scene, gives

TOO_MANY_BYTES = 262_145
ANSWER_SECONDS = 5.0


@gives("http_malformed")
def a_length_given_in_two_ways(scene: Scene) -> httpx.Response:
    port = int(scene.shop.base_url.rpartition(":")[2])
    lines = ("POST /v1/customers HTTP/1.1", "Host: x", "Content-Length: 2")
    sent = "\r\n".join((*lines, "Transfer-Encoding: chunked", "", "")).encode()
    with socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS) as connection:
        connection.sendall(sent + b"2\r\n{}\r\n0\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *headers = head.split(b"\r\n")
    pairs = [(name, value.strip()) for name, _, value in (h.partition(b":") for h in headers)]
    return httpx.Response(int(first.split()[1]), headers=pairs, content=body)


@gives("route_missing")
def a_trailing_slash(scene: Scene) -> httpx.Response:
    return scene.merchant.ask("GET", "/v1/payments/")


@gives("method_not_allowed")
def put_where_there_is_none(scene: Scene) -> httpx.Response:
    return scene.merchant.ask("PUT", "/v1/payments")


@gives("header_invalid", by="list_payments", param="Authorization")
def two_keys_at_once(scene: Scene) -> httpx.Response:
    twice = [("Authorization", "Bearer sk_test_a"), ("Authorization", "Bearer sk_test_b")]
    return scene.shop.http.get("/v1/payments", headers=twice)


@gives("payload_too_large", by="create_payment")
def a_body_of_one_byte_too_many(scene: Scene) -> httpx.Response:
    return scene.pay_bytes(b" " * TOO_MANY_BYTES)


@gives("content_type_unsupported", by="create_payment")
def a_form(scene: Scene) -> httpx.Response:
    return scene.pay_bytes(b"amount=5000", **{"Content-Type": "application/x-www-form-urlencoded"})


@gives("json_invalid", by="create_payment")
def a_trailing_comma(scene: Scene) -> httpx.Response:
    return scene.pay_bytes(b'{"amount":5000,}')


@gives("json_duplicate_key", by="create_payment")
def one_name_twice(scene: Scene) -> httpx.Response:
    return scene.pay_bytes(b'{"amount":5000,"amount":6000}')


@gives("body_missing", by="create_payment")
def no_body(scene: Scene) -> httpx.Response:
    return scene.pay_bytes(b"")


@gives("body_unexpected", by="list_payments")
def a_body_where_none_belongs(scene: Scene) -> httpx.Response:
    return scene.merchant.ask("GET", "/v1/payments", content=b"{}", headers=JSON)


@gives("body_not_object", by="create_payment")
def a_list(scene: Scene) -> httpx.Response:
    return scene.pay_bytes(b"[]")
