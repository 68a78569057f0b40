from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_text_needs_no_arrays_and_no_heavy_library() -> None:
    """A chat must start fast: what few checkpoints need is imported when it is needed."""
    heavy = {"mlx", "mlx_lm", "transformers", "jinja2", "sentencepiece", "numpy"}
    code = (
        "import sys, qwen3_mlx.text.parser, qwen3_mlx.text.template, qwen3_mlx.text.bytelevel\n"
        f"print(sorted({heavy!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
