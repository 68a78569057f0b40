"""Small models as other programs pack them: a config and a file of weights, in each form.

Knows the names, shapes and types of each form. All numbers are zero.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import mlx.core as mx

from tests.trust import file_seeds

GROUP = 32
Arrays = dict[str, mx.array]


def awq(path: str, height: int, width: int) -> Arrays:
    """Eight columns a word, transposed."""
    return {
        f"{path}.qweight": mx.zeros((width, height // 8), mx.int32),
        f"{path}.qzeros": mx.zeros((width // GROUP, height // 8), mx.int32),
        f"{path}.scales": mx.zeros((width // GROUP, height), mx.float16),
    }


def gptq(path: str, height: int, width: int) -> Arrays:
    """Eight rows a word, transposed."""
    return {
        f"{path}.qweight": mx.zeros((width // 8, height), mx.int32),
        f"{path}.qzeros": mx.zeros((width // GROUP, height // 8), mx.int32),
        f"{path}.scales": mx.zeros((width // GROUP, height), mx.float16),
        f"{path}.g_idx": mx.zeros((width,), mx.int32),
    }


def fp8(path: str, height: int, width: int) -> Arrays:
    """A byte each, and one scale for all."""
    return {
        f"{path}.weight": mx.zeros((height, width), mx.uint8),
        f"{path}.weight_scale_inv": mx.zeros((1, 1), mx.bfloat16),
    }


def mlx(path: str, height: int, width: int) -> Arrays:
    """Eight columns a word."""
    parts = mx.quantize(mx.zeros((height, width)), GROUP, 4)
    names = ("weight", "scales", "biases")
    return {f"{path}.{name}": part for name, part in zip(names, parts, strict=True)}


AWQ = {"quant_method": "awq", "bits": 4, "group_size": GROUP, "version": "gemm", "zero_point": True}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": GROUP, "desc_act": True, "sym": False}
FP8 = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128]}
MLX = {"group_size": GROUP, "bits": 4, "mode": "affine"}

FORMS: Mapping[str, tuple[Callable[[str, int, int], Arrays], dict[str, object]]] = {
    "AWQ": (awq, {"quantization_config": AWQ}),
    "GPTQ": (gptq, {"quantization_config": GPTQ}),
    "FP8": (fp8, {"quantization_config": FP8}),
    "MLX": (mlx, {"quantization": MLX, "quantization_config": MLX}),
}


@cache
def packed(form: str) -> tuple[bytes, bytes]:
    """`config.json` and `model.safetensors`."""
    pack, settings = FORMS[form]
    arrays: Arrays = {}
    for name, array in file_seeds.arrays().items():
        packs = "_proj." in name or (form == "MLX" and array.ndim == 2)
        path = name.removesuffix(".weight")
        arrays |= pack(path, *array.shape) if packs else {name: array.astype(mx.bfloat16)}
    return json.dumps(file_seeds.DENSE | settings).encode(), _file(arrays, form)


def _file(arrays: Arrays, form: str) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        mx.save_safetensors(str(path), arrays, {"format": "pt"})
        data = path.read_bytes()
    stop = 8 + int.from_bytes(data[:8], "little")
    header = data[8:stop].replace(b'"U8"', b'"F8_E4M3"') if form == "FP8" else data[8:stop]
    return len(header).to_bytes(8, "little") + header + data[stop:]
