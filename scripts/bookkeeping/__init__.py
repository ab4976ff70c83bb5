"""`scripts/ledger`: do the books agree with each other, and with the card networks?"""
