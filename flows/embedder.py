"""From settings to the embedding model: on this machine, or behind an address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.model_places import locate
from flows.settings.settings import Settings

if TYPE_CHECKING:
    from retrieval.embedders import Embedder


def open_embedder(settings: Settings) -> Embedder:
    """Return the embedding model of the settings; nothing of it is loaded yet."""
    chosen = settings.embedder
    if chosen.address is None or chosen.max_tokens is None:
        from retrieval.embedding import LocalEmbedder

        return LocalEmbedder(
            locate(chosen.model),
            engine=chosen.engine,
            cache=settings.cache / "embedders",
            threads=chosen.threads,
        )
    from retrieval.embedders.openai_endpoint import EndpointEmbedder

    return EndpointEmbedder(
        chosen.address,
        model=chosen.model,
        max_tokens=chosen.max_tokens,
        revision=chosen.revision,
        dimension=chosen.dimension,
        api_key=settings.secret(chosen.api_key_variable) if chosen.api_key_variable else None,
        tokenizer=locate(chosen.tokenizer) if chosen.tokenizer else None,
        document_prompt=chosen.document_prompt,
        query_prompt=chosen.query_prompt,
        batch=chosen.batch,
        timeout_seconds=chosen.timeout_seconds,
        retry_seconds=chosen.retry_seconds,
    )
