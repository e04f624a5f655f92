"""How much memory a meta-gradient takes, and how many tasks fit into a limit."""

from __future__ import annotations

import ctypes
import sys
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

MEBIBYTE = 2**20
LOST = 2.0
"""Resident memory over the bytes of tensors: as these come and go, the allocator of
Linux leaves gaps between them, 10 to 85 % of their size when measured."""


class Allocations(TorchDispatchMode):
    """Counts the bytes of tensors made within it that are alive, and their peak.

    Args:
        known: tensors that were there before.
    """

    def __init__(self, known: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.alive = self.peak = 0
        self.seen: weakref.WeakKeyDictionary[Any, None] = weakref.WeakKeyDictionary()
        self.known = [tensor.untyped_storage() for tensor in known]
        self.pointers = {storage.data_ptr() for storage in self.known}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self.note(leaf.untyped_storage())
        return result

    def note(self, storage: torch.UntypedStorage) -> None:
        """Counts a storage once, until it is gone."""
        if storage in self.seen or storage.data_ptr() in self.pointers:
            return
        size = storage.nbytes()
        self.seen[storage] = None
        weakref.finalize(storage, self.gone, size)
        self.alive += size
        self.peak = max(self.peak, self.alive)

    def gone(self, size: int) -> None:
        self.alive -= size


def peak_bytes(compute: Callable[[], Any], known: Iterable[Tensor]) -> int:
    """The memory that ``compute`` takes, beside ``known``: its tensors at their most,
    and what the allocator loses between them.
    """
    with Allocations(known) as counted:
        compute()
    return int(LOST * counted.peak)


def give_back() -> None:
    """Returns what the allocator holds in reserve to the system, where it can (glibc).

    Otherwise the gaps of one computation are still there in the next, and grow.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def tasks_within(limit: float, measure: Callable[[int], int], tasks: int) -> int:
    """How many tasks at once keep a computation within a limit.

    Memory is taken to grow evenly with the number of tasks, which two measurements
    settle.

    Args:
        limit: in MiB.
        measure: the peak in bytes of computing so many tasks.
        tasks: the most that may be asked of ``measure``, and be returned.

    Raises:
        ValueError: one task alone takes more.
    """
    one = measure(1)
    if one > limit * MEBIBYTE:
        raise ValueError(
            f"memory is {limit} MiB, but a single task takes {one / MEBIBYTE:.3g} MiB"
        )
    several = min(tasks, 3)
    if several == 1:
        return 1
    each = max(1.0, (measure(several) - one) / (several - 1))
    return min(tasks, 1 + int((limit * MEBIBYTE - one) / each))
