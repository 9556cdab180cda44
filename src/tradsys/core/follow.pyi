"""What comes behind a command. No Python face: cimport ``tradsys.core.follow``."""
