"""What a model takes of the memory: the estimate against MLX's measured peak.

``python benchmarks/memory.py [--context 2048]``. Each line is one model, read with one prompt as
long as its context and then a few tokens of reply; the peak while it is loaded is shown apart. The
estimate is `qwen3_mlx.memory.estimate` without head room. The bundled models are loaded as always;
the larger ones have random weights of 4 bits, kept so or made whole for the CPU backend. MLX counts
what arrays take, not the interpreter, and not the freed buffers that it keeps on a GPU, which are
cleared before each line.
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import mlx.core as mx
from mlx.nn.layers.quantized import quantize
from mlx.utils import tree_flatten

from qwen3_mlx.bundled import NAMES, bundled_path
from qwen3_mlx.checkpoint.load import compute_dtype, open_checkpoint
from qwen3_mlx.generation.decode import prefill, row
from qwen3_mlx.memory import attends_in_one, estimate, machine_memory
from qwen3_mlx.model import Qwen3, Qwen3Config
from qwen3_mlx.model.cache_kinds import layer_cache
from qwen3_mlx.model.device import on_gpu
from qwen3_mlx.model.tune import tune

GOAL = 0.1
MB = 10**6
REPLY = 8
TOKEN = 5
CHUNKS = (512, 128)
BITS, GROUP_SIZE = 4, 64
DENSE = Qwen3Config(
    model_type="qwen3",
    vocab_size=16000,
    hidden_size=512,
    num_hidden_layers=4,
    num_attention_heads=16,
    num_key_value_heads=4,
    head_dim=64,
    intermediate_size=2048,
    rms_norm_eps=1e-6,
    rope_theta=1e6,
    max_position_embeddings=40960,
    tie_word_embeddings=False,
)
SPARSE = Qwen3Config(
    model_type="qwen3_moe",
    vocab_size=16000,
    hidden_size=512,
    num_hidden_layers=4,
    num_attention_heads=16,
    num_key_value_heads=4,
    head_dim=64,
    intermediate_size=1536,
    rms_norm_eps=1e-6,
    rope_theta=1e6,
    max_position_embeddings=40960,
    tie_word_embeddings=False,
    num_experts=64,
    num_experts_per_tok=8,
    moe_intermediate_size=192,
    norm_topk_prob=True,
)


@dataclass(frozen=True)
class Subject:
    """A model to measure: how to get it, and what the estimate is told about it."""

    name: str
    config: Qwen3Config
    build: Callable[[], Qwen3]
    weights: int
    experts: int
    spare: int


def bundled(name: str) -> Subject:
    """A bundled model, loaded as `qwen3_mlx.load` does."""
    checkpoint = open_checkpoint(bundled_path(name))
    spare = (machine_memory() - checkpoint.nbytes()) // 4

    def build() -> Qwen3:
        model = checkpoint.load().model
        tune(model, spare=spare, compiled=False)
        return model

    experts = checkpoint.expert_nbytes() * checkpoint.config.num_experts
    counted = 0 if on_gpu() else spare
    return Subject(name, checkpoint.config, build, checkpoint.nbytes(), experts, counted)


def synthetic(name: str, config: Qwen3Config, *, spare: int) -> Subject:
    """A network of random weights in 4 bits."""

    def packed() -> Qwen3:
        model = Qwen3(config)
        quantize(model, group_size=GROUP_SIZE, bits=BITS)
        mx.eval(model.parameters())
        return model

    def build() -> Qwen3:
        model = packed()
        mx.reset_peak_memory()  # making the numbers is no part of a load
        tune(model, spare=spare, compiled=False)
        return model

    sizes = {path: array.nbytes for path, array in tree_flatten(packed().parameters())}
    experts = sum(size for path, size in sizes.items() if "switch_mlp" in path)
    return Subject(name, config, build, sum(sizes.values()), experts, spare)


def subjects() -> Iterator[Subject]:
    for name in NAMES:
        yield bundled(name)
    yield synthetic("dense", DENSE, spare=0)
    yield synthetic("mixture", SPARSE, spare=0)
    if not on_gpu():
        yield synthetic("dense, whole", DENSE, spare=10**9)
        yield synthetic("mixture, whole", SPARSE, spare=10**9)


def measure(subject: Subject, context: int, chunk: int, kv_bits: int | None) -> tuple[int, int]:
    """Bytes at the peak of loading, and at that of reading and replying."""
    gc.collect()
    mx.clear_cache()
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    model = subject.build()
    loading = mx.get_peak_memory() - before
    mx.reset_peak_memory()
    new = layer_cache(subject.config, kv_bits)
    cache = [new() for _ in range(subject.config.num_hidden_layers)]
    logits = prefill(model, [TOKEN] * (context - REPLY), cache, chunk=chunk)
    for _ in range(REPLY):
        mx.eval(logits)
        logits = model.last_logits(row([TOKEN]), cache)
    mx.eval(logits)
    return loading, mx.get_peak_memory() - before


def expected(subject: Subject, context: int, chunk: int, kv_bits: int | None) -> int:
    return estimate(
        subject.config,
        weights=subject.weights,
        experts=subject.experts,
        context=context,
        chunk=chunk,
        item_bytes=(compute_dtype(None) or mx.bfloat16).size,
        kv_bits=kv_bits,
        attends_in_one=attends_in_one(subject.config),
        spare=subject.spare,
    ).peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--context", type=int, default=2048)
    parsed = parser.parse_args()
    print(
        f"{'model':16}{'context':>8}{'chunk':>7}{'KV':>5}{'estimate':>11}{'measured':>11}"
        f"{'error':>8}{'loading':>11}"
    )
    worst = 0.0
    for subject in subjects():
        cases = [(parsed.context, chunk, None) for chunk in CHUNKS]
        cases += [(parsed.context // 2, CHUNKS[0], None), (parsed.context, CHUNKS[0], 8)]
        for context, chunk, kv_bits in cases:
            guess = expected(subject, context, chunk, kv_bits)
            loading, found = measure(subject, context, chunk, kv_bits)
            error = guess / found - 1
            worst = max(worst, abs(error))
            print(
                f"{subject.name:16}{context:>8}{chunk:>7}{kv_bits or '-':>5}"
                f"{guess / MB:>8.1f} MB{found / MB:>8.1f} MB{error:>+8.1%}{loading / MB:>8.1f} MB",
                flush=True,
            )
    print(f"worst {worst:.1%}, goal {GOAL:.0%}: {'met' if worst <= GOAL else 'missed'}")


if __name__ == "__main__":
    main()
