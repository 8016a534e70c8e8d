"""The parts of a corpus by the folders of its documents, and both models' means in each. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import takewhile
from urllib.parse import urlsplit

from training.weighing import RowScore, TopicScore

MOST_TOPICS = 10


def topic_scores(
    champion_texts: Sequence[RowScore],
    challenger_texts: Sequence[RowScore],
    champion_answers: Sequence[RowScore],
    challenger_answers: Sequence[RowScore],
) -> tuple[TopicScore, ...]:
    """Return the biggest ten topics, most rows first; none if all rows are of one.

    Champion's and challenger's rows are paired by position.
    """
    uris = [row.uri for row in (*champion_texts, *champion_answers)]
    topic_of = dict(zip(uris, topics(uris), strict=True))
    texts = _by_topic(topic_of, champion_texts, challenger_texts)
    answers = _by_topic(topic_of, champion_answers, challenger_answers)
    names = sorted(
        {*texts, *answers}, key=lambda name: (-len(texts[name]) - len(answers[name]), name)
    )
    if len(names) < 2:  # noqa: PLR2004 - one topic is the whole corpus
        return ()
    return tuple(_scored(name, texts[name], answers[name]) for name in names[:MOST_TOPICS])


def topics(uris: Sequence[str]) -> list[str]:
    """Return each document's topic: the first folder that not all share, or its own name.

    >>> topics(["docs/ref/a.md", "docs/ref/b.md", "docs/faq/c.md", "docs/d.md"])
    ['ref', 'ref', 'faq', 'd.md']
    """
    paths = [_path(uri) for uri in uris]
    folders = [path[:-1] for path in paths]
    level = sum(1 for _ in takewhile(_equal, zip(*folders, strict=False)))
    return [path[level] for path in paths]


def _path(uri: str) -> list[str]:
    parts = urlsplit(uri)
    place = f"{parts.netloc}/{parts.path}" if "://" in uri else uri
    return [part for part in place.split("/") if part] or [uri]


def _equal(names: Iterable[str]) -> bool:
    return len(set(names)) == 1


_Rows = list[tuple[RowScore, RowScore]]


def _by_topic(
    topic_of: dict[str, str], champion: Sequence[RowScore], challenger: Sequence[RowScore]
) -> defaultdict[str, _Rows]:
    found: defaultdict[str, _Rows] = defaultdict(list)
    for before, after in zip(champion, challenger, strict=True):
        found[topic_of[before.uri]].append((before, after))
    return found


def _scored(topic: str, texts: _Rows, answers: _Rows) -> TopicScore:
    return TopicScore(
        topic=topic,
        answers=len(answers),
        champion_f1=_mean([before.f1 or 0.0 for before, _ in answers]),
        challenger_f1=_mean([after.f1 or 0.0 for _, after in answers]),
        texts=len(texts),
        champion_bits=_mean([before.bits for before, _ in texts]),
        challenger_bits=_mean([after.bits for _, after in texts]),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
