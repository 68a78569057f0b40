"""Which experts of each layer stay when a model is pruned.

Knows scores, and what is lost with the experts that go. Does not know tensors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from qwen3_mlx.convert.routing import LayerRouting, Routing
from qwen3_mlx.convert.texts import TextFile
from qwen3_mlx.convert.writer import to_json
from qwen3_mlx.errors import UsageError
from qwen3_mlx.model import Qwen3Config

Method = Literal["reap", "frequency"]
METHODS: tuple[Method, ...] = get_args(Method)

SCORES: Mapping[Method, Callable[[LayerRouting], Sequence[float]]] = {
    "reap": lambda layer: layer.saliency,
    "frequency": lambda layer: layer.load,
}
DIGITS = 6


@dataclass(frozen=True)
class PrunedLayer:
    """What becomes of the experts of one layer.

    Attributes:
        layer: Its number, from 0.
        kept: The experts that stay, by their old numbers, ascending.
        scores: Of all experts, before.
        load: How many tokens of the text each expert got, before.
    """

    layer: int
    kept: tuple[int, ...]
    scores: tuple[float, ...]
    load: tuple[int, ...]

    @property
    def kept_score(self) -> float:
        """Part of the sum of all scores that stays."""
        return _share(self.scores, self.kept)

    @property
    def kept_load(self) -> float:
        """Part of the load that went to experts that stay."""
        return _share(self.load, self.kept)

    def as_data(self) -> dict[str, object]:
        """As `pruning.json` has it."""
        return {
            "layer": self.layer,
            "kept": self.kept,
            "kept_score": _short(self.kept_score),
            "kept_load": _short(self.kept_load),
            "scores": list(map(_short, self.scores)),
            "load": self.load,
        }


@dataclass(frozen=True)
class Pruning:
    """A pruned model.

    Attributes:
        folder: Where it is.
        method: What its experts were chosen by.
        text: What they were chosen on.
        routing: What the routers of the whole model did with that.
        layers: What became of each sparse layer.
    """

    folder: Path
    method: Method
    text: TextFile
    routing: Routing
    layers: tuple[PrunedLayer, ...]

    @property
    def kept(self) -> dict[int, tuple[int, ...]]:
        """The experts that stay, by layer."""
        return {layer.layer: layer.kept for layer in self.layers}

    @property
    def sha256(self) -> str:
        """Of which experts stay."""
        return hashlib.sha256(
            to_json({str(n): kept for n, kept in self.kept.items()}).encode()
        ).hexdigest()


def _share(values: Sequence[float], kept: Sequence[int]) -> float:
    total = sum(values)
    return sum(values[expert] for expert in kept) / total if total else 1.0


def _short(number: float) -> float:
    return float(f"{number:.{DIGITS}g}")


def check_choice(keep: int, method: str, config: Qwen3Config) -> None:
    """Refuse what cannot be chosen.

    Raises:
        UsageError: There is no such method; or fewer experts would stay than each token goes
            through, or more than there are.
    """
    if method not in METHODS:
        raise UsageError(
            f"there is no method {method!r} to prune by", hint=f"Methods: {', '.join(METHODS)}."
        )
    least, most = config.num_experts_per_tok, config.num_experts
    if not least <= keep <= most:
        raise UsageError(
            f"{keep} experts of a layer cannot stay: each token goes through {least} of its {most}",
            hint=f"Keep {least} to {most}.",
        )


def choose(routing: Routing, keep: int, method: Method) -> tuple[PrunedLayer, ...]:
    """The experts with the largest scores in each layer; of equal ones the first stay.

    Args:
        routing: What the routers did with the calibration text.
        keep: How many stay.
        method: `reap` for the mean contribution to a token, `frequency` for the load.
    """
    return tuple(_chosen(layer, keep, SCORES[method](layer)) for layer in routing.layers)


def _chosen(layer: LayerRouting, keep: int, scores: Sequence[float]) -> PrunedLayer:
    ranked = sorted(range(len(scores)), key=lambda expert: -scores[expert])
    return PrunedLayer(layer.layer, tuple(sorted(ranked[:keep])), tuple(scores), layer.load)


def note_on(routing: Routing, keep: int) -> str | None:
    """What a person should know of a text that is too short to choose by; None if it is not."""
    doubtful = sum(layer.unused > routing.experts - keep for layer in routing.layers)
    if not doubtful:
        return None
    return (
        f"in {doubtful} of {len(routing.layers)} layers more experts got none of the "
        f"{routing.tokens} tokens than are removed: nothing tells which of them should stay, and a "
        "longer text would"
    )
