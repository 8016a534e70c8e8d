"""Whatever is done to a folder, the index says what the folder says: checked against a dict."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.store import Index
from tests.retrieval.builders import KB, Corpus, HashingEmbedder

NAMES = ("a.md", "b.md", "sub/c.md", "sub/d.rst", "x' OR '1'='1.md", "caf%E9.txt", "n\nl.md")
TEXTS = (
    "alpha",
    "beta",
    "one\n\ntwo",
    "# H\n\nunder",
    "# H\n\nunder\n\n# H\n\nunder",
    "\U0001f600",
)

edits = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(NAMES), st.sampled_from(TEXTS)),
    st.tuples(st.just("delete"), st.sampled_from(NAMES)),
    st.tuples(st.just("move"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(st.just("copy"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
)


def apply_edit(model: dict[str, str], edit: tuple[str, ...]) -> None:
    kind, name, *rest = edit
    if kind == "write":
        model[name] = rest[0]
    elif name in model:
        text = model[name] if kind == "copy" else model.pop(name)
        if kind != "delete":
            model[rest[0]] = text


def words(text: str) -> list[str]:
    return text.replace("# H", "").split()


@given(st.lists(st.lists(edits, max_size=5), min_size=1, max_size=4))
@settings(max_examples=15, deadline=None)
def test_after_any_edits_the_index_says_what_the_folder_says(runs):
    with TemporaryDirectory() as folder:
        (Path(folder) / "source").mkdir()
        corpus = Corpus(
            Path(folder) / "source", Index(Path(folder) / "index", KB), HashingEmbedder()
        )
        corpus.write({"z.md": "always there"})
        corpus.refresh()
        model: dict[str, str] = {}
        for run in runs:
            before = dict(model)
            for edit in run:
                apply_edit(model, edit)
            corpus.delete(*(before.keys() - model.keys()))
            corpus.write({uri: text for uri, text in model.items() if before.get(uri) != text})
            versions = corpus.index.head()
            corpus.refresh()
            assert corpus.plan().changes_nothing
            assert (corpus.index.head() == versions) == (before == model)
        indexed = corpus.texts()
        assert indexed.pop("z.md") == "always there"
        assert {uri: words(text) for uri, text in indexed.items()} == {
            uri: words(text) for uri, text in model.items()
        }
