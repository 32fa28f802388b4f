"""Real handwritten digits: the 1,797 that scikit-learn ships, enlarged to the classifier's 28 × 28 pixels."""

from __future__ import annotations

import torch
from attrs import frozen
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.nn.functional import interpolate

DARKEST = 16.0  # the data's pixels are 0 … 16
SIDE = 28


@frozen(eq=False)
class Digits:
    """Images ``[n, 1, 28, 28]``, from 0 (paper) to 1 (ink), and the digits ``[n]`` that they show."""

    images: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> Digits:
        """The first ``count`` of them."""
        return Digits(self.images[:count], self.labels[:count])


def load_split() -> tuple[Digits, Digits]:
    """Digits to learn from (three quarters) and digits to be tested with: always the same, equally many of each."""
    bunch = load_digits()
    parts = train_test_split(bunch.images, bunch.target, test_size=0.25, stratify=bunch.target, random_state=0)
    learn_images, test_images, learn_labels, test_labels = map(torch.tensor, parts)
    return Digits(_enlarge(learn_images), learn_labels), Digits(_enlarge(test_images), test_labels)


def _enlarge(images: torch.Tensor) -> torch.Tensor:
    scaled = (images.float() / DARKEST).unsqueeze(1)
    return interpolate(scaled, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
