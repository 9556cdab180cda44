"""Hash, invariants and snapshot of the state. No Python face: cimport ``tradsys.core.inspect``."""
