"""One module per process and per command; the only place that wires rooms together."""
