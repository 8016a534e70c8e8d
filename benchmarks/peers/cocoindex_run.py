"""CocoIndex as its LanceDB example builds an index: one memoised component a file.

With COCOINDEX_CHUNK_MEMO set, the embedding of each chunk is memoised as well.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Annotated

import cocoindex as coco
import numpy as np
from cocoindex.connectors import lancedb, localfs
from cocoindex.ops.text import RecursiveSplitter
from cocoindex.resources.chunk import Chunk
from cocoindex.resources.file import FileLike, PatternFilePathMatcher
from cocoindex.resources.id import IdGenerator
from cocoindex.resources.schema import VectorSchema
from measuring import DIMENSION, ENDINGS, CountingEmbedder, Side, main
from numpy.typing import NDArray

TABLE = "doc_embeddings"


class _Embedder:
    """Embeds one text at a time; the engine gathers those that wait into batches."""

    def __init__(self, embedder: CountingEmbedder) -> None:
        self._embedder = embedder

    async def __coco_vector_schema__(self) -> VectorSchema:
        return VectorSchema(dtype=np.dtype(np.float32), size=DIMENSION)

    def __coco_memo_key__(self) -> object:
        return "the same embedder"

    @coco.fn.as_async(batching=True, runner=coco.GPU, max_batch_size=64)
    def embed(self, texts: list[str]) -> list[NDArray[np.float32]]:
        return list(self._embedder.vectors(texts))


LANCE_DB = coco.ContextKey[lancedb.LanceAsyncConnection]("text_embedding_db")
EMBEDDER = coco.ContextKey[_Embedder]("embedder")

_splitter = RecursiveSplitter()


@dataclass
class DocEmbedding:
    """A row of the table, as the example declares it."""

    id: int
    filename: str
    chunk_start: int
    chunk_end: int
    text: str
    embedding: Annotated[NDArray[np.float32], EMBEDDER]


@coco.fn
async def embed_anew(text: str) -> NDArray[np.float32]:
    """Embed a chunk of a file that changed."""
    vector: NDArray[np.float32] = await coco.use_context(EMBEDDER).embed(text)
    return vector


@coco.fn(memo=True)
async def embed_memoised(text: str) -> NDArray[np.float32]:
    """Embed a chunk, unless its file held the same text before."""
    vector: NDArray[np.float32] = await coco.use_context(EMBEDDER).embed(text)
    return vector


Embed = Callable[[str], Awaitable[NDArray[np.float32]]]
embed_chunk: Embed = embed_memoised if os.environ.get("COCOINDEX_CHUNK_MEMO") else embed_anew


@coco.fn
async def process_chunk(
    chunk: Chunk,
    filename: PurePath,
    id_gen: IdGenerator,
    table: lancedb.TableTarget[DocEmbedding],
) -> None:
    """Declare the row of one chunk."""
    table.declare_row(
        row=DocEmbedding(
            id=await id_gen.next_id(chunk.text),
            filename=str(filename),
            chunk_start=chunk.start.char_offset,
            chunk_end=chunk.end.char_offset,
            text=chunk.text,
            embedding=await embed_chunk(chunk.text),
        ),
    )


@coco.fn(memo=True)
async def process_file(file: FileLike, table: lancedb.TableTarget[DocEmbedding]) -> None:
    """Split one file that changed."""
    text = await file.read_text()
    # The example's sizes are 2,000 and 500; LangChain's defaults make the chunk counts comparable.
    chunks = _splitter.split(text, chunk_size=1000, chunk_overlap=200)
    await coco.map(process_chunk, chunks, file.file_path.path, IdGenerator(), table)


@coco.fn
async def app_main(documents: Path) -> None:
    """Declare the table and one component a file."""
    table = await lancedb.mount_table_target(
        LANCE_DB,
        table_name=TABLE,
        table_schema=await lancedb.TableSchema.from_class(DocEmbedding, primary_key=["id"]),
    )
    patterns = [f"**/*{ending}" for ending in ENDINGS]
    files = localfs.walk_dir(
        documents,
        recursive=True,
        path_matcher=PatternFilePathMatcher(included_patterns=patterns),
    )
    await coco.mount_each(process_file, files.items(), table)


def refresh(documents: Path, state: Path, embedder: CountingEmbedder) -> None:
    """Run the app once."""
    asyncio.run(_update(documents, state, embedder))


async def _update(documents: Path, state: Path, embedder: CountingEmbedder) -> None:
    provider = coco.ContextProvider()
    provider.provide(LANCE_DB, await lancedb.connect_async(str(state / "lancedb")))
    provider.provide(EMBEDDER, _Embedder(embedder))
    environment = coco.Environment(
        coco.Settings(db_path=state / "cocoindex.db"),
        context_provider=provider,
        event_loop=asyncio.get_running_loop(),
    )
    app = coco.App(
        coco.AppConfig(name="TextEmbedding", environment=environment), app_main, documents
    )
    await app.update()
    environment.close()


if __name__ == "__main__":
    main(Side(refresh, None, "lancedb", TABLE))
