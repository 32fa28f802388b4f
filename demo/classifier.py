"""The model's class, and nothing else: all that a process needs to load the model."""

from __future__ import annotations

import torch
from torch import nn


class MNISTClassifier(nn.Module):
    """Takes images ``[batch, 1, 28, 28]``, gives logits ``[batch, 10]``."""

    def __init__(self) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.layers = nn.Sequential(
            nn.Linear(28 * 28, 512),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(512, 10),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.flatten(x)
        logits: torch.Tensor = self.layers(x)
        return logits
