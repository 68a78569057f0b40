"""What a pruned model says about itself: `pruning.json` for programs, the README for people.

Knows the fields of the one and the words of the other. Holds no dates and no places: the same
pruning gives the same files everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qwen3_mlx.checkpoint.recorded import PRUNING, digests
from qwen3_mlx.convert.card import card_head, source_files
from qwen3_mlx.convert.job import versions
from qwen3_mlx.convert.ledger import Entry, Ledger
from qwen3_mlx.convert.prune_choice import Method, Pruning
from qwen3_mlx.memory import shown_bytes

SCORED: Mapping[Method, str] = {
    "reap": (
        "REAP (arXiv 2510.13999): the mean, over the tokens that the router gave to an expert, of "
        "its weight times the L2 norm of what the expert said"
    ),
    "frequency": "how many tokens the router gave to an expert",
}


def pruning_record(
    pruning: Pruning, ledger: Ledger, origin: Mapping[str, object], files: Mapping[str, bytes]
) -> Entry:
    """`pruning.json` of a finished model.

    Args:
        pruning: What was done.
        ledger: The finished shards, and the source's digests.
        origin: What the source is called, and its revision if it has one.
        files: What the folder holds besides the shards.
    """
    text, routing, layers = pruning.text, pruning.routing, pruning.layers
    return {
        "source": {**origin, "sha256": ledger.source},
        "method": pruning.method,
        "text": {"name": text.name, "sha256": text.sha256, "tokens": routing.tokens},
        "experts": {"before": routing.experts, "after": len(layers[0].kept)},
        "layers": [layer.as_data() for layer in layers],
        "versions": versions(),
        **digests(ledger.folder, ledger.digests, files),
    }


def pruning_card(record: Mapping[str, Any], nbytes: int) -> str:
    """The README.

    Args:
        record: `pruning.json`.
        nbytes: Size of the weights.
    """
    source, experts = record["source"], record["experts"]
    name = f"{source['name']} with {experts['after']} of {experts['before']} experts"
    sections = [
        card_head(source),
        f"# {name}",
        _made(record, nbytes),
        _table(record["layers"]),
        f"Which experts stayed, and all scores, are in `{PRUNING}`.",
        source_files(source["sha256"]),
    ]
    return "\n\n".join(sections) + "\n"


def _made(record: Mapping[str, Any], nbytes: int) -> str:
    source, text, method = record["source"], record["text"], record["method"]
    revision = f" at revision `{source['revision']}`" if "revision" in source else ""
    tools = " and ".join(f"{name} {version}" for name, version in record["versions"].items())
    return (
        f"Made from `{source['name']}`{revision} by {tools}, {shown_bytes(nbytes)}. In each layer "
        f"the experts with the lowest scores were removed, and their rows of the router with them; "
        f"nothing else was changed. The score is {SCORED[method]}, on {text['tokens']} tokens of "
        f"`{text['name']}` (SHA-256 `{text['sha256']}`).\n\n"
        "    qwen3-mlx chat -m FOLDER\n    mlx_lm.generate --model FOLDER --prompt hello"
    )


def _table(layers: Sequence[Mapping[str, Any]]) -> str:
    head = "| layer | of the scores kept | of the load kept |\n|---|---|---|"
    return "\n".join([head, *map(_row, layers)])


def _row(layer: Mapping[str, Any]) -> str:
    return f"| {layer['layer']} | {layer['kept_score']:.1%} | {layer['kept_load']:.1%} |"
