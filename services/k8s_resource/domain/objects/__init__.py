"""The parts of Kubernetes objects that are read, as decoded from the API server's JSON.

Structs name just the fields needed: decoding them takes a tenth of the time and
memory of whole objects. Kubernetes leaves out empty fields and may send null for
them, so every field has a default and may be None where the API allows null.
"""
