"""A document that is near to everything is named; an ordinary one is not."""

import re

import numpy as np
import pytest

from retrieval.table_hubs import HUB_SHARE, LEAST_PROBES, hubs_among
from tests.retrieval.builders import Corpus, HashingEmbedder


class CrowdedEmbedder(HashingEmbedder):
    """Every text points its own way, but the stuffed one points a little every way."""

    def embed(self, texts, *, on_progress=None):
        own = np.eye(self.dimension, dtype=np.float32)
        every = np.full(self.dimension, self.dimension**-0.5, dtype=np.float32)
        ways = [int(re.sub(r"\D", "", text)[:3] or 255) % 256 for text in texts]
        rows = [
            every if "stuffed" in text else own[way] for text, way in zip(texts, ways, strict=True)
        ]
        return np.array(rows, dtype=np.float32)


@pytest.mark.parametrize("stuffed", [True, False])
def test_a_document_that_is_near_to_everything_is_a_hub(corpus: Corpus, *, stuffed: bool):
    corpus.embedder = CrowdedEmbedder(dimension=256)
    corpus.write({f"{at}.md": f"text number {at}" for at in range(200)})
    corpus.write({"odd.md": "stuffed" if stuffed else "plain"})

    snapshot = corpus.refresh().snapshot

    named = [hub.uri for hub in corpus.index.hubs(snapshot) if hub.uri == "odd.md"]
    assert named == (["odd.md"] if stuffed else [])


@pytest.mark.parametrize(
    ("near", "probes", "hub"),
    [(20, 100, False), (21, 100, True), (LEAST_PROBES, LEAST_PROBES - 1, False)],
    ids=["exactly-a-fifth", "one-more", "too-few-probes"],
)
def test_more_than_a_fifth_of_enough_probes_makes_a_hub(near: int, probes: int, *, hub: bool):
    neighbours = [{"a"} if at < near else {f"{at}"} for at in range(probes)]

    assert [found.uri for found in hubs_among(neighbours)] == (["a"] if hub else [])
    assert HUB_SHARE == 0.2


def test_the_documents_own_chunks_make_no_hub(corpus: Corpus):
    corpus.write({"long.md": "\n\n".join(f"# H{at}\n\ntext {at}" for at in range(100))})
    corpus.write({"b.md": "other"})

    snapshot = corpus.refresh().snapshot

    assert "long.md" not in [hub.uri for hub in corpus.index.hubs(snapshot)]
