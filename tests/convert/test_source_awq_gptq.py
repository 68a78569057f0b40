"""AWQ and GPTQ: integers packed by hand, in the published layouts."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import mlx.core as mx
import pytest

from qwen3_mlx.checkpoint.header import read_header
from qwen3_mlx.convert import convert
from qwen3_mlx.convert.sources import Rows, open_source
from qwen3_mlx.convert.sources.gptq import gptq_tensors
from qwen3_mlx.errors import ModelFileError, NonFiniteError
from qwen3_mlx.model.fields import Fields

if TYPE_CHECKING:
    from tests.convert.conftest import Checkpoint

GROUP = 32
AWQ = {"quant_method": "awq", "bits": 4, "group_size": GROUP, "version": "gemm", "zero_point": True}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": GROUP, "desc_act": False, "sym": False}
UP = "model.layers.0.mlp.experts.3.up_proj"
Matrix = list[list[int]]


@dataclass
class Packed:
    """A matrix as integers: codes [outputs][inputs], zeros and scales [outputs][groups]."""

    codes: Matrix
    zeros: Matrix
    scales: mx.array
    group_of: list[int]

    def numbers(self) -> mx.array:
        """What it stands for, one number at a time."""
        scales = self.scales.astype(mx.float32)
        rows = [
            [code - zeros[g] for code, g in zip(codes, self.group_of, strict=True)]
            for codes, zeros in zip(self.codes, self.zeros, strict=True)
        ]
        return mx.array(rows, mx.float32) * scales[:, mx.array(self.group_of)]


def draw(seed: int, shape: tuple[int, int], bits: int, *, shuffled: bool = False) -> Packed:
    """Random integers, each zero point from 1 up, as AutoGPTQ can store them."""
    rng = random.Random(seed)
    outputs, inputs = shape
    groups = inputs // GROUP
    group_of = [column // GROUP for column in range(inputs)]
    if shuffled:
        rng.shuffle(group_of)
    codes = [[rng.randrange(2**bits) for _ in range(inputs)] for _ in range(outputs)]
    zeros = [[rng.randrange(1, 2**bits + 1) for _ in range(groups)] for _ in range(outputs)]
    scales = mx.random.uniform(1e-3, 1e-2, (outputs, groups), key=mx.random.key(seed))
    return Packed(codes, zeros, scales.astype(mx.float16), group_of)


def words(rows: list[list[int]]) -> mx.array:
    return mx.array(rows, mx.uint32).view(mx.int32)


def join(integers: list[int], bits: int) -> int:
    """One word, the first integer in its lowest bits."""
    return sum(integer << (bits * place) for place, integer in enumerate(integers))


def transposed(matrix: Matrix) -> Matrix:
    return [list(column) for column in zip(*matrix, strict=True)]


def awq_words(matrix: Matrix) -> mx.array:
    """[n, outputs / 8]: in each word the columns 0, 2, 4, 6, 1, 3, 5, 7 of its eight."""
    order = (0, 2, 4, 6, 1, 3, 5, 7)
    return words(
        [
            [join([row[at + place] for place in order], 4) for at in range(0, len(row), 8)]
            for row in transposed(matrix)
        ]
    )


def awq_parts(packed: Packed) -> dict[str, mx.array]:
    zeros = [[zero - 1 for zero in row] for row in packed.zeros]
    packed.zeros = zeros  # AWQ has zero points from 0 to 15, stored as they are
    scales = mx.contiguous(packed.scales.T)
    return {"qweight": awq_words(packed.codes), "qzeros": awq_words(zeros), "scales": scales}


def gptq_parts(packed: Packed, bits: int, offset: int, *, ordered: bool) -> dict[str, mx.array]:
    per = 32 // bits

    def in_order(row: list[int]) -> list[int]:
        return [join(row[at : at + per], bits) for at in range(0, len(row), per)]

    stored = [[zero - offset for zero in row] for row in packed.zeros]
    parts = {
        "qweight": words(transposed([in_order(row) for row in packed.codes])),
        "qzeros": words([in_order(row) for row in transposed(stored)]),
        "scales": mx.contiguous(packed.scales.T),
    }
    return parts if ordered else parts | {"g_idx": mx.array(packed.group_of, mx.int32)}


@dataclass
class PackedModel:
    config: dict[str, object]
    arrays: dict[str, mx.array]
    packed: dict[str, Packed]

    def save(self, folder: Path) -> Path:
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(self.config), "utf-8")
        (folder / "tokenizer.json").write_text("{}", "utf-8")
        mx.save_safetensors(str(folder / "model.safetensors"), self.arrays, {"format": "pt"})
        return folder


PartsOf = Callable[[Packed], dict[str, mx.array]]


@pytest.fixture
def pack(make_checkpoint: Callable[..., Checkpoint]) -> Callable[..., PackedModel]:
    """Builds a model with every projection packed by the function given."""

    def build(
        settings: dict[str, object], parts_of: PartsOf, bits: int = 4, *, shuffled: bool = False
    ) -> PackedModel:
        changes = {"num_hidden_layers": 1, "num_experts": 4, "hidden_size": 64, "head_dim": 16}
        checkpoint = make_checkpoint(changes | {"quantization_config": settings}, mx.float16)
        model = PackedModel(checkpoint.config, checkpoint.stored(), {})
        for seed, name in enumerate(sorted(name for name in model.arrays if "_proj." in name)):
            height, width = model.arrays.pop(name).shape
            packed = draw(seed, (height, width), bits, shuffled=shuffled)
            path = name.removesuffix(".weight")
            model.arrays |= {f"{path}.{part}": a for part, a in parts_of(packed).items()}
            model.packed[path] = packed
        return model

    return build


def check_numbers(model: PackedModel, folder: Path) -> None:
    """Every matrix as a whole, and rows that begin and end within a word."""
    source = open_source(folder)
    for path, packed in model.packed.items():
        numbers, name = packed.numbers(), f"{path}.weight"
        assert mx.array_equal(source.read(Rows(name, 0, len(numbers))), numbers)
        assert mx.array_equal(source.read(Rows(name, 5, 19)), numbers[5:19])
        assert source.dtype(name) == mx.float16


def test_awq(pack: Callable[..., PackedModel], tmp_path: Path) -> None:
    model = pack(AWQ, awq_parts)
    check_numbers(model, model.save(tmp_path / "source"))


def test_an_awq_word_worked_by_hand() -> None:
    """Columns 0 to 7 holding 0 to 7: the even ones in the low half, the odd in the high."""
    assert awq_words([[column] for column in range(8)])[0, 0].item() == 0x75316420


def by_hand(folder: Path, bits: int, parts: dict[str, mx.array]) -> list[list[float]]:
    """The rows of a lone matrix in a file of these parts, in two groups."""
    path = folder / "by-hand.safetensors"
    mx.save_safetensors(str(path), {f"m.{name}": array for name, array in parts.items()})
    settings = Fields({"bits": bits, "group_size": 16 // bits}, "config")
    matrix = gptq_tensors(settings, read_header(path))["m.weight"]
    return cast(list[list[float]], matrix.read(0, matrix.info.shape[0]).tolist())


def test_a_gptq_matrix_of_4_bits_worked_by_hand(tmp_path: Path) -> None:
    """Eight inputs and eight outputs. A hexadecimal digit is an integer, the last one the first.

    A word of `qweight` holds the eight inputs of one output, a word of `qzeros` one group's zero
    points of the eight outputs less one. A number is (code - zero point) * scale of its group.
    """
    rows = by_hand(
        tmp_path,
        4,
        {
            # Output 0: inputs 0, 1, ... 7; output 7: inputs 15, 14, ... 8; between them fives.
            "qweight": words([[0x76543210, *[0x55555555] * 6, 0x89ABCDEF]]),
            # Group 0: zero points 1 to 8; group 1: 8, and 3 for all but the first.
            "qzeros": words([[0x76543210], [0x22222227]]),
            "scales": mx.array([[0.5] * 8, [2.0] * 8], mx.float16),
            "g_idx": mx.array([1, 0, 0, 1, 1, 0, 1, 0], mx.int32),
        },
    )
    assert rows[0] == [
        (0 - 8) * 2,
        (1 - 1) * 0.5,
        (2 - 1) * 0.5,
        (3 - 8) * 2,
        (4 - 8) * 2,
        (5 - 1) * 0.5,
        (6 - 8) * 2,
        (7 - 1) * 0.5,
    ]
    for output in range(1, 7):
        first, second = (5 - (output + 1)) * 0.5, (5 - 3) * 2
        assert rows[output] == [second, first, first, second, second, first, second, first]
    assert rows[7] == [
        (15 - 3) * 2,
        (14 - 8) * 0.5,
        (13 - 8) * 0.5,
        (12 - 3) * 2,
        (11 - 3) * 2,
        (10 - 8) * 0.5,
        (9 - 3) * 2,
        (8 - 8) * 0.5,
    ]


def test_a_gptq_matrix_of_8_bits_worked_by_hand(tmp_path: Path) -> None:
    """Four inputs and four outputs: two hexadecimal digits are an integer, the last two the first.

    0xFF, 0x80, 0x40 and 0x02 are 255, 128, 64 and 2; stored zero points are one less than real.
    """
    rows = by_hand(
        tmp_path,
        8,
        {
            "qweight": words([[0xFF804002, 0x02FF8040, 0x4002FF80, 0x804002FF]]),
            "qzeros": words([[0xFE7F3F00], [0x7F7F7F7F]]),
            "scales": mx.array([[0.5, 1, 2, 4], [0.25, 0.25, 0.25, 0.25]], mx.float16),
            "g_idx": mx.array([0, 1, 1, 0], mx.int32),
        },
    )
    assert rows == [
        [(2 - 1) * 0.5, (64 - 128) * 0.25, (128 - 128) * 0.25, (255 - 1) * 0.5],
        [(64 - 64) * 1, (128 - 128) * 0.25, (255 - 128) * 0.25, (2 - 64) * 1],
        [(128 - 128) * 2, (255 - 128) * 0.25, (2 - 128) * 0.25, (64 - 128) * 2],
        [(255 - 255) * 4, (2 - 128) * 0.25, (64 - 128) * 0.25, (128 - 255) * 4],
    ]


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize(("form", "offset"), [("gptq", 1), ("gptq_v2", 0)])
@pytest.mark.parametrize("order", ["no g_idx", "g_idx", "act-order"])
def test_gptq(
    pack: Callable[..., PackedModel], tmp_path: Path, bits: int, form: str, offset: int, order: str
) -> None:
    def parts_of(packed: Packed) -> dict[str, mx.array]:
        if offset == 0:  # such files hold zero points up to 2^bits - 1
            packed.zeros = [[min(zero, 2**bits - 1) for zero in row] for row in packed.zeros]
        return gptq_parts(packed, bits, offset, ordered=order == "no g_idx")

    settings = GPTQ | {"bits": bits, "checkpoint_format": form}
    model = pack(settings, parts_of, bits, shuffled=order == "act-order")
    check_numbers(model, model.save(tmp_path / "source"))


def test_gptq_with_one_group(pack: Callable[..., PackedModel], tmp_path: Path) -> None:
    """A group size of -1: the single scale is the first of the groups' here."""

    def parts_of(packed: Packed) -> dict[str, mx.array]:
        packed.scales, packed.zeros = packed.scales[:, :1], [row[:1] for row in packed.zeros]
        packed.group_of = [0] * len(packed.group_of)
        return gptq_parts(packed, 4, 1, ordered=True)

    model = pack(GPTQ | {"group_size": -1}, parts_of)
    check_numbers(model, model.save(tmp_path / "source"))


