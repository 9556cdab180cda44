"""Import an oracle, or skip: they come with ``make oracles``. With TRADSYS_ORACLES=required a missing one is a failure."""

import importlib
import os
import warnings

import pytest


def oracle(name):
    """The module of that name; its own warnings at import are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if os.environ.get("TRADSYS_ORACLES") == "required":
            return importlib.import_module(name)
        return pytest.importorskip(name, reason=f"{name} is not installed: make oracles")
