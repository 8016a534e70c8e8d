"""Embedding by any endpoint that speaks OpenAI's `/v1/embeddings`."""

import base64
import binascii
import hashlib
import time
import unicodedata
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from retrieval.embedders import OnProgress, Vector, Vectors, unit_length
from retrieval.embedders.endpoint_calls import CircuitBreaker, EndpointCalls
from retrieval.embedders.model_files import ModelFiles
from retrieval.errors import BadVectorsError

_MARKS = 3  # start, end, and the space that some tokenizers put before a text


class EndpointEmbedder:
    """A model behind an address, such as `https://host/v1`; the texts leave this machine.

    `dimension` asks for vectors of that width; without it the model's own is taken. `max_tokens`
    is the model's window. `tokenizer` is a folder or model hub's id with the model's
    tokenizer.json; without it every byte is counted as a token, so that nothing can be cut off
    unseen, and chunks come out smaller than they could be. With another `revision`, any text, the
    endpoint counts as another model: for when it has become one. A request that fails for now is
    tried again for up to `retry_seconds`.
    """

    def __init__(
        self,
        address: str,
        *,
        model: str,
        max_tokens: int,
        revision: str = "",
        dimension: int | None = None,
        api_key: str | None = None,
        tokenizer: str | Path | None = None,
        document_prompt: str = "",
        query_prompt: str = "",
        batch: int = 64,
        timeout_seconds: float = 60.0,
        retry_seconds: float = 120.0,
        breaker: CircuitBreaker | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._model = model
        self._revision = revision
        self._max_tokens = max_tokens
        self._asked_dimension = dimension
        self._files = ModelFiles(tokenizer) if tokenizer is not None else None
        self._document_prompt = document_prompt
        self._query_prompt = query_prompt
        self._batch = batch
        self._calls = EndpointCalls(
            _url(address),
            api_key,
            timeout_seconds,
            retry_seconds,
            breaker or CircuitBreaker(),
            sleep,
        )

    @property
    def fingerprint(self) -> str:
        """The sha256 of what is asked for. The address is left out: a model may move.

        Only `probes` can tell that an endpoint has another model under the same name.
        """
        asked = (
            "endpoint",
            self._model,
            self._revision,
            str(self._asked_dimension),
            self._document_prompt,
        )
        return hashlib.sha256("\n".join(asked).encode()).hexdigest()

    @cached_property
    def dimension(self) -> int:
        """The width of a vector: as asked for, or as the endpoint's first answer has it."""
        return self._asked_dimension or self._ask(["width"], None).shape[1]

    @property
    def max_tokens(self) -> int:
        """The model's window, special tokens included, as the settings say."""
        return self._max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text, or without a tokenizer a number they cannot exceed."""
        prompted = [self._document_prompt + text for text in texts]
        if self._files is not None:
            return self._files.count_tokens(prompted)
        return [most_tokens(text) for text in prompted]

    def embed(self, texts: Sequence[str], *, on_progress: OnProgress | None = None) -> Vectors:
        """Return one row of unit length for each text, in the same order.

        Raises EmbedderUnreachableError, and BadVectorsError for an answer that is none.
        """
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        return self._ask([self._document_prompt + text for text in texts], on_progress)

    def embed_query(self, text: str) -> Vector:
        """Return the vector of a question, which for some models differs from a document's."""
        question: Vector = self._ask([self._query_prompt + text], None)[0]
        return question

    def _ask(self, texts: Sequence[str], on_progress: OnProgress | None) -> Vectors:
        made: list[Vectors] = []
        with self._calls.connected() as post:
            for at in range(0, len(texts), self._batch):
                batch = texts[at : at + self._batch]
                width = made[0].shape[1] if made else self._known_dimension
                made.append(vectors_from(post(self._body(batch)), len(batch), width))
                if on_progress is not None:
                    on_progress(at + len(batch), len(texts))
        return np.concatenate(made)

    @property
    def _known_dimension(self) -> int | None:
        known: int | None = self.__dict__.get("dimension", self._asked_dimension)
        return known

    def _body(self, texts: Sequence[str]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "input": list(texts),
            "encoding_format": "float",
        }
        if self._asked_dimension is not None:
            body["dimensions"] = self._asked_dimension
        return body


def most_tokens(text: str) -> int:
    """Return a number of tokens that no tokenizer in use exceeds: one for each byte.

    Of the text or of its compatible form (NFKC), which is what some tokenizers read.

    >>> most_tokens("cat"), most_tokens("é"), most_tokens("ﷺ")
    (6, 5, 36)
    """
    forms = (text, unicodedata.normalize("NFKC", text))
    return _MARKS + max(len(form.encode("utf-8", "surrogatepass")) for form in forms)


def vectors_from(answer: Any, count: int, dimension: int | None) -> Vectors:
    """Return the rows of an endpoint's answer in the order asked, scaled to unit length.

    The answer's own `index` decides the order. Numbers may be a list, or base64 of float32.
    Raises BadVectorsError for anything else.

    >>> rows = [{"index": 1, "embedding": [0, 2]}, {"index": 0, "embedding": [1, 0]}]
    >>> vectors_from({"data": rows}, 2, 2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    try:
        rows = {int(row["index"]): _numbers(row["embedding"]) for row in answer["data"]}
        told = len(answer["data"])
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        msg = f"The embedding endpoint answered no list of embeddings: {error!r}"
        raise BadVectorsError(msg) from error
    if told != count or rows.keys() != set(range(count)):
        msg = (
            f"The embedding endpoint answered {told} vectors, {len(rows)} of them numbered "
            f"differently, where 0 to {count - 1} were asked for."
        )
        raise BadVectorsError(msg)
    widths = {len(row) for row in rows.values()}
    wanted = dimension or min(widths)
    if widths != {wanted}:
        msg = (
            f"The embedding endpoint answered vectors of {sorted(widths)} numbers where {wanted} "
            "were asked for. Set `dimension` under [embedder] to what the model makes."
        )
        raise BadVectorsError(msg)
    return unit_length(np.stack([rows[at] for at in range(count)]), (count, wanted))


def _numbers(told: Any) -> Vector:
    if isinstance(told, str):
        return np.frombuffer(base64.b64decode(told, validate=True), dtype="<f4")
    row: Vector = np.array(told, dtype=np.float32)
    if row.ndim != 1:
        msg = f"an embedding of {row.ndim} dimensions"
        raise ValueError(msg)
    return row


def _url(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        msg = f"Not the address of an endpoint: {address!r}. Write it as https://HOST/v1."
        raise ValueError(msg)
    if parts.username or parts.password:
        msg = (
            f"The address of the endpoint at {parts.hostname!r} holds a user name or password, "
            "which would be shown in messages. Name a variable with the key instead."
        )
        raise ValueError(msg)
    return address.rstrip("/").removesuffix("/embeddings") + "/embeddings"
