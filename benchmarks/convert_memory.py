"""What a conversion to 4 bits takes of memory and time: ours against mlx-lm.

``python benchmarks/convert_memory.py [--rounds 3] [--layers 4] [--work FOLDER]``. Both convert the
same synthetic mixture of experts: a few layers of Qwen3-30B-A3B's shapes in bfloat16, its experts
one by one and in shards of 4 GB, as Hugging Face publishes them; 6.2 GB with four layers. Every
conversion is a process of its own, and the two take turns, every other round in reverse. Ours
checks nothing in these rounds, as mlx-lm never does, and once more at the end it does. Medians are
printed.

Seconds are those of the conversion alone, without imports; ours flushes its result to the disk,
mlx-lm does not. Memory is counted above an interpreter that has imported MLX. The peak of the
resident memory is the kernel's own. It includes pages of files that are mapped, so on Linux both
parts are sampled as well: anonymous memory, and pages of files (mostly the libraries).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import mlx.core as mx

from qwen3_mlx.convert.writer import ShardWriter, StoredTensor, to_json

TOKENIZER = Path(__file__).parents[1] / "training" / "originals" / "tiny"
HIDDEN, EXPERTS, EXPERT_WIDTH, VOCABULARY = 2048, 128, 768, 151936
HEADS, KV_HEADS, HEAD_DIM = 32, 4, 128
CONFIG = {
    "architectures": ["Qwen3MoeForCausalLM"],
    "attention_bias": False,
    "decoder_sparse_step": 1,
    "head_dim": HEAD_DIM,
    "hidden_act": "silu",
    "hidden_size": HIDDEN,
    "intermediate_size": 6144,
    "max_position_embeddings": 40960,
    "mlp_only_layers": [],
    "model_type": "qwen3_moe",
    "moe_intermediate_size": EXPERT_WIDTH,
    "norm_topk_prob": True,
    "num_attention_heads": HEADS,
    "num_experts": EXPERTS,
    "num_experts_per_tok": 8,
    "num_key_value_heads": KV_HEADS,
    "rms_norm_eps": 1e-06,
    "rope_theta": 1000000.0,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "vocab_size": VOCABULARY,
}
SHARD_BYTES = 4 * 10**9
STACKED_BYTES = EXPERTS * EXPERT_WIDTH * HIDDEN * 2  # one projection of one layer
MARGIN_BYTES = 256 * 10**6
RESULT_SHARE = 0.35  # of the source's size, at 4 bits and their scales
MB, GB = 10**6, 10**9

POOL_SIZE = 2**26
STEP_SIZE = 2**24
SCALE = 0.02

# How each tool is imported, and how it converts.
OURS, OURS_CHECKED, MLX_LM, NOTHING = "ours", "ours, checked", "mlx-lm", "interpreter"
IMPORT_OURS = "from qwen3_mlx.convert import convert"
TOOLS = {
    OURS: (IMPORT_OURS, "convert(source, result, '4bit', group_size=64, verify=False)"),
    MLX_LM: (
        "from mlx_lm.convert import convert",
        "convert(source, result, quantize=True, q_bits=4, q_group_size=64)",
    ),
    OURS_CHECKED: (IMPORT_OURS, "convert(source, result, '4bit', group_size=64, verify=True)"),
}
CHILD = """
import json, resource, sys, time
from pathlib import Path
import mlx.core
source, result = sys.argv[1:]
{imported}
started = time.perf_counter()
{convert}
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
status = Path("/proc/self/status")
status = status.read_text() if status.exists() else ""
print(json.dumps(dict(seconds=seconds, peak=peak, status=status)))
"""
SAMPLE_SECONDS = 0.01


@dataclass(frozen=True)
class Run:
    """Seconds, and peaks in bytes: of the resident memory, and of its two parts."""

    seconds: float
    resident: float
    anonymous: float
    files: float


def tensors(layers: int) -> Iterator[StoredTensor]:
    """The published tensors, in order."""

    def weight(name: str, *shape: int) -> StoredTensor:
        return StoredTensor(f"{name}.weight", mx.bfloat16, shape)

    yield weight("model.embed_tokens", VOCABULARY, HIDDEN)
    for layer in range(layers):
        prefix = f"model.layers.{layer}"
        yield weight(f"{prefix}.self_attn.q_proj", HEADS * HEAD_DIM, HIDDEN)
        yield weight(f"{prefix}.self_attn.k_proj", KV_HEADS * HEAD_DIM, HIDDEN)
        yield weight(f"{prefix}.self_attn.v_proj", KV_HEADS * HEAD_DIM, HIDDEN)
        yield weight(f"{prefix}.self_attn.o_proj", HIDDEN, HEADS * HEAD_DIM)
        yield weight(f"{prefix}.self_attn.q_norm", HEAD_DIM)
        yield weight(f"{prefix}.self_attn.k_norm", HEAD_DIM)
        yield weight(f"{prefix}.mlp.gate", EXPERTS, HIDDEN)
        for expert in range(EXPERTS):
            expert_prefix = f"{prefix}.mlp.experts.{expert}"
            yield weight(f"{expert_prefix}.gate_proj", EXPERT_WIDTH, HIDDEN)
            yield weight(f"{expert_prefix}.up_proj", EXPERT_WIDTH, HIDDEN)
            yield weight(f"{expert_prefix}.down_proj", HIDDEN, EXPERT_WIDTH)
        yield weight(f"{prefix}.input_layernorm", HIDDEN)
        yield weight(f"{prefix}.post_attention_layernorm", HIDDEN)
    yield weight("model.norm", HIDDEN)
    yield weight("lm_head", VOCABULARY, HIDDEN)


def source_bytes(layers: int) -> int:
    return sum(tensor.nbytes for tensor in tensors(layers))


def shards(layers: int) -> dict[str, list[StoredTensor]]:
    """The tensors of each file."""
    lists: list[list[StoredTensor]] = [[]]
    for tensor in tensors(layers):
        if sum(held.nbytes for held in lists[-1]) + tensor.nbytes > SHARD_BYTES:
            lists.append([])
        lists[-1].append(tensor)
    return {
        f"model-{number:05d}-of-{len(lists):05d}.safetensors": held
        for number, held in enumerate(lists, 1)
    }


def make_pool() -> mx.array:
    """Normal random numbers; every tensor is made of stretches of them, each from anywhere."""
    steps = []
    for key in range(POOL_SIZE // STEP_SIZE):
        numbers = mx.random.normal((STEP_SIZE,), key=mx.random.key(key)) * SCALE
        steps.append(numbers.astype(mx.bfloat16))
        mx.eval(steps[-1])
    pool = mx.concatenate(steps)
    mx.eval(pool)
    return pool


def write_numbers(tensor: StoredTensor, writer: ShardWriter, pool: mx.array) -> None:
    rng, missing = random.Random(tensor.name), prod(tensor.shape)
    while missing:
        size = min(missing, STEP_SIZE)
        start = rng.randrange(POOL_SIZE - size)
        writer.append(tensor.name, mx.contiguous(pool[start : start + size]))
        missing -= size


def write_model(folder: Path, layers: int) -> None:
    """The synthetic model, the same every time, with the tokenizer of a real one."""
    folder.mkdir()
    pool, files = make_pool(), shards(layers)
    for name, held in files.items():
        with ShardWriter(folder / name, held) as writer:
            for tensor in held:
                write_numbers(tensor, writer, pool)
    weight_map = {tensor.name: name for name, held in files.items() for tensor in held}
    index = {"metadata": {"total_size": source_bytes(layers)}, "weight_map": weight_map}
    config = CONFIG | {"num_hidden_layers": layers}
    (folder / "model.safetensors.index.json").write_text(to_json(index), "utf-8")
    (folder / "config.json").write_text(to_json(config), "utf-8")
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(TOKENIZER / name, folder)


def fields(status: str) -> dict[str, int]:
    """The sizes in a process's status in /proc, in bytes by name; empty elsewhere than on Linux."""
    lines = (line.split() for line in status.splitlines())
    return {line[0][:-1]: 1024 * int(line[1]) for line in lines if line[2:] == ["kB"]}


