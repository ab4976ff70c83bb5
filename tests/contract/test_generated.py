"""generated/ follows openapi.yaml, and --check sees when it does not."""

from pathlib import Path

from generated.operations import OPERATIONS
from scripts.generator.tree import DOCUMENT, GENERATED, differences, write_tree


def test_the_tree_is_fresh_and_a_change_of_the_document_is_seen(tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    write_tree(DOCUMENT, fresh)
    assert differences(fresh, GENERATED) == []
    (fresh / "types.py").write_text("")
    (fresh / "stray.py").write_text("")
    assert differences(fresh, GENERATED) == ["stray.py", "types.py"]


def test_the_table_of_operations() -> None:
    rows = {row.operation_id: row for row in OPERATIONS}
    assert rows["create_payment"][1:5] == ("POST", "/v1/payments", "payments", "gateway")
    assert rows["create_payment"].scopes == (("payments:write",),)
    assert rows["create_payment"].idempotency == "required"
    assert rows["retrieve_refund"].scopes == (("refunds:write",), ("payments:read",))
    assert rows["check_liveness"].scopes == ()
