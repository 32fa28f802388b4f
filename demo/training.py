"""Train the classifier and measure it. Only the training side has this file; the processes that load models do not."""

from __future__ import annotations

import torch
from sklearn.metrics import accuracy_score, f1_score
from torch import nn

from classifier import MNISTClassifier
from digits import Digits

BATCH = 64


def train(digits: Digits, *, epochs: int, seed: int = 0) -> MNISTClassifier:
    """A classifier that has seen every digit ``epochs`` times; the same seed gives the same classifier."""
    torch.manual_seed(seed)
    model = MNISTClassifier()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    for _ in range(epochs):
        for batch in torch.split(torch.randperm(len(digits)), BATCH):
            optimizer.zero_grad()
            criterion(model(digits.images[batch]), digits.labels[batch]).backward()
            optimizer.step()
    return model.eval()


def measure(model: MNISTClassifier, digits: Digits) -> dict[str, float]:
    """Accuracy, cross-entropy loss and macro F1 on digits that the model has never seen."""
    with torch.no_grad():
        logits = model(digits.images)
    predicted = logits.argmax(dim=1)
    return {
        "accuracy": round(float(accuracy_score(digits.labels, predicted)), 4),
        "loss": round(float(nn.functional.cross_entropy(logits, digits.labels)), 4),
        "f1_score": round(float(f1_score(digits.labels, predicted, average="macro")), 4),
    }
