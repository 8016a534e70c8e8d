"""Documents that are near to everything: stuffed with words, or broken, they crowd out answers."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from lancedb.table import LanceTable

from retrieval.table_search import nearest

PROBES = 100
LEAST_PROBES = 20  # fewer say nothing about a share of a fifth
DEPTH = 5
HUB_SHARE = 0.20
"""A document among the five nearest to more than a fifth of the probes is a hub."""


@dataclass(frozen=True, slots=True)
class Hub:
    """A document, and the share of the probes, texts of other documents, that it is nearest to."""

    uri: str
    share: float


def find_hubs(table: LanceTable) -> tuple[Hub, ...]:
    """Return the hubs of a table, the worst first.

    Radovanović, Nanopoulos, Ivanović: Hubs in Space, JMLR 2010. The probes are chunks that lie
    evenly over the table; what is near to one in its own document does not count.
    """
    return hubs_among([_neighbours(table, uri, vector) for uri, vector in _probes(table)])


def hubs_among(neighbours: Sequence[Collection[str]]) -> tuple[Hub, ...]:
    """Return the documents that too many probes have among their nearest, the worst first.

    >>> hubs_among([{"a", "b"}] * 5 + [{"b", "c"}] * 20)
    (Hub(uri='b', share=1.0), Hub(uri='c', share=0.8))
    >>> hubs_among([{"a"}] * 5)
    ()
    """
    if len(neighbours) < LEAST_PROBES:
        return ()
    counts = Counter(uri for uris in neighbours for uri in set(uris))
    shares = {uri: count / len(neighbours) for uri, count in counts.items()}
    found = (Hub(uri, share) for uri, share in shares.items() if share > HUB_SHARE)
    return tuple(sorted(found, key=lambda hub: (-hub.share, hub.uri)))


def _probes(table: LanceTable) -> list[tuple[str, "np.typing.NDArray[np.float32]"]]:
    rows = table.count_rows()
    offsets = sorted({at * rows // PROBES for at in range(PROBES)}) if rows else []
    found = table.take_offsets(offsets).select(["uri", "vector"]).to_arrow().to_pylist()
    return [(row["uri"], np.asarray(row["vector"], np.float32)) for row in found]


def _neighbours(table: LanceTable, uri: str, vector: "np.typing.NDArray[np.float32]") -> set[str]:
    """Return the documents of the nearest chunks but for the probe's own."""
    # Its own document may have many near chunks: look further than the few that count.
    found = nearest(table, vector, limit=4 * DEPTH).select(["uri", "_distance"]).to_arrow()
    others = [other for other in found["uri"].to_pylist() if other != uri]
    return set(list(dict.fromkeys(others))[:DEPTH])
