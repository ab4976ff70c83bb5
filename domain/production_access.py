"""The gate to live mode: what a merchant hands in, and when the first live keys are given out."""

from collections.abc import Mapping
from typing import Any

from domain import moments
from domain.ids import to_text
from domain.refusals import Missing, Unprocessable


def check_may_ask(merchant: Mapping[str, Any]) -> None:
    """Raises 422 `merchant_unexpected_state` unless the merchant is under review."""
    if merchant["status"] != "pending_review":
        raise Unprocessable("merchant_unexpected_state", status=merchant["status"])


def check_may_approve(access: Mapping[str, Any] | None) -> None:
    """Raises 422 `production_access_missing` where the merchant has not asked to be let in."""
    if access is None:
        raise Unprocessable("production_access_missing")


def check_may_take_keys(merchant: Mapping[str, Any], access: Mapping[str, Any] | None) -> None:
    """Raises 422 unless the merchant is active and has not been given its live keys yet."""
    if merchant["status"] != "active" or access is None:
        raise Unprocessable("merchant_unexpected_state", status=merchant["status"])
    if access["live_keys_taken_at"] is not None:
        raise Unprocessable("live_keys_taken")


def found(access: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What was handed in; raises 404 where nothing was."""
    if access is None:
        raise Missing("resource_missing", "merchant_id")
    return access


def resource(access: Mapping[str, Any]) -> dict[str, Any]:
    """The request as the API shows it."""
    approved = access["approved_at"]
    return {
        "object": "production_access",
        "merchant_id": to_text("mch", access["merchant_id"]),
        "status": access["status"],
        "legal_entity": access["legal_entity"],
        "pci_document": access["pci_document"],
        "file_digest": access["file_digest"],
        "kyc_reference": access["kyc_reference"],
        "live_keys_taken": access["live_keys_taken_at"] is not None,
        "created_at": moments.to_text(access["created_at"]),
        "approved_at": None if approved is None else moments.to_text(approved),
    }
