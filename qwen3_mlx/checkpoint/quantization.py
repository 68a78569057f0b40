"""How a checkpoint's weights were rounded, as mlx-lm writes it into ``config.json``.

Knows MLX's quantization modes and their sizes. Does not know which modules a network has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from qwen3_mlx.errors import ModelFileError, UnsupportedModelError
from qwen3_mlx.model.fields import Fields

Mode = Literal["affine", "mxfp4", "mxfp8", "nvfp4"]

# Bits and group sizes of each mode; the first of each is what the mode means when they are left
# out (mlx.core.quantize).
BITS: Mapping[Mode, tuple[int, ...]] = {
    "affine": (4, 2, 3, 5, 6, 8),
    "mxfp4": (4,),
    "mxfp8": (8,),
    "nvfp4": (4,),
}
GROUP_SIZES: Mapping[Mode, tuple[int, ...]] = {
    "affine": (64, 32, 128),
    "mxfp4": (32,),
    "mxfp8": (32,),
    "nvfp4": (16,),
}
SPEC_FIELDS = {"mode", "bits", "group_size"}

# The largest network has 800.
MAX_MODULES = 10_000


@dataclass(frozen=True)
class QuantSpec:
    """How one weight is rounded.

    Attributes:
        mode: MLX's name of the format.
        bits: Bits of one number, without its share of the scales.
        group_size: Numbers of a row that share a scale.
    """

    mode: Mode
    bits: int
    group_size: int


@dataclass(frozen=True)
class Quantization:
    """How all weights of a checkpoint are rounded.

    Attributes:
        default: The format of every weight that nothing else is said about and that has scales.
        overrides: The format of the modules named here; None leaves a module's weight whole.
    """

    default: QuantSpec
    overrides: Mapping[str, QuantSpec | None] = field(default_factory=dict)

    @classmethod
    def from_hf(cls, config: Mapping[str, object]) -> Quantization | None:
        """Read a parsed ``config.json``; None if nothing is quantized.

        ``quantization`` comes before ``quantization_config``, as in mlx-lm, which writes both.

        Raises:
            UnsupportedModelError: Another format than those mlx-lm writes, or an option that is
                not implemented.
            ModelFileError: A value of the wrong type.
        """
        fields = Fields(config, "config.json")
        if fields.boolean("quantize_activations", default=False):
            raise UnsupportedModelError(
                f"{fields.describe('quantize_activations')} is not supported"
            )
        for name in ("quantization", "quantization_config"):
            value = config.get(name)
            if fields.mapping(name).names() and isinstance(value, Mapping):
                return _read_quantization(value, fields.mapping(name))
        return None

    def spec(self, path: str, *, has_scales: bool) -> QuantSpec | None:
        """How the weight of the module at ``path`` is rounded; None if it is whole.

        Args:
            path: The module's name, such as ``model.layers.0.mlp.gate``.
            has_scales: Whether the checkpoint has scales for it: mlx-lm leaves weights whole that
                do not divide into groups, and names them nowhere.
        """
        return self.overrides.get(path, self.default if has_scales else None)


def _read_quantization(raw: Mapping[str, object], fields: Fields) -> Quantization:
    if "quant_method" in fields:
        raise UnsupportedModelError(
            f"{fields.describe('quant_method')} is not supported",
            hint="Get the model in MLX's format, for example from mlx-community.",
        )
    default, names = _read_spec(fields), fields.names() - SPEC_FIELDS
    if len(names) > MAX_MODULES:
        raise ModelFileError(
            f"config.json: quantization names {len(names)} modules, more than {MAX_MODULES}"
        )
    overrides = {name: _read_override(raw[name], fields, name, default) for name in sorted(names)}
    return Quantization(default, overrides)


def _read_override(
    value: object, fields: Fields, name: str, default: QuantSpec
) -> QuantSpec | None:
    if isinstance(value, bool):
        return default if value else None
    if isinstance(value, Mapping):
        return _read_layer(fields.mapping(name))
    raise UnsupportedModelError(f"{fields.describe(name)} is not supported")


def _read_layer(fields: Fields) -> QuantSpec:
    """What is left out has its mode's own default, not the checkpoint's: so mlx-lm reads it."""
    for name in sorted(fields.names() - SPEC_FIELDS):
        raise UnsupportedModelError(f"{fields.describe(name)} is not supported")
    return _read_spec(fields)


def _read_spec(fields: Fields) -> QuantSpec:
    mode = _read_mode(fields)
    return QuantSpec(
        mode, _choice(fields, "bits", BITS[mode]), _choice(fields, "group_size", GROUP_SIZES[mode])
    )


def _read_mode(fields: Fields) -> Mode:
    name = fields.text("mode", default="affine")
    for mode in BITS:
        if mode == name:
            return mode
    raise UnsupportedModelError(
        f"{fields.describe('mode')} is not supported", hint=f"Supported: {', '.join(BITS)}."
    )


def _choice(fields: Fields, name: str, choices: tuple[int, ...]) -> int:
    value = fields.integer(name, 0, 2**16, default=choices[0])
    if value not in choices:
        raise UnsupportedModelError(
            f"{fields.describe(name)} is not supported",
            hint=f"Supported in this mode: {', '.join(map(str, sorted(choices)))}.",
        )
    return value
