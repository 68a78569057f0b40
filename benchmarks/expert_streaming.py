"""A mixture of experts with most of its experts on disk: memory and speed beside all in memory.

``python -m benchmarks.expert_streaming [--layers 12] [--tokens 40] [--work FOLDER]``. A synthetic
model has the shapes of Qwen3-30B-A3B's layers at 4 bits, and as many of them as make 4 GB. Its
vocabulary is smaller by the same factor as its layers are fewer, so that experts are as much of
it as they are of the real one. Every configuration decodes the same tokens in a process of its
own; its routers follow a script (`scripted_routing`), and its slots are filled as earlier tokens
of that script leave them.

On Linux every read comes from the disk: what the kernel keeps of the file is dropped after each.
Each configuration decodes in turns with the model that has all in memory, as `load` lays it out;
the ratio is that of median seconds. Memory is the process's own after the last token. Disk is the
time that a token waits for reads, in which experts that are there are computed; read-back is what
else the calls of streamed experts take once the router's numbers are there, which mends the slots
and builds the graph; compute is the rest of a median token.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import mlx.core as mx

from benchmarks.convert_memory import EXPERTS, GB
from benchmarks.scripted_routing import ScriptedGate, chosen_experts, reuse, scripted_logits
from benchmarks.synthetic_moe import write_model
from qwen3_mlx.checkpoint.expert_files import ExpertFiles, Extent, LayerExperts
from qwen3_mlx.checkpoint.load import open_checkpoint
from qwen3_mlx.checkpoint.reader import WEIGHTS
from qwen3_mlx.checkpoint.watched_file import WatchedFile
from qwen3_mlx.memory import machine_memory
from qwen3_mlx.model import Qwen3, make_cache
from qwen3_mlx.model.expert_slots import ExpertSlots
from qwen3_mlx.model.tune import tune

TOP_K = 8
SHARES = (5, 10, 20, 40, 60)
EARLIER = 150  # tokens that have filled the slots
WARM_UP = 3
TURNS = 3
PARTS = 9  # weight, scales and biases of three projections


@dataclass
class Clock:
    """Seconds and experts of what was read, and seconds of whole calls."""

    calls: float = 0.0
    reads: float = 0.0
    experts: int = 0


class Decoder:
    """A process of its own that decodes a token whenever it is asked to.

    Args:
        folder: The model.
        slots: How many experts of a layer it has in memory.
        tokens: How many it will be asked for.
    """

    def __init__(self, folder: Path, slots: int, tokens: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._end, other = context.Pipe()
        self._process = context.Process(target=serve, args=(other, folder, slots, tokens))
        self._process.start()
        self._end.recv()

    def token(self) -> float:
        """The seconds that one more token takes."""
        self._end.send(None)
        return self._end.recv()

    def close(self) -> tuple[int, Clock]:
        """The memory of the process, and what its calls took."""
        found = self._end.recv()
        self._process.join()
        return found


def serve(end: Connection, folder: Path, slots: int, tokens: int) -> None:
    checkpoint = open_checkpoint(folder)
    model = checkpoint.load(expert_slots=slots).model
    # As `qwen3_mlx.load` does it.
    spare = (machine_memory() - checkpoint.nbytes()) // 4 if slots == EXPERTS else 0
    tune(model, spare=spare, compiled=False)
    mx.clear_cache()
    for number, layer in enumerate(model.model.layers):
        script = scripted_logits(number, EARLIER + WARM_UP + tokens, EXPERTS)
        if slots < EXPERTS:
            fill(layer.mlp.switch_mlp, chosen_experts(script[:EARLIER], TOP_K), slots)
        layer.mlp.gate = ScriptedGate(layer.mlp.gate, script[EARLIER:])
    never_cache(folder)
    seconds, clock = decode(model), Clock()
    for _ in range(WARM_UP):
        next(seconds)
    time_calls(clock)
    end.send("ready")
    for _ in range(tokens):
        end.recv()
        end.send(next(seconds))
    end.send((resident_bytes(), clock))


def fill(experts: ExpertSlots, tokens: list[list[int]], slots: int) -> None:
    """Leave in the slots what these tokens leave there: the last experts that were used."""
    latest = dict.fromkeys(expert for chosen in reversed(tokens) for expert in chosen)
    experts._hold(list(latest)[:slots][::-1])


def decode(model: Qwen3) -> Iterator[float]:
    """The seconds of each token, without end."""
    cache, token = make_cache(model.config), mx.array([[1]])
    while True:
        start = time.perf_counter()
        token = mx.argmax(model.last_logits(token, cache), axis=-1)[:, None]
        mx.eval(token)
        yield time.perf_counter() - start


def time_calls(clock: Clock) -> None:
    """Let the calls of streamed experts, and what they read, be timed from now on."""
    call, read, cast = ExpertSlots.__call__, ExpertFiles.read, LayerExperts._cast

    def timed_call(self: ExpertSlots, x: mx.array, experts: mx.array) -> mx.array:
        mx.eval(experts)  # the call would wait for it: that is computing, not reading back
        start = time.perf_counter()
        outputs = call(self, x, experts)
        clock.calls += time.perf_counter() - start
        return outputs

    def timed_read(self: ExpertFiles, reads: Sequence[tuple[Extent, memoryview]]) -> None:
        start = time.perf_counter()
        read(self, reads)
        clock.reads += time.perf_counter() - start
        clock.experts += len(reads) // PARTS

    def timed_cast(self: LayerExperts, numbers: Sequence[Any]) -> None:
        start = time.perf_counter()
        mx.synchronize()  # the cast would wait for what is being computed
        clock.calls -= time.perf_counter() - start
        cast(self, numbers)

    ExpertSlots.__call__, ExpertFiles.read = timed_call, timed_read
    LayerExperts._cast = timed_cast


def never_cache(folder: Path) -> None:
    """Let the kernel forget the model's file, now and after each read of it."""
    if not hasattr(os, "posix_fadvise"):
        return
    with (folder / WEIGHTS).open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    read_into = WatchedFile.read_into

    def forgetful(self: WatchedFile, buffer: memoryview, start: int) -> None:
        read_into(self, buffer, start)
        os.posix_fadvise(self._descriptor, start, len(buffer), os.POSIX_FADV_DONTNEED)

    WatchedFile.read_into = forgetful


