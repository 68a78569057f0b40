"""How fast a model runs on this machine, and how much memory it takes, beside others.

Knows runs, clocks and medians, and how its peers are called. Does not know screens.
"""

from __future__ import annotations

from qwen3_mlx.measure.figures import Figures, Row, Spread, rows
from qwen3_mlx.measure.ours import OURS, Ours
from qwen3_mlx.measure.peers import (
    LLAMA_CPP,
    MLX_LM,
    Peer,
    check_llama_cpp,
    check_mlx_lm,
    mlx_lm_continued,
    open_llama_cpp,
    open_mlx_lm,
)
from qwen3_mlx.measure.plan import Plan, make_plan
from qwen3_mlx.measure.prompts import prompt_ids
from qwen3_mlx.measure.rounds import Again, Round, Runner, Step, Turn, steps
from qwen3_mlx.measure.samples import Continued, Holding, Sample
from qwen3_mlx.measure.where import Where, where

__all__ = [
    "LLAMA_CPP",
    "MLX_LM",
    "OURS",
    "Again",
    "Continued",
    "Figures",
    "Holding",
    "Ours",
    "Peer",
    "Plan",
    "Round",
    "Row",
    "Runner",
    "Sample",
    "Spread",
    "Step",
    "Turn",
    "Where",
    "check_llama_cpp",
    "check_mlx_lm",
    "make_plan",
    "mlx_lm_continued",
    "open_llama_cpp",
    "open_mlx_lm",
    "prompt_ids",
    "rows",
    "steps",
    "where",
]
