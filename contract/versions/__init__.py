"""The API by its dates: one file per version, and what chains them.

A version's file says what changed with it, how an answer is given back as it was before
(`down`), how a request from before is brought up to it (`up`), and how its document is told
to those before it (`down_schema`).  A further version is one more file and its line in
registry.py.  docs/decisions/0018-api-versions.md says why this stands in `contract/`.
"""
