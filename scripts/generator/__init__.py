"""Derives generated/ from openapi.yaml: types, the error catalogue, the table of operations.

It imports neither `contract` nor anything that imports `generated`: a stale or absent tree
must never stop its own renewal.
"""
