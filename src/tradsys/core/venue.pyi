"""What happens once a command is decided. No Python face: cimport ``tradsys.core.venue``."""
