"""LlamaIndex as its documentation keeps an index: ingestion pipeline with a document store.

Upserts and deletes by document, the default splitter, LanceDB as the vector store.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llama_index.core import SimpleDirectoryReader, VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.vector_stores.lancedb import LanceDBVectorStore
from measuring import DEPTH, ENDINGS, CountingEmbedder, Found, Side, main


class _Embedding(BaseEmbedding):
    _embedder: CountingEmbedder = PrivateAttr()

    def __init__(self, embedder: CountingEmbedder, **fields: Any) -> None:
        super().__init__(**fields)
        self._embedder = embedder

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._embedder.lists(texts)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._embedder.lists([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


class _Store(LanceDBVectorStore):
    """The store with a delete that LanceDB 0.40 accepts: the original quotes text as a column."""

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        del delete_kwargs
        quoted = ref_doc_id.replace("'", "''")
        self.table.delete(f"{self.doc_id_key} = '{quoted}'")


def refresh(documents: Path, state: Path, embedder: CountingEmbedder) -> None:
    """Read everything and let the document store find out which documents are new."""
    kept = state / "pipeline"
    pipeline = IngestionPipeline(
        transformations=[SentenceSplitter(), _Embedding(embedder)],
        docstore=SimpleDocumentStore(),
        docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
        vector_store=_store(state),
    )
    if kept.is_dir():
        pipeline.load(str(kept))
    reader = SimpleDirectoryReader(
        str(documents), recursive=True, required_exts=list(ENDINGS), filename_as_id=True
    )
    pipeline.run(documents=reader.load_data())
    pipeline.persist(str(kept))


def search(documents: Path, state: Path, embedder: CountingEmbedder, question: str) -> Found:
    """Return the chunks of the default retriever."""
    index = VectorStoreIndex.from_vector_store(_store(state), embed_model=_Embedding(embedder))
    retriever = index.as_retriever(similarity_top_k=DEPTH)
    return [
        (
            Path(found.node.metadata["file_path"]).relative_to(documents).as_posix(),
            found.node.get_content(),
        )
        for found in retriever.retrieve(question)
    ]


def _store(state: Path) -> _Store:
    return _Store(uri=str(state / "lancedb"))


if __name__ == "__main__":
    main(Side(refresh, search, "lancedb", "vectors"))