def status_of(process: subprocess.Popen[str]) -> dict[str, int]:
    try:
        return fields(Path(f"/proc/{process.pid}/status").read_text())
    except OSError:
        return {}


def watch(process: subprocess.Popen[str]) -> list[dict[str, int]]:
    """What /proc says of a process from time to time, until it ends."""
    samples = []
    while process.poll() is None:
        samples.append(status_of(process))
        time.sleep(SAMPLE_SECONDS)
    return samples


def run_tool(tool: str, source: Path, result: Path) -> Run:
    """Convert in a fresh interpreter."""
    imported, convert = TOOLS.get(tool, ("", ""))
    code = CHILD.format(imported=imported, convert=convert)
    command = [sys.executable, "-c", code, str(source), str(result)]
    offline = os.environ | {"HF_HUB_OFFLINE": "1"}
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, text=True, env=offline
        )
        samples = watch(process)
        output.seek(0)
        text = output.read()
    if process.returncode:
        raise SystemExit(f"{tool} failed:\n{text}")
    said = json.loads(text.splitlines()[-1])
    return make_run(said["seconds"], said["peak"], [*samples, fields(said["status"])])


def make_run(seconds: float, maxrss: int, samples: list[dict[str, int]]) -> Run:
    """A run as it was seen from outside, and in the last sample from inside.

    The kernel's peak is ``VmHWM`` on Linux, whose ``ru_maxrss`` may be the parent's; macOS has
    ``ru_maxrss``, in bytes.
    """
    anonymous, files = (
        max(sample.get(part, 0) for sample in samples) for part in ("RssAnon", "RssFile")
    )
    return Run(seconds, samples[-1].get("VmHWM", maxrss), anonymous, files)