def test_a_packed_model_converts(pack: Callable[..., PackedModel], tmp_path: Path) -> None:
    model = pack(AWQ, awq_parts)
    folder = convert(model.save(tmp_path / "source"), tmp_path / "out", "bf16")
    written = mx.load(str(folder / "model.safetensors"))
    assert isinstance(written, dict)
    up = written["model.layers.0.mlp.switch_mlp.up_proj.weight"][3]
    assert mx.array_equal(up, model.packed[UP].numbers().astype(mx.bfloat16))
    assert "quantization_config" not in json.loads((folder / "config.json").read_text("utf-8"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (AWQ | {"bits": 3}, "bits = 3"),
        (AWQ | {"version": "gemv"}, "version = 'gemv'"),
        (AWQ | {"zero_point": False}, "zero_point = False"),
        (GPTQ | {"bits": 3}, "bits = 3"),
        (GPTQ | {"checkpoint_format": "marlin"}, "checkpoint_format = 'marlin'"),
        (AWQ | {"group_size": 64}, r"qzeros has the shape"),
        (GPTQ | {"bits": 8}, r"the shape"),
    ],
)
def test_other_settings_are_refused(
    pack: Callable[..., PackedModel], tmp_path: Path, settings: dict[str, object], message: str
) -> None:
    def parts_of(packed: Packed) -> dict[str, mx.array]:
        if settings["quant_method"] == "awq":
            return awq_parts(packed)
        return gptq_parts(packed, 4, 1, ordered=True)

    folder = pack(settings, parts_of).save(tmp_path / "source")
    with pytest.raises(ModelFileError, match=message) as caught:
        convert(folder, tmp_path / "out")
    assert caught.value.exit_code == 5
    assert not (tmp_path / "out").exists()


