"""What the routers of a model did with a text, in numbers.

Knows how often each expert was chosen, with which others, and how much it had to say. Does not
know how that was seen: :mod:`qwen3_mlx.convert.observe`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

# A pair that was seen less often says nothing about the two.
FEWEST_TOKENS = 5
FEWEST_OF_ALL = 100


@dataclass(frozen=True)
class Pair:
    """Two experts of a layer that were chosen for the same tokens.

    Attributes:
        tokens: How many those were.
        lift: That number relative to what it would be if the two were chosen independently.
    """

    layer: int
    experts: tuple[int, int]
    tokens: int
    lift: float


@dataclass(frozen=True)
class LayerRouting:
    """What the router of one layer did.

    Attributes:
        layer: Its number, from 0.
        tokens: How many it saw.
        together: How many of them two experts both got, [experts][experts]; on the diagonal, how
            many one got.
        contributions: For each expert, the sum over its tokens of the router's weight,
            renormalised over the chosen experts, times the L2 norm of the expert's output.
    """

    layer: int
    tokens: int
    together: tuple[tuple[int, ...], ...]
    contributions: tuple[float, ...]

    @property
    def load(self) -> tuple[int, ...]:
        """How many tokens each expert got."""
        return tuple(row[expert] for expert, row in enumerate(self.together))

    @property
    def saliency(self) -> tuple[float, ...]:
        """REAP's score of each expert: the mean contribution to a token it got; 0 without one.

        Lasby et al., "REAP the Experts" (arXiv 2510.13999), equation 9.
        """
        pairs = zip(self.contributions, self.load, strict=True)
        return tuple(total / tokens if tokens else 0.0 for total, tokens in pairs)

    @property
    def unused(self) -> int:
        """How many experts got no token."""
        return self.load.count(0)

    @property
    def max_over_mean(self) -> float:
        """The largest load, relative to an even one."""
        return max(self.relative_load)

    @property
    def relative_load(self) -> tuple[float, ...]:
        """Each expert's load relative to an even one, which is 1."""
        even = sum(self.load) / len(self.load)
        return tuple(tokens / even for tokens in self.load)

    @property
    def normalized_entropy(self) -> float:
        """Entropy of the load relative to that of an even one: 1 is even, 0 is one expert alone."""
        shares = (tokens / sum(self.load) for tokens in self.load)
        entropy = -sum(share * math.log(share) for share in shares if share)
        return entropy / math.log(len(self.load)) if len(self.load) > 1 else 1.0

    def pairs(self) -> list[Pair]:
        """The experts that were chosen together more often than by chance, largest lift first.

        Pairs that share fewer than 5 tokens, or than one in a hundred, are left out.
        """
        fewest = max(FEWEST_TOKENS, self.tokens / FEWEST_OF_ALL)
        found = [pair for pair in self._all_pairs() if pair.tokens >= fewest and pair.lift > 1]
        return sorted(found, key=lambda pair: (-pair.lift, pair.experts))

    def _all_pairs(self) -> Iterator[Pair]:
        load = self.load
        for first, second in combinations(range(len(load)), 2):
            tokens = self.together[first][second]
            if tokens:
                lift = tokens * self.tokens / (load[first] * load[second])
                yield Pair(self.layer, (first, second), tokens, lift)


@dataclass(frozen=True)
class Routing:
    """What all routers of a model did with a text.

    Attributes:
        experts: How many there are in each sparse layer.
        top_k: How many of them each token goes through.
        tokens: How many the text has.
        layers: The sparse ones.
    """

    experts: int
    top_k: int
    tokens: int
    layers: tuple[LayerRouting, ...]
