"""Hash and invariants of dormant orders. No Python face: cimport ``tradsys.core.inspect_triggers``."""
