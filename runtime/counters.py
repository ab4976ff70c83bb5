"""Counters that the main house and the vault both show, each on its own metrics port."""

from prometheus_client import Counter

# Of a payment or hold that has ended, or of an approval that came after it was given up.
REVERSALS_DECLINED = Counter(
    "paymint_reversals_declined",
    "Approvals that we gave back and that their network would not take back",
    ["of"],
)
for of in ("payment", "hold", "late_approval"):
    REVERSALS_DECLINED.labels(of)
