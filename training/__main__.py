"""Everything from nothing: ``python -m training`` retrains both models and prints their table.

Hours on a laptop's processor. ``--work`` keeps the checkpoints, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from qwen3_mlx.convert import convert
from training import evaluate, tokenizer
from training.export import export
from training.train import SHAPES

HERE = Path(__file__).parent
ORIGINALS = HERE / "originals"
BUNDLED = HERE.parent / "qwen3_mlx" / "bundled"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=HERE.parent / "build" / "training")
    work = parser.parse_args().work
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "tokenizer.json").exists():
        tokenizer.train().save(str(work / "tokenizer.json"))
    for name in SHAPES:
        subprocess.run(
            [sys.executable, "-m", "training.train", name, "--out", str(work)], check=True
        )
        export(name, work, ORIGINALS)
        convert(ORIGINALS / name, BUNDLED / name, recipe="4bit", group_size=32, force=True)
    evaluate.main([])


if __name__ == "__main__":
    main()
