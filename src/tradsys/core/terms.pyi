"""Terms of special orders. No Python face: cimport ``tradsys.core.terms``."""
