"""A real server on loopback that speaks OpenAI's shape, and everything it can do wrong."""

import base64
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest

from retrieval.embedders import lowest_cosine, probes, same_space
from retrieval.embedders.endpoint_calls import CircuitBreaker
from retrieval.embedders.openai_endpoint import EndpointEmbedder
from retrieval.errors import BadVectorsError, EmbedderUnreachableError
from tests.retrieval.builders import HashingEmbedder, paragraph

KEY = "sk-secret-17"
TEXTS = [paragraph(f"t{at}") for at in range(10)]


@dataclass
class Answer:
    """What the server does once: a status with a body, or a fault of the connection."""

    status: int = 200
    body: Callable[[dict[str, Any]], Any] | bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    drops: bool = False
    hangs: bool = False


def right(request: dict[str, Any]) -> dict[str, Any]:
    rows = HashingEmbedder().embed(request["input"])
    data = [{"index": at, "embedding": row.tolist()} for at, row in enumerate(rows)]
    return {"object": "list", "model": request["model"], "data": data}


def changed(change: Callable[[list[dict[str, Any]]], object]) -> Answer:
    """Return an answer whose list of embeddings was changed in place."""

    def body(request: dict[str, Any]) -> dict[str, Any]:
        answer = right(request)
        change(answer["data"])
        return answer

    return Answer(body=body)


