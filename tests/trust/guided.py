"""The attack on readers, guided by what it reaches: libFuzzer by way of atheris, where installed.

    python -m tests.trust.guided --seconds 600 [KIND ...]

Knows atheris, which no extra installs: it has builds for Linux alone. A file that reaches code that
none before it reached is changed further. The mutations and the verdict are those of `parsers`.
"""

from __future__ import annotations

import argparse
import importlib
import random
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

LONGEST = 2**16
LIMITS = ("-timeout=30", "-rss_limit_mb=3000", f"-max_len={LONGEST}", "-print_final_stats=1")
DONE = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
COVERED = re.compile(r"cov: (\d+)")
FELL = re.compile(r"^.*(?:Error: |Exception|ERROR: ).*$", re.MULTILINE)


def fuzz(kind: str, seconds: int, folder: Path) -> None:
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
        found = parsers.try_file(target, data)
        if found.outcome not in parsers.FINE:
            raise AssertionError(f"{kind}: {found}: {data!r:.2000}")

    def changed(data: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < 0.5:
            return bytes(atheris.Mutate(data, most))
        return bytes(parsers.mutated(chance, [data, *target.seeds])[:most])

    ends = f"-max_total_time={seconds}", f"-artifact_prefix={folder}/"
    atheris.Setup([sys.argv[0], str(corpus), *ends, *LIMITS], one, custom_mutator=changed)
    atheris.Fuzz()


def tried(kind: str, seconds: int) -> tuple[int, str]:
    """How many files were tried in a process of its own, and what came of it."""
    command = [sys.executable, "-m", "tests.trust.guided", "--here", "--seconds", str(seconds)]
    done = subprocess.run([*command, kind], capture_output=True, text=True, check=False)
    count = DONE.search(done.stderr)
    covered = COVERED.findall(done.stderr)
    fell = (FELL.findall(done.stderr) or [done.stderr[-500:]])[-1] if done.returncode else ""
    return int(count[1]) if count else 0, f"{covered[-1] if covered else 0} edges {fell}".strip()


def main() -> int:
    """Tries each kind for as long as any other; 1 if one fell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=600, help="for all kinds together")
    parser.add_argument("kinds", nargs="*")
    parser.add_argument("--here", action="store_true", help="fuzz the one kind in this process")
    asked = parser.parse_args()
    if asked.here:
        with TemporaryDirectory() as folder:
            fuzz(asked.kinds[0], asked.seconds, Path(folder))
    kinds = asked.kinds or importlib.import_module("tests.trust.parsers").names()
    total, fell = 0, False
    for kind in kinds:
        count, said = tried(kind, max(1, asked.seconds // len(kinds)))
        total, fell = total + count, fell or not said.endswith("edges")
        sys.stdout.write(f"{count:>9,}  {kind}: {said}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{total:>9,}  in all\n")
    return int(fell)


if __name__ == "__main__":
    sys.exit(main())
