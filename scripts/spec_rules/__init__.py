"""The rules of openapi.yaml, one file per part of the document."""
