"""Fixtures of what the monitor serves beside its page."""

import pytest

from tests.unit.served.shelf import Shelf


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()
