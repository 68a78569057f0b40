"""The published figures of Qwen3-0.6B-Base, wherever its weights are at hand.

Source: transformers, ``tests/models/qwen3/test_modeling_qwen3.py``.
"""

from __future__ import annotations

import os
from pathlib import Path

import mlx.core as mx
import pytest
from huggingface_hub import snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError

from qwen3_mlx.checkpoint.load import load_checkpoint
from qwen3_mlx.model import Qwen3, make_cache
from qwen3_mlx.text.tokenizer import load_tokenizer

pytestmark = pytest.mark.real_weights

REPOSITORY = "Qwen/Qwen3-0.6B-Base"
IDS = [1, 306, 4658, 278, 6593, 310, 2834, 338]
MEANS = [-1.4577, 1.3261, 3.8498, 3.4229, 2.9009, 1.8813, 2.1530, 2.1431]
FIRST_LOGITS = (
    "5.9062 6.0938 5.5625 3.8594 2.6094 1.9531 4.3125 4.9375 3.8906 3.1094 3.6719 5.1562 6.9062 "
    "5.7500 5.4062 7.0625 8.7500 8.7500 8.1250 7.9375 8.0625 7.5312 7.3750 7.2188 7.2500 5.8750 "
    "2.8750 4.3438 2.3438 2.2500"
)


@pytest.fixture(scope="module")
def folder() -> Path:
    if named := os.environ.get("QWEN3_MLX_REAL_WEIGHTS"):
        return Path(named)
    try:
        return Path(snapshot_download(REPOSITORY, local_files_only=True))
    except LocalEntryNotFoundError:
        pytest.skip(f"{REPOSITORY} is not in the Hugging Face cache")


@pytest.fixture(scope="module")
def model(folder: Path) -> Qwen3:
    return load_checkpoint(folder).model


def greedy(model: Qwen3, ids: list[int], count: int) -> list[int]:
    cache, new = make_cache(model.config), [*ids]
    made: list[int] = []
    for _ in range(count):
        best = mx.argmax(model.last_logits(mx.array([new]), cache)).item()
        assert isinstance(best, int)
        made.append(best)
        new = [best]
    return made


def test_the_mean_logit_at_each_position(model: Qwen3) -> None:
    means = model(mx.array([IDS])).astype(mx.float32).mean(axis=-1)
    assert mx.allclose(means, mx.array([MEANS]), rtol=0.0, atol=1e-2)


def test_the_first_logits(model: Qwen3) -> None:
    published = mx.array([float(number) for number in FIRST_LOGITS.split()])
    logits = model(mx.array([IDS]))[0, 0, :30].astype(mx.float32)
    assert mx.allclose(logits, published, rtol=0.0, atol=0.1)


def test_greedy_text(model: Qwen3, folder: Path) -> None:
    tokenizer = load_tokenizer(folder)
    made = greedy(model, tokenizer.encode("My favourite condiment is "), 20)
    assert tokenizer.decode(made) == "100% plain, unflavoured, and unadulterated. It is"


def test_a_long_repetition_goes_on(model: Qwen3) -> None:
    assert greedy(model, [1] + [306, 338] * 2048, 2) == [306, 338]
