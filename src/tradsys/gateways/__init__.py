"""Doors: who may speak to the venue, in which form, how fast."""
