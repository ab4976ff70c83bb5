"""HTTP to flow and back: one file per tag, one function per operationId."""
