"""Texts on which engines are compared and timed: many kinds, from nothing to over the window."""

from itertools import cycle, islice

_SENTENCES = (
    "Install the package with pip, then restart the service to load the new configuration.",
    "In 2019 the committee raised the limit from 3.5 % to 4.25 %, effective 1 January 2020.",
    "def area(radius: float) -> float:\n    return math.pi * radius ** 2  # in m²\n",
    "Die Größe des Übungsraums beträgt 48 m²; für Gäste stehen Stühle bereit.",
    "She hadn't heard the news, so the phone call came as a complete surprise.",
    "| name | type | default |\n|---|---|---|\n| timeout | seconds | 30 |",
    "Le café était déjà fermé quand nous sommes arrivés à l'hôtel.",
    "ERROR 2024-03-07T11:42:09Z worker[7]: connection to 10.0.0.12:5432 refused",
    "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen.",
    "東京は日本の首都で、世界最大級の都市圏です。",
    "Return the order within 30 days for a full refund; shipping is not refunded.",
    "SELECT name, COUNT(*) FROM orders WHERE total > 99.90 GROUP BY name;",
    "Москва является столицей России и крупнейшим городом страны.",
    "The cat sat on the mat. The dog, on the other hand, did not.",
    "curl -X POST -H 'Content-Type: application/json' -d '{\"id\": 17}' localhost:8080",
)
_ODD = (
    "",
    " ",
    "a",
    "?",
    "\n\n\t",
    "A" * 300,
    "🙂🙃 ok 🚀",
    "e\u0301 \u200b x",
    "1234567890 " * 20,
)
_LONG = 8
_LONG_CHARACTERS = 800  # about the 256 tokens of a full chunk


def canary_texts(max_tokens: int) -> list[str]:
    """Return the texts for a model of this window; the last does not fit into it.

    >>> texts = canary_texts(256)
    >>> len(texts), min(map(len, texts)), max(map(len, texts)) > 256 * 6
    (33, 0, True)
    """
    long = [_prose(start, _LONG_CHARACTERS) for start in range(_LONG)]
    return [*_SENTENCES, *_ODD, *long, _prose(_LONG, max_tokens * 8)]


def _prose(start: int, characters: int) -> str:
    parts = islice(cycle(_SENTENCES), start, None)
    text = ""
    while len(text) < characters:
        text += next(parts) + " "
    return text[:characters]
