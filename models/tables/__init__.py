"""The tables of the main house.

`GLOBAL_TABLES` names those that belong to no merchant; every other one is held to the
tenant rules by tests/models/test_tenancy.py.
"""

from models.tables.accounts import API_KEYS, MERCHANTS, PLATFORM_KEYS, PRODUCTION_ACCESS
from models.tables.alerts import ALERTS
from models.tables.base import METADATA
from models.tables.bookkeeping import AUDIT_ENTRIES, COUNTERS, IDEMPOTENCY_KEYS
from models.tables.customers import CUSTOMERS, PAYMENT_METHODS, TOKEN_CLAIMS
from models.tables.data_keys import DATA_KEYS, MASTER_KEYS
from models.tables.disputes import DISPUTES
from models.tables.payments import PAYMENTS, REFUNDS
from models.tables.test_clocks import TEST_CLOCKS
from models.tables.webhooks import EVENTS, WEBHOOK_ATTEMPTS, WEBHOOK_DELIVERIES, WEBHOOK_ENDPOINTS

GLOBAL_TABLES = frozenset({"data_keys", "master_keys", "merchants", "platform_keys"})

__all__ = [
    "ALERTS",
    "API_KEYS",
    "AUDIT_ENTRIES",
    "COUNTERS",
    "CUSTOMERS",
    "DATA_KEYS",
    "DISPUTES",
    "EVENTS",
    "GLOBAL_TABLES",
    "IDEMPOTENCY_KEYS",
    "MASTER_KEYS",
    "MERCHANTS",
    "METADATA",
    "PAYMENTS",
    "PAYMENT_METHODS",
    "PLATFORM_KEYS",
    "PRODUCTION_ACCESS",
    "REFUNDS",
    "TEST_CLOCKS",
    "TOKEN_CLAIMS",
    "WEBHOOK_ATTEMPTS",
    "WEBHOOK_DELIVERIES",
    "WEBHOOK_ENDPOINTS",
]
