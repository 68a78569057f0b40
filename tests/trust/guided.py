"""The attack on readers, guided by what it reaches: libFuzzer by way of atheris, where installed.

    python -m tests.trust.guided --count 100000 [KIND ...]

Knows atheris, which no extra installs: it has builds for Linux alone. A file that reaches code that
none before it reached is changed further. The mutations and the verdict are those of `parsers`.
"""

from __future__ import annotations

import argparse
import importlib
import random
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

LONGEST = 2**16
LIMITS = ("-timeout=30", "-rss_limit_mb=2000", f"-max_len={LONGEST}", "-print_final_stats=1")


def fuzz(kind: str, count: int, folder: Path) -> None:
    """Tries one kind of file; ends this process, with an error once something falls."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["qwen3_mlx"]):
        parsers = importlib.import_module("tests.trust.parsers")
    target = parsers.targets(folder)[kind]
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(target.seeds):
        (corpus / str(number)).write_bytes(seed)

    def one(data: bytes) -> None:
        outcome = parsers.try_file(target, data)
        if outcome not in parsers.FINE:
            raise AssertionError(f"{kind}: {outcome}: {data!r:.2000}")

    def changed(data: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < 0.5:
            return bytes(atheris.Mutate(data, most))
        return bytes(parsers.mutated(chance, [data, *target.seeds])[:most])

    arguments = [sys.argv[0], str(corpus), f"-runs={count}", *LIMITS, f"-artifact_prefix={folder}/"]
    atheris.Setup(arguments, one, custom_mutator=changed)
    atheris.Fuzz()


def main() -> int:
    """Tries each kind in a process of its own; how many fell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=300_000)
    parser.add_argument("kinds", nargs="*")
    parser.add_argument("--here", action="store_true", help="fuzz the one kind in this process")
    asked = parser.parse_args()
    if asked.here:
        with TemporaryDirectory() as folder:
            fuzz(asked.kinds[0], asked.count, Path(folder))
    kinds = asked.kinds or importlib.import_module("tests.trust.parsers").names()
    each = str(-(-asked.count // len(kinds)))
    command = [sys.executable, "-m", "tests.trust.guided", "--here", "--count", each]
    fell = 0
    for kind in kinds:
        done = subprocess.run([*command, kind], capture_output=True, text=True, check=False)
        fell += done.returncode != 0
        said = [line for line in done.stderr.splitlines() if "DONE" in line or "Error: " in line]
        sys.stdout.write(f"{kind}: {' '.join(said[-1:]) or done.stderr[-500:]}\n")
        sys.stdout.flush()
    return fell


if __name__ == "__main__":
    sys.exit(main())
