"""What several suites share: reading sources and store by value, a model of the sources, the fault harness."""
