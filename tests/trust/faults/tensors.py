"""Faults of the tensors themselves: which there are, their shapes, types and numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mlx.core as mx

from tests.damage import NORM, Fault, config, save, spoil, weights
from tests.trust.faults.edits import Damage

PROJECTION = "model.layers.0.self_attn.q_proj"
EXPERTS = "model.layers.1.mlp.switch_mlp.up_proj"
NOT_FINITE = "not finite"


def replaced(name: str, make: Callable[[mx.array], mx.array]) -> Damage:
    return lambda folder: save(folder, {name: make(weights(folder)[name])})


def added(name: str, *shape: int) -> Damage:
    return lambda folder: save(folder, {name: mx.zeros(shape)})


def lost(name: str) -> Damage:
    return lambda folder: save(folder, {name: None})


def spoiled(name: str, number: float) -> Damage:
    return lambda folder: spoil(folder, name, number)


def renamed(name: str, other: str) -> Damage:
    return lambda folder: save(folder, {name: None, other: weights(folder)[name]})


def whole(folder: Path) -> None:
    """A projection with its weights whole, as its scales say that they are not."""
    save(folder, {f"{PROJECTION}.weight": mx.zeros((128, 128))})


TENSORS: dict[str, Fault] = {
    "more layers than the file": (
        config(num_hidden_layers=1000),
        r"the tensor model\.layers\.4\.\S+ is missing",
    ),
    "a norm that is not there": (lost(NORM), f"the tensor {NORM} is missing"),
    "weights that are not there": (lost(f"{EXPERTS}.weight"), r"the tensor model\.layers\.1\.mlp"),
    "scales that are not there": (lost(f"{PROJECTION}.scales"), f"the tensor {PROJECTION}"),
    "biases that are not there": (lost(f"{PROJECTION}.biases"), f"the tensor {PROJECTION}"),
    "biases of another kind": (added(f"{PROJECTION}.bias", 128), f"'{PROJECTION}.bias' has no"),
    "a layer more": (added("model.layers.4.mlp.gate.weight", 1), "has no place"),
    "a name in capitals": (renamed(NORM, NORM.upper()), f"the tensor {NORM} is missing"),
    "a prefix that others have": (
        renamed(NORM, f"language_model.{NORM}"),
        f"the tensor {NORM} is missing",
    ),
    "a norm with an axis more": (
        replaced(NORM, lambda a: a[None]),
        rf"{NORM} has the shape \[1, 128\]",
    ),
    "a norm that is one number": (
        replaced(NORM, lambda a: a[:1].reshape(())),
        rf"{NORM} has the shape \[\]",
    ),
    "a norm of whole numbers": (
        replaced(NORM, lambda a: a.astype(mx.int16)),
        f"{NORM} .*I16",
    ),
    "packed weights as numbers": (
        replaced(f"{PROJECTION}.weight", lambda a: a.view(mx.float32)),
        f"{PROJECTION}.weight .*F32",
    ),
    "packed weights as signed ones": (
        replaced(f"{PROJECTION}.weight", lambda a: a.view(mx.int32)),
        f"{PROJECTION}.weight .*I32",
    ),
    "weights whole, scales there": (whole, f"{PROJECTION}.weight has the shape"),
    "scales of whole numbers": (
        replaced(f"{PROJECTION}.scales", lambda a: a.astype(mx.uint8)),
        f"{PROJECTION}.scales .*U8",
    ),
    "scales turned round": (
        replaced(f"{PROJECTION}.scales", lambda a: a.T),
        f"{PROJECTION}.scales has the shape",
    ),
    "an expert less": (
        replaced(f"{EXPERTS}.weight", lambda a: a[:127]),
        f"{EXPERTS}.weight has the shape",
    ),
    "an output layer that nothing uses": (added("lm_head.weight", 1600, 128), "ignored"),
    "an output layer that does not fit": (
        added("lm_head.weight", 1600, 64),
        r"lm_head\.weight has the shape",
    ),
    "frequencies that nothing uses": (added("model.rotary_emb.inv_freq", 16), "ignored"),
    "frequencies that do not fit": (
        added("model.rotary_emb.inv_freq", 17),
        "inv_freq has the shape",
    ),
    "no number in a norm": (spoiled(NORM, float("nan")), NOT_FINITE),
    "infinity in a norm": (spoiled(NORM, float("inf")), NOT_FINITE),
    "no number in the scales": (spoiled(f"{PROJECTION}.scales", float("nan")), NOT_FINITE),
    "infinity in the biases": (spoiled(f"{PROJECTION}.biases", float("-inf")), NOT_FINITE),
}

PLAUSIBLE: dict[str, Fault] = {
    "a norm of zeros": (replaced(NORM, mx.zeros_like), "is not the file"),
    "scales of the other sign": (
        replaced(f"{PROJECTION}.scales", lambda a: -a),
        "is not the file",
    ),
    "experts in another order": (
        replaced(f"{EXPERTS}.weight", lambda a: a[::-1]),
        "is not the file",
    ),
}
