"""The ClickHouse store: tables generated from the Avro schemas, an exact writer, and readers over HTTP.

Nothing is imported here: who only asks a running store over HTTP must not load the engine, which costs a third
of a second and 100 MB.
"""
