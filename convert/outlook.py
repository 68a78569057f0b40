"""What a conversion would come to, without doing it: sizes, memory, and which Macs the result fits.

Knows plans and machines. Reads headers and no numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from qwen3_mlx.convert.find import find_source, is_remote
from qwen3_mlx.convert.kinds import Kind, kinds_of, notes_on
from qwen3_mlx.convert.original import opened_remotely
from qwen3_mlx.convert.outputs import COMPARED, PROMPTS
from qwen3_mlx.convert.plan import CHUNK_BYTES, Plan, make_plan
from qwen3_mlx.convert.recipe_file import choose_recipe
from qwen3_mlx.convert.recipes import Recipe
from qwen3_mlx.convert.sources import Source, open_source
from qwen3_mlx.convert.streamed import FLOAT_BYTES
from qwen3_mlx.memory import cache_bytes, usable_bytes
from qwen3_mlx.model import Qwen3Config

# Memory of the Macs with Apple silicon, in GB of 2**30 bytes.
MACS = (8, 16, 18, 24, 32, 36, 48, 64, 96, 128, 192, 256, 512)
CONTEXTS = (8192, 32768)
# A chunk as bytes, as numbers, in float32, rounded, read back and compared; and while prompts run,
# what MLX keeps of the last ones. Measured: 10 at most, for the 30B model's layers.
CHUNKS_IN_MEMORY = 12
# Of source and result, for the tokens at which they are compared.
LOGITS_IN_MEMORY = 2 * len(PROMPTS) * COMPARED


@dataclass(frozen=True)
class Outlook:
    """What a conversion would come to.

    Attributes:
        kinds: The tensors, by kind.
        notes: Where the recipe's groups do not fit, and what the source warns of.
        total_bytes: Of the destination's weights.
        bits_per_weight: Scales and unquantized tensors included.
        peak_bytes: Memory that the conversion takes at most.
        smallest_macs: For each length of context the memory in GB of the smallest Mac that the
            result fits on, None if there is none.
    """

    kinds: tuple[Kind, ...]
    notes: tuple[str, ...]
    total_bytes: int
    bits_per_weight: float
    peak_bytes: int
    smallest_macs: dict[int, int | None]


def outlook(source: str | Path, recipe: str = "4bit", *, group_size: int | None = None) -> Outlook:
    """Plan a conversion; the arguments are those of `convert`.

    Of a repository that is not on this machine only the headers are fetched.

    Raises:
        UsageError: The recipe or the group size cannot be used.
        ModelNotFoundError: There is no such source, or the Hub cannot be reached.
        ModelFileError: The source is damaged, incomplete or not supported.
        FetchError: The connection broke off.
    """
    chosen = choose_recipe(recipe, group_size)
    if not is_remote(str(source)):
        return _outlook(open_source(find_source(source)), chosen)
    with TemporaryDirectory() as folder, opened_remotely(str(source), Path(folder)) as original:
        return _outlook(original.model, chosen)


def _outlook(model: Source, recipe: Recipe) -> Outlook:
    plan = make_plan(model, recipe)
    return Outlook(
        tuple(kinds_of(plan.targets)),
        tuple(notes_on(plan, model)),
        plan.total_bytes,
        8 * plan.total_bytes / plan.parameters,
        CHUNKS_IN_MEMORY * CHUNK_BYTES + LOGITS_IN_MEMORY * model.config.vocab_size * FLOAT_BYTES,
        {tokens: _smallest_mac(plan, model.config, tokens) for tokens in CONTEXTS},
    )


def _smallest_mac(plan: Plan, config: Qwen3Config, tokens: int) -> int | None:
    cache = cache_bytes(
        layers=config.num_hidden_layers,
        kv_heads=config.num_key_value_heads,
        head_dim=config.head_dim,
        tokens=tokens,
        item_bytes=2,
    )
    needed = plan.total_bytes + cache
    return next((size for size in MACS if needed <= usable_bytes(size * 2**30)), None)
