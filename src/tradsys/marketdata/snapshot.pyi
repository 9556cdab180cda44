"""Write a snapshot message by message while its book goes on changing."""

from tradsys.core.book_view import BookSet

class SnapshotWalk:
    stage: int
    def __init__(self, books: BookSet) -> None: ...
