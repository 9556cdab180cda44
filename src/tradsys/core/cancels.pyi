"""Cancelling many orders at once. No Python face: cimport ``tradsys.core.cancels``."""
