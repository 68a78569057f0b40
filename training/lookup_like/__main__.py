"""The classifier of `--thinking auto` from nothing: ``python -m training.lookup_like``.

Trains on the sentences beside this file, writes the weights into the package, and prints how often
they are right on the held-out messages, as shipped: with the rules, each weight rounded to a byte.
"""

from __future__ import annotations

import argparse

from rich.console import Console

from qwen3_mlx.text.asked import take_apart
from qwen3_mlx.text.lookup_features import features
from qwen3_mlx.text.lookup_like import WEIGHTS
from training.lookup_like import data, regression
from training.lookup_like.table import table
from training.lookup_like.weights_file import write_weights


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--score", action="store_true", help="judge the stored weights only")
    parser.add_argument("--development", action="store_true", help="judge on development.jsonl")
    chosen = parser.parse_args(arguments)
    if not chosen.score:
        train()
    path = data.DEVELOPMENT if chosen.development else data.HELD_OUT
    Console().print(table(data.read_examples(path), path.stem))


def train() -> None:
    """Trains and stores the weights."""
    examples = data.make_examples()
    rows = [features(take_apart(example.text)) for example in examples]
    weights = regression.fit(rows, [example.think for example in examples])
    write_weights(WEIGHTS, weights, trained_on=data.digest(), examples=len(examples))


if __name__ == "__main__":
    main()