def convert(tool: str, source: Path) -> Run:
    """One conversion, shown as soon as it is done; its result is not kept."""
    result = source.with_name("result")
    os.sync()  # what others left to be written is not this one's work
    run = run_tool(tool, source, result)
    size = sum(path.stat().st_size for path in result.glob("*.safetensors"))
    print(f"  {tool}: {run.seconds:.1f} s to {size / GB:.2f} GB", flush=True)
    shutil.rmtree(result)
    return run


def run_rounds(source: Path, rounds: int) -> dict[str, list[Run]]:
    """The runs of each tool, and of an interpreter that does nothing."""
    runs: dict[str, list[Run]] = {OURS: [], MLX_LM: []}
    for number in range(rounds):
        for tool in list(runs) if number % 2 == 0 else reversed(runs):
            runs[tool].append(convert(tool, source))
    nothing = [run_tool(NOTHING, source, source) for _ in range(rounds)]
    return runs | {OURS_CHECKED: [convert(OURS_CHECKED, source)], NOTHING: nothing}


def medians(runs: list[Run]) -> Run:
    return Run(
        statistics.median(run.seconds for run in runs),
        statistics.median(run.resident for run in runs),
        statistics.median(run.anonymous for run in runs),
        statistics.median(run.files for run in runs),
    )


def report(runs: dict[str, list[Run]]) -> None:
    """Medians, and how they stand to each other and to the goals."""
    middle = {tool: medians(taken) for tool, taken in runs.items()}
    base = middle.pop(NOTHING)
    print(f"{'':14}{'seconds':>18}{'peak, MB':>18}{'anonymous, MB':>15}{'of files, MB':>14}")
    for tool, one in middle.items():
        seconds = spread([run.seconds for run in runs[tool]], 1)
        peaks = spread([(run.resident - base.resident) / MB for run in runs[tool]], 0)
        anonymous, files = one.anonymous - base.anonymous, one.files - base.files
        print(f"{tool:14}{seconds:>18}{peaks:>18}{anonymous / MB:>15.0f}{files / MB:>14.0f}")
    print(
        f"all above an interpreter with MLX, which takes {base.resident / MB:.0f} MB: "
        f"{base.anonymous / MB:.0f} anonymous and {base.files / MB:.0f} of files"
    )
    ours, checked, peer = middle[OURS], middle[OURS_CHECKED], middle[MLX_LM]
    peak, peer_peak = ours.resident - base.resident, peer.resident - base.resident
    checked_peak, limit = checked.resident - base.resident, 2 * STACKED_BYTES + MARGIN_BYTES
    print(f"limit of the peak: {limit / MB:.0f} MB = 2 x {STACKED_BYTES / MB:.0f} + 256")
    print(f"peak {peak / limit:.2f} of the limit, with the check {checked_peak / limit:.2f}")
    print(f"peak {peak / peer_peak:.2f} of mlx-lm's, with the check {checked_peak / peer_peak:.2f}")
    time_share, checked_share = ours.seconds / peer.seconds, checked.seconds / peer.seconds
    print(f"time {time_share:.2f} of mlx-lm's, with the check {checked_share:.2f}")


def spread(numbers: list[float], digits: int) -> str:
    """The median, and the range around it."""
    low, middle, high = (
        f"{number:.{digits}f}"
        for number in (min(numbers), statistics.median(numbers), max(numbers))
    )
    return f"{middle} ({low}-{high})"


def check_space(folder: Path, needed: float) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SystemExit(
            f"{folder} has {free / GB:.1f} GB free, and {needed / GB:.1f} GB are needed: "
            "name another folder with --work, or fewer layers with --layers"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--layers", type=int, default=4, help="1.2 GB each, and 1.2 GB more")
    parser.add_argument("--work", type=Path, help="where the model is made (default: temporary)")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=parsed.work) as folder:
        source, size = Path(folder) / "source", source_bytes(parsed.layers)
        check_space(source.parent, size * (1 + RESULT_SHARE))
        print(f"making a model of {size / GB:.2f} GB and {parsed.layers} layers", flush=True)
        write_model(source, parsed.layers)
        print(f"converting it, {parsed.rounds} rounds", flush=True)
        report(run_rounds(source, parsed.rounds))


if __name__ == "__main__":
    main()
