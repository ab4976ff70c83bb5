"""Query and body: what the document's schemas refuse."""

import httpx

from tests.errors.scene import Scene, gives

METADATA_ENTRIES_MAX = 50
DESCRIPTION_CHARACTERS_MAX = 500


@gives("query_malformed", by="list_payments")
def a_null_byte(scene: Scene) -> httpx.Response:
    return scene.list_payments("status=%00")


@gives("parameter_missing", by="create_payment", param="amount")
def no_amount(scene: Scene) -> httpx.Response:
    return scene.pay_bytes(b'{"currency":"usd","payment_method_id":"pm_4f2e8a9b"}')


@gives("parameter_unknown", by="create_payment")
def a_field_that_nobody_knows(scene: Scene) -> httpx.Response:
    return scene.pay(ammount=1)


@gives("parameter_duplicated", by="list_payments", param="limit")
def a_limit_twice(scene: Scene) -> httpx.Response:
    return scene.list_payments("limit=1&limit=2")


@gives("parameters_exclusive", by="list_payments")
def both_cursors(scene: Scene) -> httpx.Response:
    return scene.list_payments("starting_after=crs_AAAA&ending_before=crs_AAAA")


@gives("parameter_invalid", by="create_payment", param="currency")
def a_currency_that_is_no_code(scene: Scene) -> httpx.Response:
    return scene.pay(currency="dollars")


@gives("parameter_invalid_type", by="create_payment", param="amount")
def an_amount_with_a_fraction(scene: Scene) -> httpx.Response:
    return scene.pay(amount=5000.0)


@gives("parameter_invalid_enum", by="list_payments", param="status")
def a_status_that_is_none(scene: Scene) -> httpx.Response:
    return scene.list_payments("status=paid")


@gives("parameter_invalid_format", by="create_payment", param="description")
def a_control_character(scene: Scene) -> httpx.Response:
    return scene.pay(description="a\x00b")


@gives("parameter_too_long", by="create_payment", param="description")
def a_long_description(scene: Scene) -> httpx.Response:
    return scene.pay(description="x" * (DESCRIPTION_CHARACTERS_MAX + 1))


@gives("parameter_too_short", by="create_customer", param="name")
def an_empty_name(scene: Scene) -> httpx.Response:
    return scene.merchant.ask("POST", "/v1/customers", {"name": ""})


@gives("parameter_too_small", by="list_payments", param="limit")
def a_limit_of_nothing(scene: Scene) -> httpx.Response:
    return scene.list_payments("limit=0")


@gives("parameter_too_large", by="list_payments", param="limit")
def a_limit_beyond_the_maximum(scene: Scene) -> httpx.Response:
    return scene.list_payments("limit=101")


@gives("parameter_too_many_items", by="create_payment", param="metadata")
def a_crowd_of_metadata(scene: Scene) -> httpx.Response:
    return scene.pay(metadata={f"k{number}": "v" for number in range(METADATA_ENTRIES_MAX + 1)})


@gives("parameter_too_few_items", by="create_webhook_endpoint", param="enabled_events")
def an_endpoint_for_no_events(scene: Scene) -> httpx.Response:
    body = {"url": "https://shop.example.com/paymint", "enabled_events": []}
    return scene.merchant.ask("POST", "/v1/webhook_endpoints", body)


@gives("metadata_key_invalid", by="create_payment", param="metadata")
def a_metadata_key_with_a_space(scene: Scene) -> httpx.Response:
    return scene.pay(metadata={"order id": "9281"})


@gives("card_number_in_text", by="create_payment", param="metadata.order_id")
def a_card_number_for_an_order(scene: Scene) -> httpx.Response:
    return scene.pay(metadata={"order_id": "4242 4242 4242 4242"})


@gives("amount_too_small", by="create_payment", param="amount")
def forty_nine_cents(scene: Scene) -> httpx.Response:
    return scene.pay(amount=49)


@gives("amount_too_large", by="create_payment", param="amount")
def a_million_dollars(scene: Scene) -> httpx.Response:
    return scene.pay(amount=100_000_000)


@gives("invalid_currency", by="create_payment", param="currency")
def a_currency_of_nowhere(scene: Scene) -> httpx.Response:
    return scene.pay(currency="xxx")


@gives("invalid_cursor", by="list_payments", param="starting_after")
def a_made_up_cursor(scene: Scene) -> httpx.Response:
    return scene.list_payments("starting_after=crs_AAAA")


@gives("url_not_https", by="create_webhook_endpoint", param="url")
def plain_http(scene: Scene) -> httpx.Response:
    body = {"url": "http://shop.example.com/paymint"}
    return scene.merchant.ask("POST", "/v1/webhook_endpoints", body)


@gives("url_not_public", by="create_webhook_endpoint", param="url")
def an_address_at_home(scene: Scene) -> httpx.Response:
    return scene.merchant.ask("POST", "/v1/webhook_endpoints", {"url": "https://192.168.1.1/p"})
