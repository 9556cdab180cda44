"""The engine's state as plain C records. No Python face: cimport ``tradsys.core.state``."""
