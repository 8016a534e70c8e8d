"""A tiny random Llama behind SmolLM2's tokenizer: every path of training, none of the skill."""

import shutil
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from training.files import folder_digest
from training.records import BaseModel

_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
)


def tiny_base(like: BaseModel, folder: Path, *, seed: int = 7, hidden: int = 32) -> BaseModel:
    """Write a model of two layers and return it; only the tokenizer is that of `like`.

    Another seed is another base model, with another digest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in _TOKENIZER_FILES:
        if (like.folder / name).is_file():
            shutil.copyfile(like.folder / name, folder / name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = LlamaConfig(
            vocab_size=49_152,
            hidden_size=hidden,
            intermediate_size=2 * hidden,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=2_048,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=2,
            tie_word_embeddings=True,
        )
        LlamaForCausalLM(config).save_pretrained(folder)
    return BaseModel(f"tiny-{seed}", folder, folder_digest(folder))
