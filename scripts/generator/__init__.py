"""Derives from openapi.yaml generated/ (types, error codes, operations) and docs/errors/.

It imports nothing that imports `generated`: a stale or absent tree must never stop its own
renewal.  Of `contract` it knows `refusal_shape` alone, which is written for that.
"""
