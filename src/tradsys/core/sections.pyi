"""Parts of a snapshot that a venue need not have. No Python face: cimport ``tradsys.core.sections``."""
