"""How a smaller weight is stored, and computed from: parametrizations for any module of torch.

Each keeps tensors that are smaller than the weight, as buffers, and gives the weight when a module asks for it. They
are plain modules, so a version made of them is stored and loaded like any other; the PyTorch plugin imports this
module because this distribution says, in its entry points, that its classes may be named by stored models.
"""

from __future__ import annotations

import torch
from torch import nn

_NIBBLES = 16


class _ScaledWeight(nn.Module):
    """Short numbers, and a scale for each output channel: of the weight's type, ``(channels, 1, …)``."""

    def forward(self, stored: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        return stored.to(scale.dtype) * scale


class Int8Weight(_ScaledWeight):
    """``stored`` is int8, of the weight's shape: whole numbers from -127 to 127."""

    def right_inverse(self, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        scale = _greatest(weight) / 127
        return torch.round(weight / scale).clamp(-127, 127).to(torch.int8), scale


class Float8Weight(_ScaledWeight):
    """``stored`` is float8_e4m3fn, of the weight's shape."""

    def right_inverse(self, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        scale = _greatest(weight) / torch.finfo(torch.float8_e4m3fn).max
        return (weight / scale).to(torch.float8_e4m3fn), scale


class Int4Weight(nn.Module):
    """Two whole numbers in a byte, and a scale and a least value for each block of consecutive weights.

    :param stored: uint8, ``(blocks, block / 2)``.
    :param scale: float16, ``(blocks, 1)``; ``least`` likewise.
    """

    def __init__(self, shape: torch.Size, dtype: torch.dtype, block: int) -> None:
        super().__init__()
        self.shape, self.dtype, self.block = shape, dtype, block

    def forward(self, stored: torch.Tensor, scale: torch.Tensor, least: torch.Tensor) -> torch.Tensor:
        numbers = torch.stack((stored & 15, stored >> 4), dim=-1).flatten(1).to(self.dtype)
        weight = numbers * scale.to(self.dtype) + least.to(self.dtype)
        return weight.flatten()[: self.shape.numel()].view(self.shape)

    def right_inverse(self, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        flat = weight.detach().float().flatten()
        missing = -flat.numel() % self.block
        blocks = torch.cat((flat, flat[-1:].expand(missing))).view(-1, self.block)
        least = blocks.amin(1, keepdim=True).half()
        span = blocks.amax(1, keepdim=True) - least.float()
        scale = (span / (_NIBBLES - 1)).clamp(min=torch.finfo(torch.float16).tiny).half()
        numbers = torch.round((blocks - least.float()) / scale.float()).clamp(0, _NIBBLES - 1).to(torch.uint8)
        return numbers[:, ::2] | (numbers[:, 1::2] << 4), scale, least


class SparseWeight(nn.Module):
    """The weights that are not zero, and a bit for each weight that says which those are.

    :param values: Of the weight's type, in the order of the weight's memory.
    :param mask: uint8, eight weights in a byte, the first in the lowest bit.
    """

    def __init__(self, shape: torch.Size) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        bits = torch.arange(8, dtype=torch.uint8, device=mask.device)
        kept = ((mask.unsqueeze(1) >> bits) & 1).flatten()[: self.shape.numel()].bool().view(self.shape)
        weight = torch.zeros(self.shape, dtype=values.dtype, device=values.device)
        return weight.masked_scatter(kept, values)

    def right_inverse(self, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        kept = (weight != 0).flatten()
        padded = torch.cat((kept, kept.new_zeros(-kept.numel() % 8))).view(-1, 8).to(torch.int32)
        mask = (padded << torch.arange(8, device=weight.device)).sum(1).to(torch.uint8)
        return weight.detach().flatten()[kept], mask


class ChannelsWeight(nn.Module):
    """The output channels that are left; the others are zero.

    :param values: Of the weight's type, ``(channels left, …)``.
    :param channels: int32, which those are.
    """

    def __init__(self, shape: torch.Size) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, values: torch.Tensor, channels: torch.Tensor) -> torch.Tensor:
        weight = torch.zeros(self.shape, dtype=values.dtype, device=values.device)
        return weight.index_copy(0, channels.long(), values)

    def right_inverse(self, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        channels = weight.detach().flatten(1).ne(0).any(1).nonzero().flatten()
        return weight.detach()[channels].clone(), channels.to(torch.int32)


class LowRankWeight(nn.Module):
    """Two thin matrices, whose product is the weight, seen as a matrix of its output channels.

    :param left: ``(channels, rank)``; ``right``: ``(rank, the rest)``.
    """

    def __init__(self, shape: torch.Size, rank: int) -> None:
        super().__init__()
        self.shape, self.rank = shape, rank

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return (left @ right).view(self.shape)

    def right_inverse(self, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        left, energy, right = torch.linalg.svd(weight.detach().flatten(1).float(), full_matrices=False)
        root = energy[: self.rank].sqrt()
        left, right = left[:, : self.rank] * root, root.unsqueeze(1) * right[: self.rank]
        return left.to(weight.dtype).contiguous(), right.to(weight.dtype).contiguous()


def _greatest(weight: torch.Tensor) -> torch.Tensor:
    """The greatest absolute value of each output channel, in a shape that divides the weight; never zero."""
    dims = tuple(range(1, weight.dim()))
    return weight.detach().abs().amax(dims, keepdim=True).clamp(min=torch.finfo(weight.dtype).tiny * 1024)