def test_missing_zero_points_are_refused(pack: Callable[..., PackedModel], tmp_path: Path) -> None:
    model = pack(AWQ, awq_parts)
    del model.arrays[f"{UP}.qzeros"]
    with pytest.raises(ModelFileError, match=rf"{UP}\.qzeros is missing"):
        open_source(model.save(tmp_path / "source"))


def test_groups_that_are_not_there_are_refused(
    pack: Callable[..., PackedModel], tmp_path: Path
) -> None:
    model = pack(GPTQ, lambda packed: gptq_parts(packed, 4, 1, ordered=False))
    model.arrays[f"{UP}.g_idx"] = mx.full((64,), 2, mx.int32)
    with pytest.raises(ModelFileError, match=rf"{UP}\.g_idx names groups"):
        convert(model.save(tmp_path / "source"), tmp_path / "out")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("settings", [AWQ, GPTQ])
def test_scales_that_are_no_numbers_are_refused_by_name(
    pack: Callable[..., PackedModel], tmp_path: Path, settings: dict[str, object], bad: float
) -> None:
    def parts_of(packed: Packed) -> dict[str, mx.array]:
        return awq_parts(packed) if settings is AWQ else gptq_parts(packed, 4, 1, ordered=True)

    model = pack(settings, parts_of)
    model.arrays[f"{UP}.scales"][0, 5] = bad
    folder = model.save(tmp_path / "source")
    with pytest.raises(NonFiniteError, match=rf"{UP}\.weight"):
        convert(folder, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [folder]
