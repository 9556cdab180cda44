"""Positions kept from events, and what stands against an order. No Python face: cimport ``tradsys.core.risk``."""
