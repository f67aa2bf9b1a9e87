"""Who is it about? Incremental identity linking, its durable state and the golden record.

Knows nothing of Kafka, Faust or ClickHouse.
"""
