"""Circuit breakers. No Python face: cimport ``tradsys.core.breakers``."""
