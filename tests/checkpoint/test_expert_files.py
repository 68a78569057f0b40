"""Single experts out of a checkpoint's files: the right bytes, and what is said when they fail."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import mlx.core as mx
import pytest

from qwen3_mlx.checkpoint.expert_files import ExpertFiles, LayerExperts
from qwen3_mlx.checkpoint.load import open_checkpoint
from qwen3_mlx.errors import ModelFileError

if TYPE_CHECKING:
    from tests.checkpoint.conftest import Layouts, MakeWeights, Weights, WriteModel

Config = dict[str, object]
MODULE = "model.layers.1.mlp.switch_mlp"
NAMES = [f"{name}_proj.weight" for name in ("gate", "up", "down")]
SIZE = 64 * 64 * 4  # each of these tensors of an expert, in float32


def opened(folder: Path) -> ExpertFiles:
    checkpoint = open_checkpoint(folder)
    origins = {name: origin for name, origin in checkpoint.origins.items() if "switch" in name}
    return ExpertFiles(origins, checkpoint.tensors)


def read(experts: LayerExperts, *numbers: int) -> dict[int, dict[str, mx.array]]:
    """The tensors of these experts, as float32."""
    buffers = {number: {name: bytearray(SIZE) for name in NAMES} for number in numbers}
    experts.read({n: {name: memoryview(b) for name, b in of.items()} for n, of in buffers.items()})
    return {n: {name: numbers_in(b) for name, b in of.items()} for n, of in buffers.items()}


def numbers_in(data: bytearray) -> mx.array:
    return mx.array(memoryview(data)).view(mx.float32).reshape(64, 64)  # type: ignore[arg-type]


def assert_right(found: dict[int, dict[str, mx.array]], weights: Weights) -> None:
    for number, tensors in found.items():
        for name, array in tensors.items():
            assert mx.array_equal(array, weights[f"{MODULE}.{name}"][number])


@pytest.mark.parametrize("layout", ["stacked", "one by one", "in pairs"])
@pytest.mark.parametrize("dtype", [mx.float32, mx.bfloat16, mx.float16])
def test_every_expert_of_every_layout_and_type(
    moe: Config,
    make_weights: MakeWeights,
    write_model: WriteModel,
    layouts: Layouts,
    layout: str,
    dtype: mx.Dtype,
) -> None:
    weights = {name: array.astype(dtype) for name, array in make_weights(moe).items()}
    files = opened(write_model(moe, layouts[layout](weights)))
    assert_right(read(files.layer(MODULE, mx.float32), 3, 0, 2, 1), weights)
    assert files.layer(MODULE, None).dtype == dtype


def test_experts_one_by_one_in_several_files(
    moe: Config, make_weights: MakeWeights, write_model: WriteModel, layouts: Layouts
) -> None:
    weights = make_weights(moe)
    single = layouts["one by one"](weights)
    halves = [dict(list(single.items())[start::2]) for start in (0, 1)]
    files = opened(write_model(moe, *halves, index=True))
    assert_right(read(files.layer(MODULE, None), 0, 1, 2, 3), weights)


@pytest.fixture
def folder(moe: Config, make_weights: MakeWeights, write_model: WriteModel) -> Path:
    return write_model(moe, make_weights(moe))


def test_a_read_that_comes_in_parts_is_put_together(
    folder: Path, make_weights: MakeWeights, moe: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.preadv
    monkeypatch.setattr(os, "preadv", lambda fd, buffers, at: whole(fd, [buffers[0][:1000]], at))
    assert_right(read(opened(folder).layer(MODULE, None), 1, 2), make_weights(moe))


def test_a_disk_that_fails_is_named_and_later_reads_are_right(
    folder: Path, make_weights: MakeWeights, moe: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = opened(folder).layer(MODULE, None)

    def fail(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "preadv", fail)
        with pytest.raises(ModelFileError) as caught:
            read(layer, 1)
    assert caught.value.exit_code == 5
    assert caught.value.message == (
        f"{folder / 'model.safetensors'} cannot be read: Input/output error"
    )
    assert_right(read(layer, 1), make_weights(moe))


def test_bytes_that_are_not_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = opened(folder).layer(MODULE, None)
    monkeypatch.setattr(os, "preadv", lambda *_: 0)
    with pytest.raises(ModelFileError, match=r"cannot be read: it ends too early"):
        read(layer, 1)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def write_over(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(b"1234")


@pytest.mark.parametrize("change", [cut, write_over])
def test_a_file_that_changes_under_a_running_model(
    folder: Path, change: Callable[[Path], None]
) -> None:
    path = folder / "model.safetensors"
    os.utime(path, ns=(0, 10**18))
    layer = opened(folder).layer(MODULE, None)
    read(layer, 0)
    change(path)
    with pytest.raises(ModelFileError) as caught:
        read(layer, 1)
    assert caught.value.message == f"{path} has changed since the model was opened"
    assert caught.value.hint == "Load the model again."


def test_a_file_that_takes_the_name_of_another_is_not_looked_at(
    folder: Path, make_weights: MakeWeights, moe: Config
) -> None:
    layer = opened(folder).layer(MODULE, None)
    (folder / "new").write_bytes(b"something else")
    (folder / "new").rename(folder / "model.safetensors")
    assert_right(read(layer, 2), make_weights(moe))


@pytest.mark.parametrize(
    ("change", "said"),
    [(cut, "has changed since the model was opened"), (Path.unlink, "is missing")],
)
def test_a_file_that_is_not_what_its_header_said(
    folder: Path, change: Callable[[Path], None], said: str
) -> None:
    checkpoint = open_checkpoint(folder)
    change(folder / "model.safetensors")
    with pytest.raises(ModelFileError, match=said):
        checkpoint.load(expert_slots=2)
