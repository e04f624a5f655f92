"""Two searches with one supernet, and the training of what they find.

Data are pairs ``(images, labels)``. Every function seeds its own batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from ..checks import at_least_one, check_seed
from ..learners.checks import check_positive
from ..learners.inner_loop import Parameters
from .cell import CellNetwork, checked_candidates
from .gradient import architecture_gradient

Data = tuple[Tensor, Tensor]
"""``(images, 1, 28, 28)`` and ``(images,)``, labels from 0 on."""


def darts(
    network: CellNetwork,
    train: Data,
    validation: Data,
    *,
    steps: int = 150,
    lr: float = 0.01,
    alpha_lr: float = 0.01,
    second_order: bool = False,
    batch: int = 32,
    seed: int = 0,
) -> Tensor:
    """Descends on α by validation batches and on the weights by training batches.

    Source: Liu et al. 2019, algorithm 1, with Adam for both.

    Args:
        network: a supernet; changed.
        train: on which the weights descend.
        validation: on which α descends; other images than ``train``.
        steps: of each.
        lr: of the weights; ξ too in second order.
        alpha_lr: of α.
        second_order: whether the weights follow α by one step.
        batch: images in a batch.
        seed: of the batches.

    Returns:
        α after each step, ``(steps, 6, candidates)``.
    """
    check_positive("alpha_lr", alpha_lr)
    by_weights = weight_optimizer(network, lr)
    by_alpha = torch.optim.Adam([network.alpha], alpha_lr, betas=(0.5, 0.999))
    path = []
    training = batches(train, batch, steps, seed)
    validating = batches(validation, batch, steps, seed + 1)
    for images, held_out in zip(training, validating, strict=True):
        network.alpha.grad = architecture_gradient(
            loss_on(network, images),
            loss_on(network, held_out),
            weights_of(network),
            network.alpha.detach(),
            rate=lr if second_order else 0.0,
        )
        by_alpha.step()
        by_weights.zero_grad()
        cross_entropy(network(images[0]), images[1]).backward()
        by_weights.step()
        path.append(network.alpha.detach().clone())
    return torch.stack(path)


def share_weights(
    network: CellNetwork,
    train: Data,
    *,
    steps: int = 150,
    lr: float = 0.01,
    batch: int = 32,
    seed: int = 0,
) -> None:
    """Trains the weights of a supernet by one random architecture for each batch.

    Source: Li and Talwalkar 2019, section 3.3 (their uniform sampling).
    """
    optimizer = weight_optimizer(network, lr)
    random = Random(seed)
    for images, labels in batches(train, batch, steps, seed):
        optimizer.zero_grad()
        path = random_architecture(random, network.candidates)
        cross_entropy(network(images, path), labels).backward()
        optimizer.step()


def best_of(
    network: CellNetwork, validation: Data, *, samples: int, seed: int = 0
) -> tuple[str, ...]:
    """Of random architectures the most accurate one with the shared weights."""
    at_least_one("samples", samples)
    random = Random(seed)
    drawn = [random_architecture(random, network.candidates) for _ in range(samples)]
    return max(drawn, key=lambda path: correct(network, validation, path).mean())


def fit(
    network: CellNetwork,
    train: Data,
    *,
    steps: int = 300,
    lr: float = 0.01,
    batch: int = 32,
    seed: int = 0,
) -> CellNetwork:
    """Trains a network by Adam whose rate falls evenly to 0, and returns it."""
    optimizer = weight_optimizer(network, lr)
    for step, (images, labels) in enumerate(batches(train, batch, steps, seed)):
        optimizer.param_groups[0]["lr"] = lr * (1 - step / steps)
        optimizer.zero_grad()
        cross_entropy(network(images), labels).backward()
        optimizer.step()
    return network


@torch.no_grad()
def correct(network: CellNetwork, data: Data, path=None) -> Tensor:
    """Which images are told right, ``(images,)`` of 0 and 1."""
    images, labels = data
    return (network(images, path).argmax(1) == labels).float()


def random_architecture(
    random: Random, candidates: Sequence[Sequence[str]] | None = None
) -> tuple[str, ...]:
    """One operation for each edge, all alike likely; of all operations if None."""
    each = checked_candidates(candidates)
    return tuple(random.choice(names) for names in each)


def batches(data: Data, size: int, steps: int, seed: int) -> Iterator[Data]:
    """Batches drawn with replacement, the same for the same seed."""
    images, labels = data
    if len(images) != len(labels) or not len(images):
        raise ValueError(
            f"{len(images)} images and {len(labels)} labels: as many of both are "
            "needed, and at least one"
        )
    at_least_one("batch", size)
    at_least_one("steps", steps)
    check_seed("seed", seed)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        chosen = torch.randint(len(images), (size,), generator=generator)
        yield images[chosen], labels[chosen]


def weights_of(network: CellNetwork) -> Parameters:
    """All parameters but α, detached."""
    named = network.named_parameters()
    return {name: value.detach() for name, value in named if name != "alpha"}


def weight_optimizer(network: CellNetwork, lr: float) -> torch.optim.Adam:
    """Adam on all parameters but α."""
    check_positive("lr", lr)
    named = network.named_parameters()
    return torch.optim.Adam([p for name, p in named if name != "alpha"], lr)


def loss_on(network: CellNetwork, data: Data):
    """The loss on a batch as a function of the weights and of α."""
    images, labels = data

    def loss(weights: Parameters, alpha: Tensor) -> Tensor:
        outputs = functional_call(network, {**weights, "alpha": alpha}, (images,))
        return cross_entropy(outputs, labels)

    return loss
