"""Running a layer at a time gives what the whole network gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import pytest
from mlx.nn.layers.activations import log_softmax

from qwen3_mlx.checkpoint.load import load_checkpoint
from qwen3_mlx.convert import convert, outputs, streamed, verify

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
        mx.concatenate(
            [log_softmax(model(ids)[0, -outputs.COMPARED :]) for ids in prompts if ids.size]
        )
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


def test_how_much_is_read_at_a_time_makes_no_difference(
    make_checkpoint: Callable[..., Checkpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "load_tokenizer", lambda folder: Bytes())
    source = make_checkpoint({}).save(tmp_path / "source")
    folder = convert(source, tmp_path / "out")
    whole = verify(source, folder).outputs
    monkeypatch.setattr(streamed, "CHUNK_BYTES", 5 * 128 * 4)  # five rows of 128
    assert verify(source, folder).outputs == whole


def test_no_more_than_a_chunk_is_read_at_a_time(
    make_checkpoint: Callable[..., Checkpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    rows_of = streamed.chunks

    def watched(*args: Any) -> Iterator[mx.array]:
        for rows in rows_of(*args):
            read.append(rows.size * 4)
            yield rows

    monkeypatch.setattr(streamed, "chunks", watched)
    monkeypatch.setattr(streamed, "CHUNK_BYTES", 5 * 192 * 4)
    monkeypatch.setattr(outputs, "load_tokenizer", lambda folder: Bytes())
    source = make_checkpoint({}).save(tmp_path / "source")
    verify(source, convert(source, tmp_path / "out"))
    assert 0 < max(read) <= 5 * 192 * 4
