"""Where weights come from: every format behind one small interface.

Knows which format a folder is in. Each format's own module knows the format.
"""

from __future__ import annotations

from qwen3_mlx.convert.sources.base import Rows, Source
from qwen3_mlx.convert.sources.find import open_source

__all__ = ["Rows", "Source", "open_source"]
