"""Tasks on several threads, one task at a time on each.

Convolutions of a few images gain little from a second thread of their own; two tasks
side by side gain nearly a factor of two. PyTorch lets go of Python's lock within its
operations, so threads suffice where these are long.
"""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from threading import Barrier

import torch

from ..tasks import TaskBatch, part
from .gradient import Learner, MetaGradient, by_autograd, trained, weighted_sum


class Workers:
    """A pool of threads, each of which computes the meta-gradients of some tasks.

    Args:
        count: how many threads.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        threads = torch.get_num_threads()
        self.pool = ThreadPoolExecutor(
            count, "metatutor", initializer=torch.set_num_threads, initargs=(1,)
        )
        # all must start now, each waiting for the others: the number of threads that
        # one sets for itself becomes that of all new threads, until it is put back
        together = Barrier(count)
        list(self.pool.map(lambda _: together.wait(), range(count)))
        torch.set_num_threads(threads)

    def __call__(
        self, learner: Learner, batch: TaskBatch, at_most: int | None = None
    ) -> MetaGradient:
        """The meta-gradient of all tasks: worker i has tasks i, i + count, …

        Always the same tasks for each worker, and added up in the same order, so that
        the result does not depend on which is faster.

        Args:
            learner: left as it is.
            batch: the tasks.
            at_most: how many workers to use; all if None.
        """
        count = min(self.count, at_most or self.count, len(batch))
        copies = [sharing_copy(learner) for _ in range(count)]
        parameters = trained(learner)
        share = 1 / len(batch)

        def tasks_of(worker: int) -> MetaGradient:
            tasks = (part(batch, i, i + 1) for i in range(worker, len(batch), count))
            return weighted_sum(
                (share, by_autograd(copies[worker], task, "loop", parameters))
                for task in tasks
            )

        done = self.pool.map(tasks_of, range(count))
        return weighted_sum((1.0, each) for each in done)


def sharing_copy(learner: Learner) -> Learner:
    """A learner for another thread, with the very same tensors.

    ``functional_call`` puts other parameters into a module for a moment, which no other
    thread may see; so each has modules of its own.
    """
    tensors = chain(learner.parameters(), learner.buffers())
    return copy.deepcopy(learner, {id(tensor): tensor for tensor in tensors})
