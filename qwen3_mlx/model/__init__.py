"""The Qwen3 network: arrays in, arrays out.

Knows the architecture, dense and mixture-of-experts, and its key-value cache. Does not know
files, text, sampling or where weights come from.
"""

from __future__ import annotations

from qwen3_mlx.model.cache import KVCache, make_cache
from qwen3_mlx.model.config import Qwen3Config
from qwen3_mlx.model.qwen3 import Qwen3, check_ids
from qwen3_mlx.model.scaling import RopeScaling

__all__ = ["KVCache", "Qwen3", "Qwen3Config", "RopeScaling", "check_ids", "make_cache"]
