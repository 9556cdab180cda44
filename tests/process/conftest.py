"""Venue processes for the tests of this room."""

import pytest
from venue_child import VenueChild


@pytest.fixture
def venue(tmp_path):
    child = VenueChild(tmp_path)
    yield child
    if child.process is not None and child.process.poll() is None:
        child.kill()
