"""Checks of commands in the order of the rule book. No Python face: cimport ``tradsys.core.validation``."""
