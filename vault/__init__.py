"""The card house: own process, own database, own keys.

Card numbers live here and nowhere else.  Nobody imports this package, and it imports
none of the main house; the two share only the contract.
"""
