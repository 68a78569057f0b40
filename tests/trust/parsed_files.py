"""Every kind of file from strangers that is read here: a sound one, and how it is read.

Knows the readers, and reads with each as far as the program does before it acts on a file. Does
not know how files go wrong.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import mlx.core as mx

from qwen3_mlx.bundled import bundled_path
from qwen3_mlx.checkpoint.header import read_header
from qwen3_mlx.checkpoint.prompt_file import read_block, read_ids
from qwen3_mlx.checkpoint.quantization import Quantization
from qwen3_mlx.checkpoint.reader import INDEX, model_tensors, read_json
from qwen3_mlx.checkpoint.recorded import recorded_digests
from qwen3_mlx.cli import config, history, transcripts
from qwen3_mlx.cli.cover import covered_messages
from qwen3_mlx.cli.redact import Redaction
from qwen3_mlx.convert.manifest import is_learned, read_manifest
from qwen3_mlx.convert.recipe_file import read_recipe
from qwen3_mlx.convert.sources.find import open_source
from qwen3_mlx.convert.texts import read_text_file
from qwen3_mlx.evaluation.journal import open_journal
from qwen3_mlx.evaluation.saved import as_data, read_curve, setup_of, to_json
from qwen3_mlx.evaluation.tasks import read_tasks, task_path
from qwen3_mlx.generation.calibration_file import read_calibration, shipped_path
from qwen3_mlx.generation.defaults import read_defaults
from qwen3_mlx.model import Qwen3Config
from qwen3_mlx.text import unknown_template
from qwen3_mlx.text.files import read_object
from qwen3_mlx.text.qwen3_format import HYBRID
from qwen3_mlx.text.renderer import check_request
from qwen3_mlx.text.template import load_template
from qwen3_mlx.text.tokenizer import load_tokenizer
from qwen3_mlx.tools.mcp_config import read_config
from tests.checkpoint.prompts import LAYOUT, files, save, store_in
from tests.convert.gguf_files import write_gguf
from tests.trust import file_seeds

TINY = bundled_path("tiny")
IDS = [1, 2, 3]


@dataclass(frozen=True)
class Target:
    """A kind of file.

    Attributes:
        path: Where a file is put to be read.
        seeds: Sound files.
        read: Reads what is at the path.
    """

    path: Path
    seeds: tuple[bytes, ...]
    read: Callable[[], object]


def targets(folder: Path) -> dict[str, Target]:
    """All kinds, by name; the files that belong to them are put into the folder."""
    made = (_weights(folder), _text(folder), _numbers(folder), _own(folder), _conversion(folder))
    return {name: target for some in made for name, target in some.items()}


def _target(path: Path, read: Callable[[Path], object], *seeds: bytes) -> Target:
    path.parent.mkdir(parents=True, exist_ok=True)
    given = seeds or (path.read_bytes(),)
    path.write_bytes(given[0])
    return Target(path, given, lambda: read(path))


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
    gguf = write_gguf(folder / "seed.gguf", file_seeds.DENSE, file_seeds.arrays(), "Q8_0")
    return {
        "header": _target(folder / "h.safetensors", read_header, file_seeds.safetensors()),
        "index": _target(sharded / INDEX, lambda path: model_tensors(path.parent), index),
        "cache": _target(block, _read_cache),
        "gguf": _target(folder / "m.gguf", _read_gguf, gguf.read_bytes()),
    }


def _read_cache(path: Path) -> None:
    read_ids(path, LAYOUT, LAYOUT.identity)
    read_block(path, LAYOUT, LAYOUT.identity)


def _read_gguf(path: Path) -> None:
    open_source(path).companions()


def _text(folder: Path) -> dict[str, Target]:
    tokenizer = json.dumps(file_seeds.tokenizer()).encode()
    for name in ("named", "written"):
        _target(folder / name / "tokenizer.json", _read_tokenizer, tokenizer)
    config = folder / "named" / "tokenizer_config.json"
    template = folder / "written" / "chat_template.jinja"
    pieces = folder / "pieces" / "tokenizer.model"
    return {
        "tokenizer": _target(folder / "alone" / "tokenizer.json", _read_tokenizer, tokenizer),
        "tokenizer config": _target(config, _read_template, *file_seeds.tokenizer_configs()),
        "sentencepiece": _target(pieces, _read_tokenizer, file_seeds.sentencepiece()),
        "template": _target(template, _read_template, (TINY / template.name).read_bytes()),
    }


def _read_tokenizer(path: Path) -> None:
    tokenizer = load_tokenizer(path.parent, vocab_size=2**20)
    tokenizer.decode(tokenizer.encode("Say <think> é 👩 2+2"))


def _read_template(path: Path) -> None:
    """Without running it, which has an attack of its own."""
    with mock.patch.object(unknown_template, "render_in_sandbox", _rendered):
        load_template(path.parent, load_tokenizer(path.parent))


def _rendered(_name: str, _template: str, renders: list[dict[str, Any]]) -> list[str]:
    """What a simple template would write."""
    return [f"<|im_start|>{render['messages'][-1]['content']}" for render in renders]


def _numbers(folder: Path) -> dict[str, Target]:
    defaults = (TINY / "generation_config.json").read_bytes()
    told = json.dumps({"do_sample": True, "top_k": 20, "temperature": 0.6}).encode()
    manifest = (TINY / "conversion.json").read_bytes()
    return {
        "config": _target(folder / "config.json", _read_network, *file_seeds.configs()),
        "generation config": _target(
            folder / "generation_config.json", _read_defaults, told, defaults
        ),
        "manifest": _target(folder / "conversion.json", _read_manifest, manifest),
    }


def _read_network(path: Path) -> None:
    raw = read_json(path)
    Qwen3Config.from_hf(raw)
    Quantization.from_hf(raw)


def _read_defaults(path: Path) -> None:
    raw = read_object(path)
    for family in ("hybrid", "instruct"):
        read_defaults(raw, "hybrid" if family == "hybrid" else "instruct", budget=None)


def _read_manifest(path: Path) -> None:
    read_manifest(path.parent)
    is_learned(path.parent)
    recorded_digests(path.parent)
    recorded_digests(path.parent, "headers")


def _own(folder: Path) -> dict[str, Target]:
    """What the program writes itself, or a person for it; it may come from anybody."""
    state, settings = folder / "state" / "qwen3-mlx", folder / "config" / "qwen3-mlx"
    return {
        "transcript": _target(folder / "t.json", _read_transcript, file_seeds.transcript()),
        "history": _target(
            state / history.NAME, lambda path: history.TypedLines(path).entries, b'"a"\n"b\\nc"\n'
        ),
        "settings": _target(settings / "config.toml", _read_settings, file_seeds.SETTINGS),
        "MCP servers": _target(folder / "mcp.json", read_config, file_seeds.mcp()),
        "calibration": _target(
            folder / "calibration.json", read_calibration, shipped_path("tiny").read_bytes()
        ),
        "curve": _target(folder / "curve.json", _read_curve, to_json(file_seeds.curve()).encode()),
        "journal": _target(folder / "curve.partial", _read_journal, file_seeds.journal()),
        "tasks": _target(
            folder / "tasks.jsonl",
            read_tasks,
            b"\n".join(task_path("demo").read_bytes().split(b"\n")[:3]),
            *file_seeds.tasks(),
        ),
    }


def _read_transcript(path: Path) -> None:
    """Reads it, goes on with it, keeps it, and writes it down."""
    found = transcripts.load(path)
    kept = covered_messages(found.messages, Redaction(), private=False)
    copy = path.with_suffix(".copy")
    transcripts.save(transcripts.Transcript(found.model, found.budget, kept), copy)
    transcripts.export(kept, copy)
    messages = [*found.messages, {"role": "user", "content": "Go on"}]
    check_request(messages, ())  # type: ignore[arg-type]
    HYBRID.render(messages, thinking=True, tools=(), add_generation_prompt=True)  # type: ignore[arg-type]


def _read_settings(path: Path) -> None:
    with _environment(XDG_CONFIG_HOME=str(path.parents[1])):
        for stated in config.read_config():
            stated.value()


@contextmanager
def _environment(**changes: str) -> Iterator[None]:
    with mock.patch.dict(os.environ, changes):
        yield


def _read_curve(path: Path) -> None:
    found = read_curve(path)
    json.dumps(as_data(found))
    to_json(found)


def _read_journal(path: Path) -> None:
    setup = setup_of(asdict(file_seeds.curve().setup) | {"budgets": [0, 8]})
    with open_journal(path, setup):
        pass


def _conversion(folder: Path) -> dict[str, Target]:
    return {
        "recipe": _target(folder / "recipe.toml", read_recipe, file_seeds.RECIPE),
        "texts": _target(folder / "texts.jsonl", read_text_file, file_seeds.TEXTS),
    }
