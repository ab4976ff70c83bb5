"""The front door: HTTP in, one operation of the document, HTTP out.  Read pipeline.py first."""
