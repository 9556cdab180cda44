"""Client references of live orders. No Python face: cimport ``tradsys.core.references``."""
