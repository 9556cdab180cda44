"""Doors to outside venues: their file formats and what becomes of them here."""
