"""Layout check between the C structs and the NumPy dtypes of the records."""

def rows() -> list[tuple[str, str, int, int, int, int]]:
    """List record, field, template id, record bytes, offset and field bytes as the C compiler sees them."""

def compare(dtypes: dict[int, object]) -> None:
    """Raise ImportError when a dtype differs from the C struct of its template id."""
