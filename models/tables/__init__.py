"""The tables of the main house.

`GLOBAL_TABLES` names those that belong to no merchant; every other one is held to the
tenant rules by tests/models/test_tenancy.py.
"""

from models.tables.accounts import API_KEYS, MERCHANTS, PLATFORM_KEYS, PRODUCTION_ACCESS
from models.tables.alerts import ALERTS
from models.tables.audit import AUDIT_EXPORTS, AUDIT_HEADS, AUDIT_KEYS, AUDIT_ROOTS
from models.tables.base import METADATA
from models.tables.bookkeeping import AUDIT_ENTRIES, COUNTERS, IDEMPOTENCY_KEYS
from models.tables.customers import CUSTOMERS, PAYMENT_METHODS, TOKEN_CLAIMS
from models.tables.data_keys import DATA_KEYS, MASTER_KEYS
from models.tables.disputes import DISPUTES
from models.tables.holds import HOLD_DRAWS, HOLD_TOP_UPS, HOLDS
from models.tables.ledger import LEDGER_BALANCES, LEDGER_POSTINGS
from models.tables.oauth import (
    OAUTH_CLIENTS,
    OAUTH_CODES,
    OAUTH_GRANTS,
    OAUTH_REFRESH_TOKENS,
    OAUTH_SIGNING_KEYS,
)
from models.tables.payments import PAYMENTS, REFUNDS
from models.tables.payouts import (
    PAYOUT_PARTS,
    PAYOUT_SCHEDULES,
    PAYOUTS,
    SETTLEMENT_LINES,
    SETTLEMENTS,
)
from models.tables.people import SESSIONS, SIGN_IN_NAMES, USERS
from models.tables.test_clocks import TEST_CLOCKS
from models.tables.transactions import BALANCE_TRANSACTIONS
from models.tables.webhooks import EVENTS, WEBHOOK_ATTEMPTS, WEBHOOK_DELIVERIES, WEBHOOK_ENDPOINTS
from models.tables.workers import WORKER_LEASES

GLOBAL_TABLES = frozenset(
    {
        "audit_exports",
        "audit_heads",
        "audit_keys",
        "audit_roots",
        "data_keys",
        "master_keys",
        "merchants",
        "oauth_clients",
        "oauth_signing_keys",
        "platform_keys",
        "sign_in_names",
        "worker_leases",
    }
)

__all__ = [
    "ALERTS",
    "API_KEYS",
    "AUDIT_ENTRIES",
    "AUDIT_EXPORTS",
    "AUDIT_HEADS",
    "AUDIT_KEYS",
    "AUDIT_ROOTS",
    "BALANCE_TRANSACTIONS",
    "COUNTERS",
    "CUSTOMERS",
    "DATA_KEYS",
    "DISPUTES",
    "EVENTS",
    "GLOBAL_TABLES",
    "HOLDS",
    "HOLD_DRAWS",
    "HOLD_TOP_UPS",
    "IDEMPOTENCY_KEYS",
    "LEDGER_BALANCES",
    "LEDGER_POSTINGS",
    "MASTER_KEYS",
    "MERCHANTS",
    "METADATA",
    "OAUTH_CLIENTS",
    "OAUTH_CODES",
    "OAUTH_GRANTS",
    "OAUTH_REFRESH_TOKENS",
    "OAUTH_SIGNING_KEYS",
    "PAYMENTS",
    "PAYMENT_METHODS",
    "PAYOUTS",
    "PAYOUT_PARTS",
    "PAYOUT_SCHEDULES",
    "PLATFORM_KEYS",
    "PRODUCTION_ACCESS",
    "REFUNDS",
    "SESSIONS",
    "SETTLEMENTS",
    "SETTLEMENT_LINES",
    "SIGN_IN_NAMES",
    "TEST_CLOCKS",
    "TOKEN_CLAIMS",
    "USERS",
    "WEBHOOK_ATTEMPTS",
    "WEBHOOK_DELIVERIES",
    "WEBHOOK_ENDPOINTS",
    "WORKER_LEASES",
]
