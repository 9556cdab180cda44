"""Doors for the tests of this room."""

import pytest
from door_maker import Door


@pytest.fixture
def make_door(tmp_path):
    doors = []

    def make(path=tmp_path / "venue", **options):
        doors.append(Door(path, **options))
        return doors[-1]

    yield make
    for door in doors:
        door.close()


@pytest.fixture
def door(make_door):
    made = make_door()
    made.define()
    return made
