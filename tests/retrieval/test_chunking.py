"""Chunks: nothing is lost, nothing is too long, and an edit ripples little."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.chunking import MIN_MAX_TOKENS, chunk_document
from retrieval.parsing import parse
from retrieval.records import Chunk, Document, Section
from retrieval.token_estimate import approximate_tokens
from tests.retrieval.builders import HashingEmbedder, paragraph

count_words = HashingEmbedder().count_tokens


def count_characters(texts):
    """Count as a byte-level tokenizer might: white space counts, and a whole may exceed its parts.

    Joined, two letters that were ends of pieces cost one more.
    """
    return [2 + len(text) + len(re.findall(r"\w\w", text)) for text in texts]


def document_of(*sections: Section, uri: str = "a.md") -> Document:
    return Document(uri, "A", sections, "text/markdown", "d" * 64)


def chunks_of(*sections: Section, max_tokens: int = 40, uri: str = "a.md") -> tuple[Chunk, ...]:
    return chunk_document(document_of(*sections, uri=uri), count_words, max_tokens=max_tokens)


def squeezed(text: str) -> str:
    return "".join(text.split())


prose = st.text(
    st.one_of(
        st.sampled_from(list("abc def.\n!?。…\"')-#* \n\n\t")),
        st.characters(exclude_categories=["Cs", "Cc"]),
    ),
    max_size=600,
)
a_document = st.lists(
    st.builds(
        Section,
        st.lists(st.sampled_from(["Guide", "Install", "On a Mac"]), max_size=3).map(tuple),
        prose.filter(str.strip),
    ),
    min_size=1,
    max_size=4,
).map(lambda sections: document_of(*sections))


@pytest.mark.parametrize("count", [count_words, count_characters, approximate_tokens])
@given(document=a_document, max_tokens=st.integers(MIN_MAX_TOKENS + 30, 90))
@settings(max_examples=60, deadline=None)
def test_no_character_is_lost_and_no_chunk_is_too_long(count, document, max_tokens):
    chunks = chunk_document(document, count, max_tokens=max_tokens)

    assert squeezed("".join(chunk.text for chunk in chunks)) == squeezed(document.text)
    assert max(count([chunk.embedded_text for chunk in chunks])) <= max_tokens
    assert all(chunk.text.strip() for chunk in chunks)
    assert [chunk.ordinal for chunk in chunks] == list(range(len(chunks)))
    assert len({chunk.id for chunk in chunks}) == len(chunks)


def test_a_section_that_fits_is_one_chunk_exactly_as_written():
    chunks = chunks_of(Section(("Guide",), "one\n\n    code()\n\ntwo"))

    assert [chunk.text for chunk in chunks] == ["one\n\n    code()\n\ntwo"]
    assert chunks[0].embedded_text == "Guide\none\n\n    code()\n\ntwo"


def test_short_sections_are_never_merged_across_headings():
    chunks = chunks_of(Section(("A",), "a"), Section(("B",), "b"))

    assert [(chunk.headings, chunk.text) for chunk in chunks] == [(("A",), "a"), (("B",), "b")]


def test_a_chunk_that_fits_exactly_is_not_cut():
    text = " ".join("abcdef" for _ in range(38))

    assert len(chunks_of(Section((), text), max_tokens=40)) == 1
    assert len(chunks_of(Section((), text), max_tokens=39)) == 2


def test_long_sections_are_cut_between_paragraphs_where_they_can_be():
    paragraphs = [paragraph(f"p{at}", words=8) for at in range(12)]

    chunks = chunks_of(Section((), "\n\n".join(paragraphs)))

    assert len(chunks) > 2
    assert [part for chunk in chunks for part in chunk.text.split("\n\n")] == paragraphs


def test_a_long_paragraph_is_cut_between_sentences():
    sentences = [paragraph(f"s{at}", words=8) for at in range(12)]

    chunks = chunks_of(Section((), " ".join(sentences)))

    assert len(chunks) > 2
    assert all(chunk.text.endswith(".") for chunk in chunks)


def test_code_without_sentences_is_cut_between_lines():
    lines = [f"    call_{at}(first, second, third)" for at in range(20)]

    chunks = chunks_of(Section((), "\n".join(lines)))

    assert [line for chunk in chunks for line in chunk.text.split("\n")] == lines


def test_a_line_without_lines_is_cut_between_words():
    words = [f"word{at}" for at in range(100)]

    chunks = chunks_of(Section((), " ".join(words)))

    assert [word for chunk in chunks for word in chunk.text.split()] == words


def test_chunks_of_a_long_section_are_at_least_half_full_but_the_last():
    chunks = chunks_of(Section((), "\n\n".join(paragraph(f"p{at}", words=6) for at in range(60))))

    sizes = count_words([chunk.text for chunk in chunks])
    assert min(sizes[:-1]) >= 19


def test_an_edit_in_a_long_section_changes_few_chunks():
    paragraphs = [paragraph(f"p{at}", words=6) for at in range(300)]
    before = chunks_of(Section((), "\n\n".join(paragraphs)), max_tokens=64)
    known = {chunk.digest for chunk in before}

    fresh = []
    for at in range(0, 300, 10):
        edited = [*paragraphs[:at], paragraph("inserted"), *paragraphs[at:]]
        after = chunks_of(Section((), "\n\n".join(edited)), max_tokens=64)
        fresh.append(sum(chunk.digest not in known for chunk in after))

    assert len(before) > 40
    assert sum(fresh) / len(fresh) < 5
    assert max(fresh) <= 15


def test_an_inserted_paragraph_renumbers_no_id():
    paragraphs = [paragraph(f"p{at}", words=6) for at in range(100)]
    before = chunks_of(Section((), "\n\n".join(paragraphs)))

    after = chunks_of(Section((), "\n\n".join([paragraph("new"), *paragraphs])))

    assert len({chunk.id for chunk in before} - {chunk.id for chunk in after}) <= 5


def test_a_cut_between_paragraphs_is_preferred_to_one_between_sentences():
    for seed in range(20):
        first = paragraph(f"first {seed}", words=24)
        long = " ".join(paragraph(f"{seed} {at}", words=4) for at in range(20))

        chunks = chunks_of(Section((), f"{first}\n\n{long}"))

        assert chunks[0].text == first


def test_an_endless_word_is_cut_even_if_the_tokenizer_takes_it_for_one_token():
    lengths: list[int] = []

    def count_as_unknown(texts):
        lengths.extend(map(len, texts))
        return [3] * len(texts)

    chunks = chunk_document(
        document_of(Section((), "a" * 100_000)), count_as_unknown, max_tokens=32
    )

    assert squeezed("".join(chunk.text for chunk in chunks)) == "a" * 100_000
    assert max(len(chunk.text) for chunk in chunks) <= 32 * 8
    assert max(lengths) <= 32 * 8


def test_an_endless_word_is_cut_even_if_each_letter_takes_two_tokens():
    document = document_of(Section((), "a" * 1_000))

    chunks = chunk_document(document, count_characters, max_tokens=40)

    assert squeezed("".join(chunk.text for chunk in chunks)) == "a" * 1_000
    assert max(count_characters([chunk.text for chunk in chunks])) <= 40


def test_a_trail_of_headings_gives_way_to_the_text():
    trail = tuple(" ".join([name] * 10) for name in ("outer", "middle", "inner"))

    chunks = chunks_of(Section(trail, "\n\n".join(paragraph(f"p{at}") for at in range(6))))

    assert {chunk.headings for chunk in chunks} == {trail[2:]}


def test_a_heading_too_long_to_repeat_becomes_text():
    heading = " ".join(["heading"] * 15)

    chunks = chunks_of(Section((heading,), " ".join(["word"] * 60)))

    assert {chunk.headings for chunk in chunks} == {()}
    assert squeezed("".join(chunk.text for chunk in chunks)).startswith(squeezed(heading))


def test_equal_texts_have_equal_digests_and_different_ids():
    first, second = chunks_of(Section(("A",), "same"), Section(("A",), "same"))

    assert first.digest == second.digest
    assert first.id != second.id


def test_the_same_text_in_another_document_has_another_id():
    [here] = chunks_of(Section((), "same"), uri="a.md")
    [there] = chunks_of(Section((), "same"), uri="b.md")

    assert here.digest == there.digest
    assert here.id != there.id


def test_the_heading_is_part_of_the_digest_and_not_of_the_normal_digest():
    [one] = chunks_of(Section(("A",), "same"))
    [two] = chunks_of(Section(("B",), "same"))

    assert one.digest != two.digest
    assert one.normal_digest == two.normal_digest


def test_a_window_too_small_for_anything_is_an_error():
    with pytest.raises(ValueError, match="at least 16"):
        chunks_of(Section((), "text"), max_tokens=MIN_MAX_TOKENS - 1)


def test_what_parsing_makes_chunking_keeps():
    data = b"# Title\n\nIntro.\n\n## Part\n\n" + b"Sentence one. Sentence two.\n\n" * 40

    document = parse("a.md", data)
    chunks = chunk_document(document, approximate_tokens, max_tokens=64)

    assert squeezed("".join(chunk.text for chunk in chunks)) == squeezed(document.text)
    assert chunks[0].headings == ("Title",)
    assert {chunk.headings for chunk in chunks[1:]} == {("Title", "Part")}
