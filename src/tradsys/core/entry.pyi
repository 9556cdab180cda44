"""What terms and book say of an order that comes in. No Python face: cimport ``tradsys.core.entry``."""
