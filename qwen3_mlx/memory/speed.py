"""How many tokens a second to expect: a model of what decoding waits for.

Knows bytes, bandwidths and layers. An estimate: nothing of it was measured on Metal here. Against
the runs in `chips.toml` that others published it is right within 15 %, but for 30B-A3B on an
M3 Max, where it says a third too much.
"""

from __future__ import annotations

from qwen3_mlx.memory.chips import Chip, read_table
from qwen3_mlx.memory.estimate import cache_bytes, expert_bytes
from qwen3_mlx.model import Qwen3Config


def token_bytes(
    config: Qwen3Config, weights: int, *, embedding: int, context: int, item_bytes: int
) -> int:
    """Bytes that are read from memory for one token.

    Args:
        config: The network.
        weights: Bytes of all weights.
        embedding: Those of an embedding that is not the head too, of which one row is read.
        context: Tokens in the cache, whose keys and values are read.
        item_bytes: Of each of their numbers.
    """
    experts = expert_bytes(config, weights)
    idle = experts - experts * config.num_experts_per_tok // max(1, config.num_experts)
    cache = cache_bytes(
        layers=config.num_hidden_layers,
        kv_heads=config.num_key_value_heads,
        head_dim=config.head_dim,
        tokens=context,
        item_bytes=item_bytes,
    )
    return weights - idle - embedding + cache


def decode_speed(config: Qwen3Config, chip: Chip, bytes_read: int) -> float:
    """Tokens a second of one conversation.

    Args:
        config: The network.
        chip: What it runs on.
        bytes_read: For each token, as from `token_bytes`.
    """
    known = read_table().efficiency
    sparse = sum(config.is_sparse(number) for number in range(config.num_hidden_layers))
    dense = config.num_hidden_layers - sparse
    reading = bytes_read / (known.reachable * chip.bandwidth * 1e9)
    starting = sparse * known.sparse_layer_microseconds + dense * known.dense_layer_microseconds
    return 1 / (reading + starting * 1e-6)
