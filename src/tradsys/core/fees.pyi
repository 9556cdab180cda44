"""Fees: schedules, and what each match costs its parties. No Python face: cimport ``tradsys.core.fees``."""
