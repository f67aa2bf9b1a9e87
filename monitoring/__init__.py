"""How do we know? Metrics, frontiers, states of the sources."""
