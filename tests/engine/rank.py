"""One process of a run on several: what test_processes.py starts.

python rank.py CHECKPOINT RESULT [--dies-at N] [--fails-at N] [--iterations N] …
"""

import os
import sys
from argparse import ArgumentParser
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn

import metatutor as mt
from metatutor.tasks import TaskSource


class Troubled(TaskSource):
    """Sinusoids, until this process meets its fate."""

    def __init__(self, dies_at, fails_at):
        self.source = mt.data.Sinusoid(shots=4)
        self.calls, self.dies_at, self.fails_at = 0, dies_at, fails_at

    def sample(self, n, generator=None):
        self.calls += 1
        if self.calls == self.dies_at:
            os.kill(os.getpid(), 9)
        if self.calls == self.fails_at:
            raise ZeroDivisionError("the data are gone")
        return self.source.sample(n, generator)


def train(options):
    torch.set_num_threads(1)
    torch.manual_seed(options.rank)  # process 0 decides where everyone starts
    learner = mt.MAML(
        mt.models.mlp(1, 1, hidden=(8,), activation=nn.Tanh), mt.mse, 0.05, 2
    )
    validation = mt.data.Sinusoid(shots=4) if options.validate else None
    mt.meta_train(
        learner,
        Troubled(options.dies_at, options.fails_at),
        iterations=options.iterations,
        meta_batch=options.meta_batch,
        lr=0.01,
        seed=3,
        validate_on=validation,
        validate_every=4,
        validation_tasks=5,
        checkpoint=options.checkpoint,
        checkpoint_every=5,
        resume=True,
        engine=options.engine,
    )
    weights = nn.utils.parameters_to_vector(learner.parameters()).detach()
    torch.save(weights, f"{options.result}.{options.rank}")


def main():
    parser = ArgumentParser()
    parser.add_argument("checkpoint")
    parser.add_argument("result")
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--meta-batch", type=int, default=12)
    parser.add_argument("--engine")
    parser.add_argument("--validate", action="store_true")
    for fate in ("--dies-at", "--fails-at"):
        parser.add_argument(fate, type=int, default=0)
        parser.add_argument(f"{fate}-rank", type=int, default=-1)
    options = parser.parse_args()
    options.rank = int(os.environ.get("RANK", 0))
    for fate in ("dies_at", "fails_at"):
        if getattr(options, f"{fate}_rank") != options.rank:
            setattr(options, fate, 0)
    if "WORLD_SIZE" in os.environ:
        dist.init_process_group("gloo", timeout=timedelta(seconds=60))
    train(options)
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    sys.exit(main())
