"""Positions kept from events, and who holds them. No Python face: cimport ``tradsys.core.positions``."""
