"""Every kind of file from strangers that is read here: a sound one, and how it is read.

Knows a model's own files, and reads with each reader as far as the program does before it acts on
a file. What else is read is in the modules `parsed_*` beside this one. Does not know how files go
wrong.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest import mock

import mlx.core as mx

from qwen3_mlx.bundled import bundled_path
from qwen3_mlx.checkpoint.header import read_header
from qwen3_mlx.checkpoint.prompt_file import read_block, read_ids
from qwen3_mlx.checkpoint.quantization import Quantization
from qwen3_mlx.checkpoint.reader import INDEX, model_tensors, read_json
from qwen3_mlx.checkpoint.recorded import check_recorded
from qwen3_mlx.convert.manifest import read_manifest
from qwen3_mlx.generation.defaults import read_defaults
from qwen3_mlx.model import Qwen3Config
from qwen3_mlx.text import unknown_template
from qwen3_mlx.text.files import read_object
from qwen3_mlx.text.template import load_template
from qwen3_mlx.text.tokenizer import load_tokenizer
from tests.checkpoint.prompts import LAYOUT, files, save, store_in
from tests.trust import file_seeds
from tests.trust.parsed_own import own
from tests.trust.parsed_sources import sources
from tests.trust.parsed_words import words
from tests.trust.target import Target, target

TINY = bundled_path("tiny")
IDS = [1, 2, 3]
MOST_IDS = 1000
"""Ids of a tokenizer that are turned into text: all that a sound one here has, and more."""


def targets(folder: Path) -> dict[str, Target]:
    """All kinds, by name; the files that belong to them are put into the folder."""
    kinds = (_weights, _text, _numbers, own, sources, words)
    return {name: target for made in kinds for name, target in made(folder).items()}


def _weights(folder: Path) -> dict[str, Target]:
    sharded = folder / "sharded"
    sharded.mkdir()
    for name in ("one", "two"):
        mx.save_safetensors(str(sharded / name), {f"{name}.weight": mx.zeros((2, 3))})
    places = {f"{name}.weight": f"{name}.safetensors" for name in ("one", "two")}
    index = json.dumps({"metadata": {"total_size": 48}, "weight_map": places}).encode()
    saved = folder / "saved"
    save(store_in(saved), IDS)
    (block,) = files(saved)
    return {
        "header": target(folder / "h.safetensors", read_header, file_seeds.safetensors()),
        "index": target(sharded / INDEX, lambda path: model_tensors(path.parent), index),
        "cache": target(block, _read_cache, block.read_bytes()),
    }


def _read_cache(path: Path) -> None:
    read_ids(path, LAYOUT, LAYOUT.identity)
    read_block(path, LAYOUT, LAYOUT.identity)


def _text(folder: Path) -> dict[str, Target]:
    tokenizer, pieces = json.dumps(file_seeds.tokenizer()).encode(), file_seeds.sentencepiece()
    for name in ("named", "written", "told"):
        target(folder / name / "tokenizer.json", _read_tokenizer, tokenizer)
    target(folder / "listed" / "tokenizer.model", _read_tokenizer, pieces)
    written = folder / "written" / "chat_template.jinja"
    return {
        "tokenizer": target(folder / "alone" / "tokenizer.json", _read_tokenizer, tokenizer),
        "tokenizer config": target(
            folder / "named" / "tokenizer_config.json",
            _read_template,
            *file_seeds.tokenizer_configs(),
        ),
        "sentencepiece": target(folder / "pieces" / "tokenizer.model", _read_tokenizer, pieces),
        "sentencepiece config": target(
            folder / "listed" / "tokenizer_config.json",
            _read_tokenizer,
            file_seeds.sentencepiece_config(),
        ),
        "template": target(written, _read_template, (TINY / written.name).read_bytes()),
    }


def _read_tokenizer(path: Path) -> None:
    tokenizer = load_tokenizer(path.parent, vocab_size=2**20)
    tokenizer.decode(tokenizer.encode("Say <think> é 👩 2+2"))
    tokenizer.decode([*range(min(tokenizer.vocab_size, MOST_IDS))])


def _read_template(path: Path) -> None:
    """Without running it, which has an attack of its own."""
    with mock.patch.object(unknown_template, "render_in_sandbox", _rendered):
        load_template(path.parent, load_tokenizer(path.parent))


def _rendered(_name: str, _template: str, renders: list[dict[str, Any]]) -> list[str]:
    """What a simple template would write."""
    return [f"<|im_start|>{render['messages'][-1]['content']}" for render in renders]


def _numbers(folder: Path) -> dict[str, Target]:
    ends = {"eos_token_id": [258, 260]}
    told = {"do_sample": True, "top_k": 20, "temperature": 0.6} | ends
    defaults = json.loads((TINY / "generation_config.json").read_bytes()) | ends
    manifest = json.loads((TINY / "conversion.json").read_bytes())
    recorded = file_seeds.recorded(folder / "recorded")
    return {
        "config": target(folder / "config.json", _read_network, *file_seeds.configs()),
        "generation config": target(
            folder / "told" / "generation_config.json",
            _read_defaults,
            *file_seeds.written(told, defaults),
        ),
        "manifest": target(
            folder / "recorded" / "conversion.json",
            _read_manifest,
            *file_seeds.written(manifest | recorded),
        ),
    }


def _read_network(path: Path) -> None:
    raw = read_json(path)
    Qwen3Config.from_hf(raw)
    Quantization.from_hf(raw)


def _read_defaults(path: Path) -> None:
    raw = read_object(path)
    for family in ("hybrid", "instruct"):
        read_defaults(raw, "hybrid" if family == "hybrid" else "instruct", budget=None)
    load_tokenizer(path.parent)


def _read_manifest(path: Path) -> None:
    read_manifest(path.parent)
    check_recorded(path.parent)
