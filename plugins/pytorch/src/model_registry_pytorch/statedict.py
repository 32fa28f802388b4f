"""The state dict of a record: which stored tensor stands under which key, without making the module."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from model_registry_pytorch.record import Record

if TYPE_CHECKING:
    import torch


def state_keys(record: Record) -> Iterator[tuple[str, str]]:
    """Each key of ``module.state_dict()`` with the tensor's name in the record, in torch's order.

    Like torch, this visits shared modules once for each path; ``record.check_shape`` bounds the number of paths.
    """
    waiting = [(0, "")]
    while waiting:
        index, prefix = waiting.pop()
        module = record.modules[index]
        kept = [(name, key) for name, key in module.buffers if name not in module.transient]
        yield from ((f"{prefix}{name}", key) for name, key in (*module.parameters, *kept) if key is not None)
        children = [(child, f"{prefix}{name}.") for name, child in module.children if child is not None]
        waiting.extend(reversed(children))


def stored_state(record: Record, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """``module.state_dict()``, without the module."""
    return collections.OrderedDict((key, tensors[name].detach()) for key, name in state_keys(record))
