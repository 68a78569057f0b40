"""From a path to a source.

Knows how to tell the formats apart, by what the config says and never by a file's name. Does not
know what is in them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from qwen3_mlx.checkpoint.header import TensorInfo
from qwen3_mlx.checkpoint.load import CONFIG
from qwen3_mlx.checkpoint.quantization import Quantization
from qwen3_mlx.checkpoint.reader import model_tensors, read_json, resolve_inside
from qwen3_mlx.convert.companions import read_companions
from qwen3_mlx.convert.sources.awq import awq_tensors
from qwen3_mlx.convert.sources.base import Source, Tensor
from qwen3_mlx.convert.sources.fp8 import fp8_tensors
from qwen3_mlx.convert.sources.gguf import open_gguf
from qwen3_mlx.convert.sources.gptq import gptq_tensors
from qwen3_mlx.convert.sources.mlx import TWICE_ROUNDED, mlx_tensors
from qwen3_mlx.convert.sources.model import ModelSource
from qwen3_mlx.convert.sources.safetensors import whole_tensors
from qwen3_mlx.errors import UnsupportedModelError
from qwen3_mlx.model import Qwen3Config
from qwen3_mlx.model.fields import Fields

QUANTIZATION_FIELDS = ("quantization", "quantization_config")
DTYPES = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}

Packing = Callable[[Fields, Mapping[str, TensorInfo]], dict[str, Tensor]]


def open_source(path: Path, take: Callable[[Path], None] | None = None) -> Source:
    """Open a model to convert, once its headers and config have been found to agree.

    Args:
        path: A folder in Hugging Face's format: bfloat16, float16, float32, Qwen's FP8, AWQ or
            GPTQ; or one that MLX has quantized. Or a GGUF file.
        take: Called with a file before numbers are read from it.

    Raises:
        UnsupportedModelError: It asks for something that is not implemented.
        ModelFileError: It is damaged, incomplete or contradicts itself.
    """
    if path.is_file():
        return open_gguf(path)
    raw = read_json(resolve_inside(path, CONFIG))
    infos = model_tensors(path)
    tensors, warnings = _tensors(raw, infos)
    return ModelSource(
        path,
        {name: value for name, value in raw.items() if name not in QUANTIZATION_FIELDS},
        tensors,
        files=tuple(sorted({info.file for info in infos.values()})),
        companions=partial(read_companions, path),
        warnings=warnings,
        take=take,
    )


def _tensors(
    raw: Mapping[str, object], infos: Mapping[str, TensorInfo]
) -> tuple[Mapping[str, Tensor], tuple[str, ...]]:
    """The tensors, and what to warn of."""
    fields = Fields(raw, CONFIG)
    settings, dtype = fields.mapping("quantization_config"), _dtype(fields)
    if "quant_method" in settings:
        return _packing(settings, dtype)(settings, infos), ()
    quantization = Quantization.from_hf(raw)
    if quantization is None:
        return whole_tensors(infos), ()
    config = Qwen3Config.from_hf(raw)
    return mlx_tensors(config, quantization, infos, dtype), (TWICE_ROUNDED,)


def _packing(settings: Fields, dtype: str) -> Packing:
    packings: Mapping[str, Packing] = {
        "fp8": partial(fp8_tensors, dtype=dtype),
        "awq": awq_tensors,
        "gptq": gptq_tensors,
    }
    packing = packings.get(settings.text("quant_method"))
    if packing is None:
        raise UnsupportedModelError(
            f"{settings.describe('quant_method')} is not supported",
            hint=f"Supported: {', '.join(packings)}, or weights that are not quantized.",
        )
    return packing


def _dtype(fields: Fields) -> str:
    """What numbers were in before they were packed; Qwen3 was trained in bfloat16."""
    names = (fields.text(name, default="") for name in ("torch_dtype", "dtype"))
    return next((DTYPES[name] for name in names if name in DTYPES), "BF16")
