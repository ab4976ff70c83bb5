"""One concern of a request per file; gateway/pipeline.py alone names them and their order."""
