"""A model folder into a network.

Knows the order: check everything against everything, then build, then read. Does not know where
folders come from, nor text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import mlx.core as mx
from mlx.nn.layers.quantized import quantize

from qwen3_mlx.checkpoint.expert_files import ExpertFiles
from qwen3_mlx.checkpoint.expert_streaming import stream_experts
from qwen3_mlx.checkpoint.header import TensorInfo
from qwen3_mlx.checkpoint.layout import (
    FLOATS,
    ExpectedTensor,
    expected_tensors,
    ignorable_tensors,
    is_expert_tensor,
    module_specs,
)
from qwen3_mlx.checkpoint.origins import Origin, check_tensor, find_origin
from qwen3_mlx.checkpoint.quantization import Quantization, QuantSpec
from qwen3_mlx.checkpoint.reader import model_tensors, read_json, resolve_inside
from qwen3_mlx.errors import ModelFileError, UsageError, shown
from qwen3_mlx.model import Qwen3, Qwen3Config
from qwen3_mlx.model.device import on_gpu

CONFIG = "config.json"
COMPUTE_DTYPES = (mx.float32, mx.float16, mx.bfloat16)


@dataclass(frozen=True)
class LoadedModel:
    """A network with its weights in memory.

    Attributes:
        config: As the model runs, with YaRN turned on where a context asked for it.
        quantization: How the weights are rounded; None if they are whole.
        raw_config: ``config.json`` as it stands.
    """

    model: Qwen3
    config: Qwen3Config
    quantization: Quantization | None
    raw_config: dict[str, object]


@dataclass(frozen=True)
class Checkpoint:
    """A model folder whose config and headers have been found to agree; no number is read yet.

    Attributes:
        config: The network, as ``config.json`` describes it.
        quantization: How the weights are rounded; None if they are whole.
        specs: The modules that are quantized.
        origins: Where each tensor of the network is.
        tensors: What the files hold, by name.
        raw_config: ``config.json`` as it stands.
    """

    config: Qwen3Config
    quantization: Quantization | None
    specs: Mapping[str, QuantSpec]
    origins: Mapping[str, Origin]
    tensors: Mapping[str, TensorInfo]
    raw_config: dict[str, object]

    def nbytes(self, dtype: mx.Dtype | None = None, *, expert_slots: int | None = None) -> int:
        """Memory that the weights take once loaded, in bytes; arguments as for :meth:`load`."""
        slots = self.config.num_experts if expert_slots is None else expert_slots
        rest = self._nbytes(self.origins.keys() - self._expert_origins, dtype)
        return rest + slots * self.expert_nbytes(dtype)

    def expert_nbytes(self, dtype: mx.Dtype | None = None) -> int:
        """Memory of one expert of each layer, in bytes; 0 for a dense model."""
        return self._nbytes(self._expert_origins, dtype) // max(1, self.config.num_experts)

    def load(
        self,
        *,
        dtype: mx.Dtype | None = None,
        context: int | None = None,
        expert_slots: int | None = None,
    ) -> LoadedModel:
        """Build the network and read its weights; see :func:`load_checkpoint`.

        Args:
            dtype: What to compute in.
            context: Tokens of context wanted.
            expert_slots: How many experts of each layer are in memory at a time, the others being
                read when they are needed; None or as many as there are: all, read now.
        """
        cast = compute_dtype(dtype)
        config = self.config if context is None else self.config.with_context(context)
        model, origins = _build(config, self.specs), self.origins
        if expert_slots is not None and expert_slots < config.num_experts:
            files = ExpertFiles(self._expert_origins, self.tensors)
            stream_experts(model, self.specs, files, slots=expert_slots, cast=cast)
            origins = {n: o for n, o in origins.items() if n not in self._expert_origins}
        model.load_weights(list(self._weights(origins, cast)))
        _read_in_steps(model)
        return LoadedModel(model, config, self.quantization, self.raw_config)

    @property
    def _expert_origins(self) -> dict[str, Origin]:
        return {name: origin for name, origin in self.origins.items() if is_expert_tensor(name)}

    def _nbytes(self, names: Iterable[str], dtype: mx.Dtype | None) -> int:
        used = _used({name: self.origins[name] for name in names})
        return sum(_loaded_bytes(self.tensors[name], compute_dtype(dtype)) for name in used)

    def _weights(
        self, origins: Mapping[str, Origin], cast: mx.Dtype | None
    ) -> Iterator[tuple[str, mx.array]]:
        arrays: dict[str, mx.array] = {}
        for file in {info.file for info in self.tensors.values()}:
            arrays |= _lazy_arrays(file)
        for name, origin in origins.items():
            yield name, _cast(origin.gather(arrays), cast)


def load_checkpoint(
    directory: Path, *, dtype: mx.Dtype | None = None, context: int | None = None
) -> LoadedModel:
    """Load the model in a folder, in MLX's format or as Hugging Face publishes it.

    Args:
        directory: A folder with ``config.json`` and safetensors files.
        dtype: What to compute in. None means float32 on the CPU, where MLX's half-precision
            kernels are slow and inexact, and the checkpoint's own types on a GPU.
        context: Tokens of context wanted; beyond the native length YaRN is turned on.

    Raises:
        UnsupportedModelError: The files ask for something that is not implemented.
        ModelFileError: They are damaged, incomplete or contradict each other.
        UsageError: Such a dtype or context is not possible.
    """
    return open_checkpoint(directory).load(dtype=dtype, context=context)


def open_checkpoint(directory: Path) -> Checkpoint:
    """Check a model folder without building anything or reading a number.

    Python code that ``config.json`` may name (``auto_map``, ``model_file``) is not looked at.

    Raises:
        UnsupportedModelError: The files ask for something that is not implemented.
        ModelFileError: They are damaged, incomplete or contradict each other.
    """
    raw = read_json(resolve_inside(directory, CONFIG))
    config, quantization = Qwen3Config.from_hf(raw), Quantization.from_hf(raw)
    tensors = model_tensors(directory)
    specs = module_specs(config, quantization, tensors)
    origins = place_tensors(directory, config, expected_tensors(config, specs), tensors)
    return Checkpoint(config, quantization, specs, origins, tensors, raw)


def place_tensors(
    where: Path,
    config: Qwen3Config,
    expected: Mapping[str, ExpectedTensor],
    tensors: Mapping[str, TensorInfo],
) -> dict[str, Origin]:
    """Where each tensor of a network is among a checkpoint's, none of which may be left over.

    Args:
        where: What the checkpoint is called in error messages.
        config: The network.
        expected: Its tensors, as from :func:`~qwen3_mlx.checkpoint.layout.expected_tensors`.
        tensors: The checkpoint's.

    Raises:
        ModelFileError: A tensor is missing, of another shape or type, or has no place.
    """
    origins = {name: find_origin(name, wanted, tensors) for name, wanted in expected.items()}
    _check_rest(where, config, origins, tensors)
    return origins


def compute_dtype(dtype: mx.Dtype | None) -> mx.Dtype | None:
    """What to cast weights to: ``dtype``, or the device's own choice; None leaves them alone.

    Raises:
        UsageError: Not a type to compute in.
    """
    if dtype is None:
        return None if on_gpu() else mx.float32
    if dtype not in COMPUTE_DTYPES:
        raise UsageError(
            f"a model cannot compute in {dtype}",
            hint="Use float32, float16 or bfloat16 of mlx.core.",
        )
    return dtype


def _check_rest(
    where: Path,
    config: Qwen3Config,
    origins: Mapping[str, Origin],
    tensors: Mapping[str, TensorInfo],
) -> None:
    """What the network does not use must be known to be useless."""
    ignorable = ignorable_tensors(config)
    for name in sorted(tensors.keys() - _used(origins)):
        if name not in ignorable:
            raise ModelFileError(
                f"{where}: the tensor {shown(name)} has no place in the model that "
                f"{CONFIG} describes",
                hint="The files belong to different models, or to a kind that is not supported.",
            )
        check_tensor(name, ignorable[name], tensors)


def _used(origins: Mapping[str, Origin]) -> set[str]:
    return {name for origin in origins.values() for name in origin.names}


def _loaded_bytes(info: TensorInfo, cast: mx.Dtype | None) -> int:
    if cast is None or info.dtype not in FLOATS:
        return info.nbytes
    return math.prod(info.shape) * cast.size


def _build(config: Qwen3Config, specs: Mapping[str, QuantSpec]) -> Qwen3:
    """A network of the right shapes; its random weights are never computed."""
    model = Qwen3(config)

    def parameters(path: str, _: object) -> dict[str, object] | bool:
        spec = specs.get(path)
        return asdict(spec) if spec else False

    quantize(model, class_predicate=parameters)
    return model


def _lazy_arrays(file: Path) -> dict[str, mx.array]:
    # The files of the Hugging Face cache have no suffix that MLX could go by.
    arrays = mx.load(str(file), format="safetensors")
    if not isinstance(arrays, dict):
        raise ModelFileError(f"{file} is no safetensors file")
    return arrays


def _cast(array: mx.array, dtype: mx.Dtype | None) -> mx.array:
    """Numbers to ``dtype``; packed weights and 8-bit scales stay as they are."""
    if dtype is None or not mx.issubdtype(array.dtype, mx.floating):
        return array
    return array.astype(dtype)


def _read_in_steps(model: Qwen3) -> None:
    """Read layer by layer, so that what is stacked or cast is in memory twice for one only."""
    for layer in model.model.layers:
        mx.eval(layer.parameters())  # type: ignore[no-untyped-call]
    mx.eval(model.parameters())  # type: ignore[no-untyped-call]
