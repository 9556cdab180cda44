"""What stands against an order. No Python face: cimport ``tradsys.core.risk``."""
