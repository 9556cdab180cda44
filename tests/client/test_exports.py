"""Goal: what tradsys.client promises can be had. Method: ask for every name, and for one that is not there."""

import pytest

import tradsys.client


def test_every_name_is_there():
    for name in dir(tradsys.client):
        assert getattr(tradsys.client, name).__name__ == name


def test_another_name_is_not():
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        tradsys.client.Nothing  # noqa: B018
