"""What a batch must not ask for: no row at all, a cache it cannot have, or too much memory.

Knows numbers of rows and tokens, and the model's sizes. Does not know what the rows say.
"""

from __future__ import annotations

from qwen3_mlx.errors import ModelTooLargeError, UsageError, shown
from qwen3_mlx.generation.thinking import ThinkingBudget
from qwen3_mlx.memory import cache_bytes, free_memory, shown_bytes
from qwen3_mlx.memory.activations import activation_bytes
from qwen3_mlx.model.batch_cache import with_room
from qwen3_mlx.model.cache import KVCache
from qwen3_mlx.model.qwen3 import Qwen3


def check_batch(model: Qwen3, size: int) -> None:
    """Refuse a batch without rows, or with a model whose rows cannot be laid side by side.

    Raises:
        UsageError: `size` is no whole number above 0, or the model's cache is no plain one.
    """
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise UsageError(f"batch_size is {shown(size)}", hint="Use a whole number, 1 or more.")
    if model.layer_cache is not KVCache:
        raise UsageError(
            "a batch needs whole caches, neither rounded nor sliding ones",
            hint="Load the model without kv_bits and max_kv.",
        )


def check_budget(budget: ThinkingBudget) -> None:
    """Refuse a budget that looks at one cache while others are in it.

    Raises:
        UsageError: it sets itself.
    """
    if budget.auto is not None:
        raise UsageError(
            "a batch has no budget that sets itself",
            hint="Give a number of tokens, or answer the prompts one by one with generate().",
        )


def check_fits(model: Qwen3, rows: int, tokens: int, chunk: int) -> None:
    """Refuse more rows than there is memory for, before anything is read.

    Caches count twice, since rows that join are copied beside those that were there. Measured on
    the CPU backend, 1000 rows of 24 tokens take 0.7 to 0.8 of what is counted, 16 rows of 1755
    tokens 0.6.

    Args:
        rows: At a time.
        tokens: What the longest of them may come to; the others are padded to it.
        chunk: Tokens of the prompts that are read at a time, all rows together, but for one each.

    Raises:
        ModelTooLargeError: with the numbers.
    """
    free, needed = free_memory(), _needed(model, rows, tokens, chunk)
    if needed <= free:
        return
    most = rows * free // needed
    fewer = f"a batch_size of at most {most} or " if most else ""
    raise ModelTooLargeError(
        f"{rows} conversations at once, of up to {tokens} tokens each, need "
        f"{shown_bytes(needed)}, and {shown_bytes(free)} are left",
        hint=f"Use {fewer}a smaller max_tokens.",
    )


def _needed(model: Qwen3, rows: int, tokens: int, chunk: int) -> int:
    config, item_bytes = model.config, model.model.norm.weight.dtype.size
    cache = cache_bytes(
        layers=config.num_hidden_layers,
        kv_heads=config.num_key_value_heads,
        head_dim=config.head_dim,
        tokens=with_room(tokens),
        item_bytes=item_bytes,
    )
    computing = activation_bytes(
        config, tokens=max(1, chunk // rows), context=tokens, item_bytes=item_bytes, batch=rows
    )
    return 2 * rows * cache + computing