def resident_bytes() -> int:
    """Memory of this process without pages of files; where that cannot be told, its peak."""
    status = Path("/proc/self/status")
    if status.exists():
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields["RssAnon"].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


HEAD = (
    f"{'slots':>10}{'memory':>10}{'of weights':>12}{'tok/s':>8}{'ratio':>7}{'hits':>8}"
    f"{'disk':>8}{'read-back':>11}{'compute':>9}  ms a token"
)


def row(name: str, resident: int, weights: int, seconds: float) -> str:
    return f"{name:>10}{resident / GB:>7.2f} GB{resident / weights:>12.1%}{1 / seconds:>8.2f}"


def compare(one: Decoder, whole: Decoder, tokens: int) -> tuple[float, float]:
    """Median seconds of a token of both; the second decodes one for every three of the first."""
    mine, other = [], []
    for number in range(tokens):
        mine.append(one.token())
        if number % TURNS == 0:
            other.append(whole.token())
    return statistics.median(mine), statistics.median(other)


def split(seconds: float, clock: Clock, tokens: int, layers: int) -> str:
    """The hit rate, and milliseconds of a token for disk, read-back and the rest."""
    hits = 1 - clock.experts / (tokens * layers * TOP_K)
    disk, calls = 1000 * clock.reads / tokens, 1000 * clock.calls / tokens
    return f"{hits:>8.1%}{disk:>8.1f}{calls - disk:>11.1f}{1000 * seconds - calls:>9.1f}"


def say_routing(layers: int, tokens: int) -> None:
    """How skewed the routing is."""
    routes = [chosen_experts(scripted_logits(n, tokens, EXPERTS), TOP_K) for n in range(layers)]
    next_one, soon = (statistics.mean(reuse(route, n) for route in routes) for n in (1, 8))
    print(
        f"experts used again: {next_one:.0%} at the next token, {soon:.0%} within 8 (real: 45, 80)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--tokens", type=int, default=40)
    parser.add_argument("--work", type=Path, help="where the model is written for the time being")
    args = parser.parse_args()
    say_routing(args.layers, EARLIER + WARM_UP + args.tokens)
    with tempfile.TemporaryDirectory(dir=args.work) as name:
        folder = Path(name)
        write_model(folder, args.layers)
        run(folder, args.layers, args.tokens)


def run(folder: Path, layers: int, tokens: int) -> None:
    weights, stored = open_checkpoint(folder).nbytes(), (folder / WEIGHTS).stat().st_size
    print(f"{layers} layers: {stored / GB:.2f} GB in the file, {weights / GB:.2f} GB as loaded")
    print(HEAD, flush=True)
    whole, best = Decoder(folder, EXPERTS, len(SHARES) * -(-tokens // TURNS)), []
    for share in SHARES:
        slots = max(TOP_K, share * EXPERTS // 100)
        one = Decoder(folder, slots, tokens)
        mine, other = compare(one, whole, tokens)
        best.append(other)
        resident, clock = one.close()
        name = f"{share}% = {slots}"
        parts = split(mine, clock, tokens, layers)
        print(f"{row(name, resident, weights, mine)}{other / mine:>7.2f}{parts}", flush=True)
    print(row("all", whole.close()[0], weights, statistics.median(best)))


if __name__ == "__main__":
    main()
