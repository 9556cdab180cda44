"""Import an oracle, or skip: they come with the extra ``oracles``."""

import warnings

import pytest


def oracle(name):
    """The module of that name; its own warnings at import are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason=f"the extra 'oracles' ({name}) is not installed")
