"""Amounts that both sides of a run know: hooks.py is read by every start of Schemathesis."""

# Of what a batch takes, and nothing else here.
BATCH_AMOUNT = 4_321
