"""What a converted folder says about itself: from what it was made, how, and what is in it.

Knows the manifest's fields. Holds no dates and no places: the same conversion gives the same
manifest everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from qwen3_mlx.checkpoint.files import is_there, read_json
from qwen3_mlx.checkpoint.recorded import CONVERSION, digests
from qwen3_mlx.convert.job import versions
from qwen3_mlx.convert.ledger import Entry, Ledger
from qwen3_mlx.convert.outputs import Outputs
from qwen3_mlx.convert.plan import Plan
from qwen3_mlx.convert.recipes import Recipe

MANIFEST = CONVERSION


def make_manifest(
    plan: Plan,
    ledger: Ledger,
    origin: Mapping[str, object],
    files: Mapping[str, bytes],
    learned: Mapping[str, object] | None = None,
) -> Entry:
    """The manifest of a finished conversion.

    Args:
        plan: What was done.
        ledger: The finished shards, and the source's digests.
        origin: What the source is called, and its revision if it has one.
        files: What the folder holds besides the shards.
        learned: How the rounding was learned; None if it was not.
    """
    manifest = {
        "source": {**origin, "sha256": ledger.source},
        "recipe": {"name": plan.recipe.name, "rules": _rules(plan.recipe)},
        "versions": versions(),
        **digests(ledger.folder, ledger.digests, files),
    }
    if learned is None:
        return manifest
    tools = {**versions(), "mlx-lm": version("mlx-lm")}
    return {**manifest, "versions": tools, "learned": learned}


def summary(
    checks: Mapping[str, Mapping[str, Any]], outputs: Outputs | None
) -> dict[str, object] | None:
    """What the check of a conversion found, in a few figures; None where nothing was compared.

    Args:
        checks: What was found about each tensor, by name.
        outputs: How far source and result are apart in what they say.
    """
    if not checks:
        return None
    return {
        "tensors": len(checks),
        "error": max(check["error"] for check in checks.values()),
        "worst_group": max(check["worst"] for check in checks.values()),
        "kl": outputs.kl if outputs else None,
        "same_tokens": outputs.same if outputs and outputs.kl is not None else None,
    }


def _rules(recipe: Recipe) -> list[Entry]:
    return [
        {"modules": rule.pattern, **(asdict(rule.spec) if rule.spec else {"mode": None})}
        for rule in recipe.rules
    ]


def read_manifest(folder: Path) -> Entry:
    """The manifest of a converted folder.

    Raises:
        ModelFileError: It is missing or damaged.
    """
    return read_json(folder / MANIFEST)


def is_learned(folder: Path) -> bool:
    """Whether a folder's manifest says that its weights were learned, not rounded plainly.

    Raises:
        ModelFileError: The manifest is damaged.
    """
    return is_there(folder / MANIFEST) and "learned" in read_manifest(folder)
