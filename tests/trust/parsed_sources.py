"""What a conversion reads, and what comes from the Hub.

Knows packed models, GGUF, recipes, texts and ledgers, and reads a few numbers of every tensor.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from unittest import mock

import mlx.core as mx

from qwen3_mlx.checkpoint.hub import list_downloaded
from qwen3_mlx.checkpoint.layout import expected_tensors
from qwen3_mlx.checkpoint.repository import Repository
from qwen3_mlx.convert.ledger import LEDGER, Ledger
from qwen3_mlx.convert.manifest import summary
from qwen3_mlx.convert.recipe_file import read_recipe
from qwen3_mlx.convert.sources import Rows
from qwen3_mlx.convert.sources.find import open_source
from qwen3_mlx.convert.texts import read_text_file
from tests.convert.gguf_files import write_gguf
from tests.fake_hub import COMMIT
from tests.trust import file_seeds, packed_seeds
from tests.trust.target import Target, target

FEW = 2
"""Rows of each tensor that are read."""

SHARD = b"numbers"
JOB = "a job"


def sources(folder: Path) -> dict[str, Target]:
    """These kinds of files, by name."""
    return _packed(folder) | _conversion(folder) | _hub(folder)


def _packed(folder: Path) -> dict[str, Target]:
    made: dict[str, Target] = {}
    for form in packed_seeds.FORMS:
        config, weights = packed_seeds.packed(form)
        for part in ("config", "weights"):
            place = folder / f"{form} {part}"
            target(place / "tokenizer.json", _read_source, b"{}")
            of_config = target(place / "config.json", _read_source, config)
            of_weights = target(place / "model.safetensors", _read_source, weights)
            made[f"{form} {part}"] = of_config if part == "config" else of_weights
    return made


def _read_source(path: Path) -> None:
    source = open_source(path if path.suffix == ".gguf" else path.parent)
    source.companions()
    for name in expected_tensors(source.config, {}):
        for rows in source.rows(name):
            stop = min(rows.start + FEW, rows.stop)
            mx.eval(source.read(Rows(rows.tensor, rows.start, stop)))


def _conversion(folder: Path) -> dict[str, Target]:
    gguf = write_gguf(folder / "seed", file_seeds.DENSE, file_seeds.arrays(), "Q8_0")
    ledger = file_seeds.ledger(JOB, hashlib.sha256(SHARD).hexdigest())
    return {
        "gguf": target(folder / "m.gguf", _read_source, gguf.read_bytes()),
        "recipe": target(folder / "recipe.toml", read_recipe, file_seeds.RECIPE),
        "texts": target(folder / "texts.jsonl", read_text_file, file_seeds.TEXTS),
        "ledger": target(folder / "unfinished" / LEDGER, _read_ledger, ledger),
    }


def _read_ledger(path: Path) -> None:
    path.with_name("model.safetensors").write_bytes(SHARD)
    ledger = Ledger.open(path.parent, JOB)
    ledger.check_source(ledger.source)
    json.dumps(ledger.digests)
    summary(ledger.checks, None)


def _hub(folder: Path) -> dict[str, Target]:
    made = {"hub listing": target(folder / "listing.json", _read_listing, file_seeds.listing())}
    for part in ("config", "reference"):
        model = folder / f"hub {part}" / "models--a--b"
        config = target(
            model / "snapshots" / COMMIT / "config.json", _read_config, *file_seeds.configs()
        )
        reference = target(model / "refs" / "main", _read_reference, COMMIT.encode())
        made[f"hub {part}"] = config if part == "config" else reference
    return made


def _read_listing(path: Path) -> None:
    """As the Hub's answer to the question which files there are."""
    import httpx2
    from huggingface_hub import hf_api

    def answer(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=path.read_bytes())

    client = httpx2.Client(transport=httpx2.MockTransport(answer))
    with client, mock.patch.object(hf_api, "get_session", return_value=client):
        found = Repository("a/b")
    sum(file.nbytes for file in found.files.values())


def _read_config(path: Path) -> None:
    _list_cache(path.parents[3])


def _read_reference(path: Path) -> None:
    _list_cache(path.parents[2])


def _list_cache(cache: Path) -> None:
    from huggingface_hub import constants

    with mock.patch.object(constants, "HF_HUB_CACHE", str(cache)):
        list_downloaded()