class Endpoint(ThreadingHTTPServer):
    """Gives the answers in `next_answers` one by one, then `always`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.next_answers: list[Answer] = []
        self.always = Answer()
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.over = Event()
        self.slept: list[float] = []
        self.now = 0.0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def embedder(self, **named: Any) -> EndpointEmbedder:
        settings: dict[str, Any] = {
            "model": "m",
            "max_tokens": 512,
            "api_key": KEY,
            "breaker": CircuitBreaker(failures=3, clock=lambda: self.now),
            "sleep": self.slept.append,
        }
        return EndpointEmbedder(self.address, **settings | named)


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(request | {"path": self.path})
        self.server.keys.append(self.headers["Authorization"])
        answers = self.server.next_answers
        answer = answers.pop(0) if answers else self.server.always
        if answer.hangs:
            self.server.over.wait(30)
        if answer.drops or answer.hangs:
            self.close_connection = True
            return
        made = answer.body(request) if callable(answer.body) else answer.body
        told = made if isinstance(made, bytes) else json.dumps(made or right(request)).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the library's name
        """Say nothing."""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_vectors_are_the_servers_in_the_order_asked_by_batches(endpoint: Endpoint):
    told: list[tuple[int, int]] = []

    made = endpoint.embedder(batch=4).embed(
        TEXTS, on_progress=lambda done, of_all: told.append((done, of_all))
    )

    assert lowest_cosine(made, HashingEmbedder().embed(TEXTS)) > 0.99999
    assert [len(request["input"]) for request in endpoint.requests] == [4, 4, 2]
    assert told == [(4, 10), (8, 10), (10, 10)]
    assert set(endpoint.keys) == {f"Bearer {KEY}"}
    assert endpoint.requests[0]["path"] == "/v1/embeddings"


def test_the_index_decides_the_order_not_the_place(endpoint: Endpoint):
    endpoint.always = changed(lambda data: data.reverse())

    made = endpoint.embedder().embed(TEXTS)

    assert lowest_cosine(made, HashingEmbedder().embed(TEXTS)) > 0.99999


def test_base64_is_read_too(endpoint: Endpoint):
    def pack(data: list[dict[str, Any]]) -> None:
        for row in data:
            numbers = np.array(row["embedding"], dtype="<f4").tobytes()
            row["embedding"] = base64.b64encode(numbers).decode()

    endpoint.always = changed(pack)

    made = endpoint.embedder().embed(TEXTS)

    assert lowest_cosine(made, HashingEmbedder().embed(TEXTS)) > 0.99999


def set_first(value: Any) -> Answer:
    return changed(lambda data: data[0].update(embedding=value))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(changed(lambda data: data.pop()), id="one-too-few"),
        pytest.param(changed(lambda data: data.append(data[0])), id="one-twice"),
        pytest.param(changed(lambda data: data[0].update(index=1)), id="two-of-one-index"),
        pytest.param(changed(lambda data: data[0].update(index=-1)), id="index-below"),
        pytest.param(set_first([float("nan")] * 8), id="nan"),
        pytest.param(set_first([1e39] * 8), id="infinite-in-float32"),
        pytest.param(set_first([0.0] * 8), id="zero"),
        pytest.param(set_first([1.0] * 7), id="too-narrow"),
        pytest.param(set_first([]), id="nothing"),
        pytest.param(set_first([[1.0] * 8]), id="one-for-each-token"),
        pytest.param(set_first(["x"] * 8), id="no-numbers"),
        pytest.param(set_first("%%%"), id="no-base64"),
        pytest.param(set_first(None), id="null"),
        pytest.param(Answer(body=b"<html>hello"), id="no-json"),
        pytest.param(Answer(body=b"[1]"), id="a-list"),
        pytest.param(Answer(body=b'{"error": "overloaded"}'), id="an-error-with-status-200"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_an_answer_that_is_no_matrix_of_vectors_is_refused(answer: Answer, endpoint: Endpoint):
    endpoint.always = answer

    with pytest.raises(BadVectorsError):
        endpoint.embedder().embed(TEXTS)

    assert len(endpoint.requests) == 1


def test_a_width_other_than_asked_for_is_refused(endpoint: Endpoint):
    with pytest.raises(BadVectorsError, match=r"\[8\] numbers where 16"):
        endpoint.embedder(dimension=16).embed(TEXTS)

    assert endpoint.requests[0]["dimensions"] == 16


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Answer(429), id="too-many-requests"),
        pytest.param(Answer(500), id="error"),
        pytest.param(Answer(503), id="unavailable"),
        pytest.param(Answer(drops=True), id="dropped"),
    ],
)
def test_what_passes_is_tried_again_with_growing_waits(fault: Answer, endpoint: Endpoint):
    endpoint.next_answers = [fault, fault]

    made = endpoint.embedder().embed(TEXTS)

    assert lowest_cosine(made, HashingEmbedder().embed(TEXTS)) > 0.99999
    first, second = endpoint.slept
    assert 0.5 <= first <= 1.0 <= second <= 1.5


def test_a_server_that_hangs_is_left_after_the_timeout(endpoint: Endpoint):
    endpoint.next_answers = [Answer(hangs=True)]

    with pytest.raises(EmbedderUnreachableError, match="ReadTimeout"):
        endpoint.embedder(timeout_seconds=0.2, retry_seconds=0).embed(TEXTS)


def test_the_server_may_say_how_long_to_wait(endpoint: Endpoint):
    endpoint.next_answers = [Answer(429, headers={"Retry-After": "17"})]

    endpoint.embedder().embed(TEXTS)

    assert endpoint.slept == [17.0]


def test_the_budget_ends_the_trying(endpoint: Endpoint):
    endpoint.always = Answer(500, body=b"out of luck")

    with pytest.raises(EmbedderUnreachableError, match="status 500, 'out of luck'"):
        endpoint.embedder(retry_seconds=10).embed(TEXTS)

    assert len(endpoint.requests) == len(endpoint.slept) + 1
    assert 5 < sum(endpoint.slept) <= 10


def test_a_wait_beyond_the_budget_is_not_begun(endpoint: Endpoint):
    endpoint.always = Answer(429, headers={"Retry-After": "3600"})

    with pytest.raises(EmbedderUnreachableError):
        endpoint.embedder().embed(TEXTS)

    assert endpoint.slept == []


@pytest.mark.parametrize(
    ("status", "cure"),
    [(400, "`dimension`"), (401, "API key"), (404, "`address`"), (413, "`batch`"), (307, "")],
)
def test_what_stays_wrong_is_not_tried_again(status: int, cure: str, endpoint: Endpoint):
    endpoint.always = Answer(status, headers={"Location": "http://127.0.0.1:9/"})

    with pytest.raises(EmbedderUnreachableError, match=f"status {status}.*{cure}"):
        endpoint.embedder().embed(TEXTS)

    assert len(endpoint.requests) == 1


def test_after_failures_in_a_row_calls_fail_at_once_until_the_rest_is_over(endpoint: Endpoint):
    endpoint.always = Answer(500)
    embedder = endpoint.embedder(retry_seconds=10)
    with pytest.raises(EmbedderUnreachableError):
        embedder.embed(TEXTS)
    before = len(endpoint.requests)
    assert before >= 3

    endpoint.now = 59.0
    with pytest.raises(EmbedderUnreachableError, match="another 1 seconds"):
        embedder.embed(TEXTS)
    assert len(endpoint.requests) == before

    endpoint.now = 60.0
    endpoint.always = Answer()
    assert len(embedder.embed(TEXTS)) == len(TEXTS)


def test_a_trial_after_the_rest_that_fails_closes_again():
    now = [0.0]
    breaker = CircuitBreaker(failures=2, rest_seconds=10, clock=lambda: now[0])
    breaker.failed()
    assert breaker.rest_left() == 0
    breaker.failed()
    assert breaker.rest_left() == 10
    now[0] = 10.0
    assert breaker.rest_left() == 0
    breaker.failed()
    assert breaker.rest_left() == 10
    breaker.worked()
    assert breaker.rest_left() == 0


def test_the_key_is_in_no_message_no_log_and_no_repr(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
):
    endpoint.next_answers = [Answer(500, body=f"no: {KEY}".encode())]
    endpoint.always = Answer(401, body=f"Incorrect API key provided: {KEY}".encode())
    embedder = endpoint.embedder()

    with caplog.at_level(logging.DEBUG), pytest.raises(EmbedderUnreachableError) as refused:
        embedder.embed(TEXTS)

    assert "Incorrect API key" in str(refused.value)
    shown = f"{refused.value} {caplog.text} {embedder!r} {vars(embedder)!r}"
    assert KEY not in shown


def test_nobody_there_is_said_with_the_address(endpoint: Endpoint):
    embedder = endpoint.embedder(retry_seconds=1)
    endpoint.shutdown()
    endpoint.server_close()

    with pytest.raises(EmbedderUnreachableError, match="ConnectError") as refused:
        embedder.embed(TEXTS)

    assert endpoint.address in str(refused.value)


def test_the_fingerprint_is_of_what_is_asked_for_wherever_it_is(endpoint: Endpoint):
    one = endpoint.embedder()
    moved = EndpointEmbedder("https://elsewhere.example/v1/embeddings/", model="m", max_tokens=512)
    others = [
        endpoint.embedder(**change)
        for change in ({"model": "n"}, {"dimension": 8}, {"document_prompt": "passage: "})
    ]

    assert moved.fingerprint == one.fingerprint
    assert len({each.fingerprint for each in [one, *others]}) == 4
    assert endpoint.requests == []


def test_another_model_under_the_same_name_is_found_by_the_probes(endpoint: Endpoint):
    embedder = endpoint.embedder()
    before = probes(embedder)
    assert same_space(before, probes(embedder))

    endpoint.always = changed(lambda data: data[2].update(embedding=[1.0] * 8))

    assert not same_space(before, probes(embedder))


def test_the_width_is_learned_once_from_the_endpoint(endpoint: Endpoint):
    embedder = endpoint.embedder()

    assert (embedder.dimension, embedder.dimension) == (8, 8)
    assert len(endpoint.requests) == 1
    assert endpoint.embedder(dimension=8).dimension == 8
    assert len(endpoint.requests) == 1


def test_nothing_to_embed_asks_nothing(endpoint: Endpoint):
    assert endpoint.embedder(dimension=8).embed([]).shape == (0, 8)
    assert endpoint.requests == []


def test_documents_and_questions_get_their_prompts(endpoint: Endpoint):
    embedder = endpoint.embedder(document_prompt="passage: ", query_prompt="query: ")

    embedder.embed(["cats"])
    embedder.embed_query("cats")

    sent = [request["input"] for request in endpoint.requests]
    assert sent == [["passage: cats"], ["query: cats"]]


def test_without_a_tokenizer_no_text_has_more_tokens_than_counted(minilm, minilm_folder):
    texts = ["", "cat", "naïve ﷺ ﬁ", "東京🙂", "a1b2;" * 50, *TEXTS]
    blind = EndpointEmbedder("http://127.0.0.1:1/v1", model="m", max_tokens=256)
    told = EndpointEmbedder(
        "http://127.0.0.1:1/v1", model="m", max_tokens=256, tokenizer=minilm_folder
    )

    pairs = zip(blind.count_tokens(texts), minilm.count_tokens(texts), strict=True)

    assert all(bound >= exact for bound, exact in pairs)
    assert told.count_tokens(texts) == minilm.count_tokens(texts)


@pytest.mark.parametrize("address", ["host/v1", "ftp://host/v1", "https://", ""])
def test_what_is_no_address_is_refused_with_an_example(address: str):
    with pytest.raises(ValueError, match="https://HOST/v1"):
        EndpointEmbedder(address, model="m", max_tokens=512)


def test_an_address_with_a_password_is_refused_without_showing_it():
    with pytest.raises(ValueError, match="password") as refused:
        EndpointEmbedder("https://me:hush@host/v1", model="m", max_tokens=512)

    assert "hush" not in str(refused.value)
