"""Memory taken once, at construction. No Python face."""
