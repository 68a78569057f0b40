"""The README of a converted model: from what it was made, how, and what the check of it found.

Knows Markdown and the head that the Hugging Face Hub reads. Measures nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qwen3_mlx.convert.kinds import Kind, kinds_of
from qwen3_mlx.convert.outputs import Outputs
from qwen3_mlx.convert.plan import Plan
from qwen3_mlx.memory import shown_bytes

CARD = "README.md"

PLAIN = (
    "Every tensor was read back and compared with the source: each bit is what rounding the "
    "source's numbers gives. The error is the root of its energy relative to that of the numbers, "
    "of the worst tensor of its kind; the worst group is the largest error relative to what the "
    "format allows, which is 1."
)
LEARNED = "Every tensor was read back: each bit is what was learned."
ERRORS = (
    "The error is the root of its energy relative to that of the source's numbers, of the worst "
    "tensor of its kind; the worst group is the largest error relative to what plain rounding may "
    "make, which is 1."
)
OTHERS = (
    "The weights are scaled against each other, and are not compared with the source's one by one."
)


def make_card(
    plan: Plan,
    manifest: Mapping[str, Any],
    checks: Mapping[str, Mapping[str, Any]],
    outputs: Outputs | None,
) -> str:
    """The text.

    Args:
        plan: What was done.
        manifest: As it stands beside it.
        checks: What was found about each tensor, by name; empty if none was compared.
        outputs: How far source and result are apart; None if they were not compared.
    """
    source = manifest["source"]
    sections = [
        card_head(source),
        f"# {source['name']} for MLX, {plan.recipe.name}",
        _made(plan, manifest),
        *([_learned(manifest["learned"])] if "learned" in manifest else []),
        *([_notes(manifest["notes"])] if manifest["notes"] else []),
        _table(plan, checks),
        _found(checks, outputs, is_learned="learned" in manifest),
        source_files(source["sha256"]),
    ]
    return "\n\n".join(sections) + "\n"


def card_head(source: Mapping[str, Any]) -> str:
    """What the Hub reads of a model's README, made from this source."""
    lines = ["library_name: mlx", "pipeline_tag: text-generation", "tags:", "- mlx"]
    if "revision" in source:
        lines += [f"base_model: {source['name']}"]
    return "\n".join(["---", *lines, "---"])


def _made(plan: Plan, manifest: Mapping[str, Any]) -> str:
    source, versions = manifest["source"], manifest["versions"]
    revision = f" at revision `{source['revision']}`" if "revision" in source else ""
    tools = " and ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"Made from `{source['name']}`{revision} with the recipe `{plan.recipe.name}` by {tools}. "
        f"{shown_bytes(plan.total_bytes)}, {bits_per_weight(plan):.2f} bits a weight.\n\n"
        "    qwen3-mlx chat -m FOLDER\n    mlx_lm.generate --model FOLDER --prompt hello"
    )


def _learned(learned: Mapping[str, Any]) -> str:
    text, held = learned["text"], learned["held_out"]
    return (
        f"How to round was learned with mlx-lm's {learned['method'].upper()} from "
        f"{learned['tokens']} tokens of `{text['name']}` (SHA-256 `{text['sha256']}`). Over "
        f"{held['tokens']} other tokens of it, the KL divergence from the source is "
        f"{held['kl']:g} nats a token; with plain rounding it is {held['kl_of_plain_rounding']:g}."
    )


def bits_per_weight(plan: Plan) -> float:
    """Of the whole model, scales and unquantized tensors included."""
    return 8 * plan.total_bytes / plan.parameters


def _notes(notes: Sequence[str]) -> str:
    return "\n".join(f"- {note}" for note in notes)


def _table(plan: Plan, checks: Mapping[str, Mapping[str, Any]]) -> str:
    head = "| tensors | number | shape | format | error | worst group |\n|---|---|---|---|---|---|"
    return "\n".join([head, *(_row(kind, checks) for kind in kinds_of(plan.targets))])


def _row(kind: Kind, checks: Mapping[str, Mapping[str, Any]]) -> str:
    found = [checks[name] for name in kind.names if name in checks]
    error = f"{max(check['error'] for check in found):.3%}" if found else "not compared"
    worst = f"{max(check['worst'] for check in found):.2f}" if found else ""
    shape = " x ".join(map(str, kind.shape))
    return f"| {kind.name} | {len(kind.names)} | {shape} | {kind.format} | {error} | {worst} |"


def _found(checks: Mapping[str, object], outputs: Outputs | None, *, is_learned: bool) -> str:
    if not checks and outputs is None:
        return "The result was not compared with the source."
    text = f"{LEARNED} {ERRORS if checks else OTHERS}" if is_learned else PLAIN
    if outputs is None or outputs.kl is None:
        return text
    return (
        f"{text}\n\nOver {outputs.tokens} tokens of fixed prompts, in float32, the KL divergence "
        f"from the source is {outputs.kl:g} nats a token, and {outputs.same:.0%} of the likeliest "
        "tokens are the same."
    )


def source_files(digests: Mapping[str, str]) -> str:
    """The digests of the source's files."""
    lines = [f"    {sha256}  {name}" for name, sha256 in sorted(digests.items())]
    return "\n".join(["SHA-256 of the source's weights:", "", *lines])
