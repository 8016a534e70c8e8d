"""A knowledge base to plant secrets in, as the tests of the flows have it."""

from tests.flows.conftest import embedders, first_release, place, warm

__all__ = ["embedders", "first_release", "place", "warm"]
