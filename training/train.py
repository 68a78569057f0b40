"""Train one bundled model: ``python -m training.train tiny --out DIRECTORY``.

Knows the loop: batches, losses, schedule, checkpoints. The loss is cross-entropy on what the
assistant says, plus the router's load balancing. A run that is interrupted goes on where it was.
"""

from __future__ import annotations

import argparse
import itertools
import random
import time
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.utils import parametrize

from training.conversations import Renderer, Sample, ask, samples
from training.exported import exported_weights
from training.muon import Muon
from training.network import Decoder, Shape
from training.quantization import own_weights, train_through_rounding

SHAPES = {
    "tiny": Shape(128, 4, 4, 2, 384, num_experts=128),
    "tiny-dense": Shape(192, 4, 6, 3, 512),
}
TOKENS = {"tiny": 46_000_000, "tiny-dense": 37_000_000}
BATCH_TOKENS = 5120
POOL = 1024  # samples sorted by length together, so that a batch has little padding
BALANCE = 0.01
MUON_LR, ADAM_LR = 0.01, 0.003
WARMUP, DECAY, ROUNDED = 0.02, 0.5, 0.25  # shares of the run; the last is trained through rounding
IGNORED = -100


def collate(batch: list[Sample]) -> tuple[Tensor, Tensor]:
    """Samples to ids [B, L] and targets [B, L]: the next id where it is learned."""
    length = max(len(s.ids) for s in batch)
    ids = torch.zeros(len(batch), length, dtype=torch.long)
    targets = torch.full((len(batch), length), IGNORED, dtype=torch.long)
    for row, sample in enumerate(batch):
        here = torch.tensor(sample.ids)
        ids[row, : len(here)] = here
        learned = torch.tensor(sample.learned[1:])
        targets[row, : len(here) - 1] = torch.where(learned, here[1:], IGNORED)
    return ids, targets


def batches(source: Iterator[Sample], rng: random.Random) -> Iterator[list[Sample]]:
    """Batches of about BATCH_TOKENS, of samples alike in length, in random order."""
    while True:
        pool = sorted(itertools.islice(source, POOL), key=lambda s: len(s.ids))
        found: list[list[Sample]] = [[]]
        for sample in pool:
            if len(sample.ids) * (len(found[-1]) + 1) > BATCH_TOKENS:
                found.append([])
            found[-1].append(sample)
        rng.shuffle(found)
        yield from found


def loss_of(model: Decoder, ids: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy on the learned positions, plus load balancing."""
    learned = targets != IGNORED
    with parametrize.cached():
        entropy = F.cross_entropy(model.logits(model(ids)[learned]), targets[learned])
    return entropy + BALANCE * model.balance_loss()


def rate(progress: float) -> float:
    """Warm up, hold, decay linearly to nothing."""
    return min(1.0, progress / WARMUP, max(0.0, (1 - progress) / DECAY))


def optimizers(model: Decoder) -> list[torch.optim.Optimizer]:
    """Muon for the hidden matrices, AdamW for embedding, router and norms."""
    by_muon, by_adam = [], []
    for name, parameter in model.named_parameters():
        matrix = (
            parameter.dim() >= 2 and "embed" not in name and not name.endswith("mlp.gate.weight")
        )
        (by_muon if matrix else by_adam).append(parameter)
    return [
        Muon(by_muon, lr=MUON_LR),
        torch.optim.AdamW(by_adam, lr=ADAM_LR, betas=(0.9, 0.98), weight_decay=0.0),
    ]


@torch.no_grad()
def exact_share(
    model: Decoder, tokenizer: Tokenizer, kind: str, mode: str, count: int = 100
) -> float:
    """Share of held-out problems whose every learned token is the greedy choice.

    With the right thoughts given, this equals the share that greedy decoding gets right.
    """
    rng, renderer = random.Random(f"exact:{kind}"), Renderer(tokenizer)
    asked = [ask(kind, rng, held_out=True) for _ in range(count)]
    found = [renderer.turn(prompt, problem, mode, rng) for problem, prompt in asked]
    ids, targets = collate(found)
    learned = targets != IGNORED
    choice = torch.full_like(targets, IGNORED)
    choice[learned] = model.logits(model(ids)[learned]).argmax(-1)
    return float((choice == targets).all(dim=1).float().mean())


def report(model: Decoder, tokenizer: Tokenizer) -> str:
    kinds = ("sum", "difference", "product", "story", "largest", "lookup", "other")
    shares = (
        (k, exact_share(model, tokenizer, k, "think"), exact_share(model, tokenizer, k, "direct"))
        for k in kinds
    )
    return "  ".join(f"{k} {think:.2f}/{direct:.2f}" for k, think, direct in shares)


class Run:
    """One training run and its checkpoint file; ``start`` is an exported model to go on from."""

    def __init__(
        self, name: str, directory: Path, tokens: int, seed: int, start: Path | None = None
    ) -> None:
        torch.manual_seed(seed)
        self.name, self.path, self.tokens, self.seed = name, directory / f"{name}.pt", tokens, seed
        self.tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        self.model = Decoder(SHAPES[name])
        self.optimizers = optimizers(self.model)
        self.seen, self.steps, self.rounded = 0, 0, False
        if self.path.exists():
            self._resume()
        elif start:
            self.model.load_state_dict(exported_weights(start / "model.safetensors"))

    def _resume(self) -> None:
        state = torch.load(self.path, weights_only=True)
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.seen, self.steps = state["seen"], state["steps"]

    def save(self) -> None:
        state = {
            "model": own_weights(self.model),
            "optimizers": [o.state_dict() for o in self.optimizers],
            "seen": self.seen,
            "steps": self.steps,
        }
        temporary = self.path.with_suffix(".tmp")
        torch.save(state, temporary)
        temporary.rename(self.path)

    def step(self, batch: list[Sample]) -> float:
        progress = (self.seen + 1) / self.tokens
        if progress >= 1 - ROUNDED and not self.rounded:
            train_through_rounding(self.model)
            self.rounded = True
        scale = rate(progress)
        for optimizer, base in zip(self.optimizers, (MUON_LR, ADAM_LR), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = base * scale
        ids, targets = collate(batch)
        loss = loss_of(self.model, ids, targets)
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.seen += ids.numel()
        self.steps += 1
        return loss.item()

    def train(self) -> None:
        # A resumed run draws fresh problems instead of repeating those it has seen.
        source = samples(self.tokenizer, self.seed + self.steps)
        started, before = time.perf_counter(), self.seen
        for batch in batches(source, random.Random(self.seed + self.steps)):
            if self.seen >= self.tokens:
                break
            loss = self.step(batch)
            if self.steps % 50 == 0:
                speed = (self.seen - before) / (time.perf_counter() - started)
                seen = f"{self.seen / 1e6:.2f}M tokens"
                print(
                    f"{self.name} {self.steps} {seen} loss {loss:.4f} {speed:.0f} tok/s", flush=True
                )
            if self.steps % 300 == 0:
                print(f"{self.name} think/direct: {report(self.model, self.tokenizer)}", flush=True)
                self.save()
        self.save()
        print(f"{self.name} done: {report(self.model, self.tokenizer)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=SHAPES)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder with tokenizer.json; the checkpoint goes there",
    )
    parser.add_argument("--tokens", type=int, help="length of the run")
    parser.add_argument("--start", type=Path, help="an exported model to start from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    tokens = arguments.tokens or TOKENS[arguments.name]
    Run(arguments.name, arguments.out, tokens, arguments.seed, arguments.start).train()


if __name__ == "__main__":
    main()
