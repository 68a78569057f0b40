"""Muon: momentum, then every weight matrix's update made orthogonal (Jordan et al., 2024).

Knows matrices, also stacks of them ([experts, out, in] is one matrix an expert).
Everything that is no matrix of a hidden layer belongs to AdamW.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

# Quintic Newton-Schulz coefficients: steep at zero, singular values end between 0.7 and 1.2.
A, B, C = 3.4445, -4.7750, 2.0315


def orthogonalise(update: Tensor, steps: int = 5) -> Tensor:
    """The nearest semi-orthogonal matrix, roughly; update [..., rows, columns]."""
    x = update.mT if update.shape[-2] > update.shape[-1] else update
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = A * x + (B * gram + C * gram @ gram) @ x
    return x.mT if update.shape[-2] > update.shape[-1] else x


class Muon(torch.optim.Optimizer):
    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.95) -> None:
        super().__init__(list(params), {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                self._update(parameter, group["lr"], group["momentum"])

    def _update(self, parameter: Tensor, lr: float, momentum: float) -> None:
        state = self.state[parameter]
        buffer = state.setdefault("momentum", torch.zeros_like(parameter))
        buffer.lerp_(parameter.grad, 1 - momentum)
        update = orthogonalise(parameter.grad.lerp(buffer, momentum))
        rows, columns = parameter.shape[-2:]
        # Steps of AdamW's usual size, whatever the shape (Moonlight, arXiv 2502.16982, eq. 4).
        parameter.add_(update, alpha=-lr * 0.2 * max(rows, columns) ** 0.5)
