"""Running a layer at a time gives what the whole network gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import mlx.core as mx
import pytest
from mlx.nn.layers.activations import log_softmax

from qwen3_mlx.checkpoint.load import load_checkpoint
from qwen3_mlx.convert import convert, outputs, verify

if TYPE_CHECKING:
    from tests.convert.conftest import Checkpoint

KINDS: dict[str, dict[str, object]] = {
    "experts": {},
    "dense": {"model_type": "qwen3"},
    "tied": {"tie_word_embeddings": True},
}


class Bytes:
    """A tokenizer whose ids are bytes."""

    def encode(self, text: str) -> list[int]:
        return list(text.encode())


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_are_those_of_the_whole_networks(
    make_checkpoint: Callable[..., Checkpoint],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    monkeypatch.setattr(outputs, "load_tokenizer", lambda folder: Bytes())
    source = make_checkpoint(KINDS[kind]).save(tmp_path / "source")
    folder = convert(source, tmp_path / "out")
    found = verify(source, folder).outputs
    prompts = [mx.array([[i for i in prompt.encode() if i < 96]]) for prompt in outputs.PROMPTS]
    first, second = (
        mx.concatenate([log_softmax(model(ids)[0]) for ids in prompts if ids.size])
        for model in (load_checkpoint(path, dtype=mx.float32).model for path in (source, folder))
    )
    kl = (mx.exp(first) * (first - second)).sum(axis=-1).mean()
    assert found.tokens == first.shape[0] > 20
    assert found.kl == pytest.approx(float(kl.item().real), rel=0.01)
    assert f"the KL divergence from the source is {found.kl:g}" in (
        folder / "README.md"
    ).read_text().replace("\n", " ")


def test_without_a_tokenizer_nothing_is_run(moe: Checkpoint, tmp_path: Path) -> None:
    source = moe.save(tmp_path / "source")
    found = verify(source, convert(source, tmp_path / "out")).outputs
    assert found.kl is None
    assert "tokenizer" in found.reason


def test_what_does_not_fit_is_not_run(
    moe: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "machine_memory", lambda: 1000)
    source = moe.save(tmp_path / "source")
    assert "memory" in verify(source, convert(source, tmp_path / "out")).outputs.reason
