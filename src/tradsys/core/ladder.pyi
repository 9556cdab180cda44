"""Price levels of one side of a book. No Python face: cimport ``tradsys.core.ladder``."""
