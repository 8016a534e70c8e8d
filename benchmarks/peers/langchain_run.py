"""LangChain as its documentation builds an index: loader, splitter, record manager, index().

Full cleanup, as for a loader that returns everything; LanceDB as the vector store.
"""

from __future__ import annotations

import warnings
from pathlib import Path

from langchain_classic.indexes import SQLRecordManager
from langchain_community.document_loaders import DirectoryLoader, TextLoader
from langchain_community.vectorstores import LanceDB
from langchain_core.embeddings import Embeddings
from langchain_core.indexing import index
from langchain_text_splitters import RecursiveCharacterTextSplitter
from measuring import DEPTH, ENDINGS, CountingEmbedder, Found, Side, main

warnings.filterwarnings("ignore", category=DeprecationWarning)


class _Embeddings(Embeddings):
    def __init__(self, embedder: CountingEmbedder) -> None:
        self._embedder = embedder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self._embedder.lists(texts)

    def embed_query(self, text: str) -> list[float]:
        return self._embedder.lists([text])[0]


def refresh(documents: Path, state: Path, embedder: CountingEmbedder) -> None:
    """Load and split everything, and let index() find out what is new."""
    loader = DirectoryLoader(
        str(documents),
        glob=[f"**/*{ending}" for ending in ENDINGS],
        loader_cls=TextLoader,
        loader_kwargs={"encoding": "utf-8"},
    )
    splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200)
    records = SQLRecordManager("lancedb/docs", db_url=f"sqlite:///{state / 'records.db'}")
    records.create_schema()
    index(
        splitter.split_documents(loader.load()),
        records,
        _store(state, embedder),
        cleanup="full",
        source_id_key="source",
        key_encoder="blake2b",
    )


def search(documents: Path, state: Path, embedder: CountingEmbedder, question: str) -> Found:
    """Return the chunks of the default retriever."""
    retriever = _store(state, embedder).as_retriever(search_kwargs={"k": DEPTH})
    return [
        (Path(found.metadata["source"]).relative_to(documents).as_posix(), found.page_content)
        for found in retriever.invoke(question)
    ]


def _store(state: Path, embedder: CountingEmbedder) -> LanceDB:
    # Its default mode, "overwrite", throws away all earlier batches of the same run.
    return LanceDB(uri=str(state / "lancedb"), embedding=_Embeddings(embedder), mode="append")


if __name__ == "__main__":
    main(Side(refresh, search, "lancedb", "vectorstore"))
