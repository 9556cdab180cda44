"""The general path of orders. No Python face: cimport ``tradsys.core.general``."""
