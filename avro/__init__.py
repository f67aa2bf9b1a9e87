"""What is a record? Elements, schemas, envelope decoding, normalization and wire formats.

This package depends on nothing else of renkou. It has nothing to do with PyPI's ``avro``, which must not be
installed beside it: fastavro does the encoding.
"""
