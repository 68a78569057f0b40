"""Networks whose sizes can be worked out by hand."""

from __future__ import annotations

import pytest

from qwen3_mlx.model import Qwen3Config


@pytest.fixture
def dense() -> Qwen3Config:
    """Two layers of width 64, 4 heads of 32, 2 key-value heads, an MLP of 128."""
    return make_config()


@pytest.fixture
def sparse() -> Qwen3Config:
    """The same with 16 experts of width 32, of which a token goes through 2."""
    return make_config(
        model_type="qwen3_moe",
        num_experts=16,
        num_experts_per_tok=2,
        moe_intermediate_size=32,
    )


def make_config(**changes: object) -> Qwen3Config:
    """A small network, with changes."""
    values: dict[str, object] = {
        "model_type": "qwen3",
        "vocab_size": 100,
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "intermediate_size": 128,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1e6,
        "max_position_embeddings": 40960,
    }
    return Qwen3Config(**(values | changes))  # type: ignore[arg-type]
