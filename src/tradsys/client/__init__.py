"""What outsiders and our own services speak to the venue with."""
