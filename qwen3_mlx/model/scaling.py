"""How rotary positions are stretched past the length a model was trained on.

Knows what Hugging Face's ``rope_scaling`` and ``rope_parameters`` mean and which kinds are
implemented. Does not compute rotations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from qwen3_mlx.errors import UnsupportedModelError
from qwen3_mlx.model.fields import Fields

MAX_FACTOR = 128.0
MAX_POSITIONS = 2**26

_COMMON = {"rope_type", "type", "rope_theta", "partial_rotary_factor"}
_KNOWN = {
    "default": _COMMON,
    "linear": _COMMON | {"factor"},
    "yarn": _COMMON
    | {"factor", "original_max_position_embeddings", "attention_factor", "beta_fast", "beta_slow"}
    | {"mscale", "mscale_all_dim", "truncate"},
}


@dataclass(frozen=True)
class RopeScaling:
    """Stretched rotary positions, every default filled in.

    Attributes:
        rope_type: ``linear`` divides all frequencies by the factor; ``yarn`` only the slow ones.
        factor: How many times longer than the original.
        original_max_position_embeddings: Positions the model was trained on.
        attention_factor: Multiplies rotated queries and keys alike (yarn).
        beta_fast: Rotations within the original length above which a frequency is kept (yarn).
        beta_slow: Rotations below which a frequency is divided by the factor (yarn).
        truncate: Whether the border dimensions are rounded to whole numbers (yarn).
        fixed: Whether the file gives ``attention_factor`` itself, whatever the factor (yarn).
        mscale: With ``mscale_all_dim``, what it follows from; 0 for the paper's formula (yarn).
        mscale_all_dim: As ``mscale``.
    """

    rope_type: Literal["linear", "yarn"]
    factor: float
    original_max_position_embeddings: int
    attention_factor: float = 1.0
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    truncate: bool = True
    fixed: bool = False
    mscale: float = 0.0
    mscale_all_dim: float = 0.0

    @classmethod
    def yarn(cls, factor: float, original: int) -> RopeScaling:
        """YaRN (arXiv 2309.00071) with the defaults of the paper and of Hugging Face."""
        return cls("yarn", factor, original, attention_factor=yarn_mscale(factor))

    def stretched(self, factor: float) -> RopeScaling:
        """The same kind of YaRN with another factor, and the temperature that goes with it.

        As in Hugging Face, a temperature that the file gives itself stays.
        """
        follows = _temperature(factor, self.mscale, self.mscale_all_dim)
        attention_factor = self.attention_factor if self.fixed else follows
        return replace(self, factor=factor, attention_factor=attention_factor)

    @property
    def length(self) -> int:
        """Positions that the stretched rotation covers."""
        return int(self.factor * self.original_max_position_embeddings)


def yarn_mscale(factor: float, mscale: float = 1.0) -> float:
    """The paper's attention temperature: ``0.1 * mscale * ln(factor) + 1``."""
    return 0.1 * mscale * math.log(factor) + 1.0


def read_scaling(fields: Fields, max_positions: int) -> RopeScaling | None:
    """Read one ``rope_scaling`` or ``rope_parameters`` object.

    Args:
        fields: The object; an empty one means no scaling.
        max_positions: ``max_position_embeddings``, the original length where none is given.

    Raises:
        UnsupportedModelError: A kind or an option that is not implemented.
        ModelFileError: A value of the wrong type or out of range.
    """
    rope_type = _rope_type(fields)
    _refuse_unknown(fields, rope_type)
    if rope_type == "default":
        return None
    factor = fields.number("factor", 1.0, MAX_FACTOR)
    if rope_type == "linear":
        return RopeScaling("linear", factor, max_positions)
    return _read_yarn(fields, factor, max_positions)


def _rope_type(fields: Fields) -> str:
    names = {fields.text(key) for key in ("rope_type", "type") if key in fields} or {"default"}
    if len(names) > 1:
        raise fields.wrong("rope_type", f"contradicts {fields.describe('type')}")
    return names.pop()


def _refuse_unknown(fields: Fields, rope_type: str) -> None:
    if rope_type not in _KNOWN:
        key = "rope_type" if "rope_type" in fields else "type"
        raise UnsupportedModelError(
            f"{fields.describe(key)} is not supported",
            hint=f"Supported rope types: {', '.join(_KNOWN)}.",
        )
    for name in sorted(fields.names() - _KNOWN[rope_type]):
        raise UnsupportedModelError(
            f"{fields.describe(name)} is not supported with rope type {rope_type!r}",
            hint="Remove the field if the model does not need it.",
        )
    refuse_partial_rotation(fields)


def refuse_partial_rotation(fields: Fields) -> None:
    """Qwen3 rotates whole heads.

    Raises:
        UnsupportedModelError: The field asks for less.
    """
    if fields.number("partial_rotary_factor", 0.0, 1.0, default=1.0) != 1.0:
        raise UnsupportedModelError(f"{fields.describe('partial_rotary_factor')} is not supported")


def _read_yarn(fields: Fields, factor: float, max_positions: int) -> RopeScaling:
    beta_slow = fields.number("beta_slow", 1e-3, 1e6, default=1.0)
    mscale = fields.number("mscale", 0.0, 1e3, default=0.0)
    mscale_all_dim = fields.number("mscale_all_dim", 0.0, 1e3, default=0.0)
    follows = _temperature(factor, mscale, mscale_all_dim)
    return RopeScaling(
        rope_type="yarn",
        factor=factor,
        original_max_position_embeddings=fields.integer(
            "original_max_position_embeddings", 1, MAX_POSITIONS, default=max_positions
        ),
        attention_factor=fields.number("attention_factor", 1e-3, 1e3, default=follows),
        beta_fast=fields.number("beta_fast", beta_slow, 1e6, default=32.0),
        beta_slow=beta_slow,
        truncate=fields.boolean("truncate", default=True),
        fixed="attention_factor" in fields,
        mscale=mscale,
        mscale_all_dim=mscale_all_dim,
    )


def _temperature(factor: float, mscale: float, mscale_all_dim: float) -> float:
    if mscale and mscale_all_dim:
        return yarn_mscale(factor, mscale) / yarn_mscale(factor, mscale_all_dim)
    return yarn_mscale(factor)
