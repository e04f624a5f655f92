"""`pretrain` trains an embedding as an ordinary classifier of all training classes."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm import trange

from .checks import at_least_one, check_finite, check_seed, functions
from .learners.checks import check_positive
from .misfits import misfits_refused
from .run import History, MetaLossError
from .tasks import Augment


def pretrain(
    backbone: nn.Module,
    examples: Tensor,
    *,
    iterations: int,
    batch: int = 128,
    lr: float = 1e-3,
    seed: int = 0,
    augment: Augment | Sequence[Augment] | None = None,
    progress: bool = True,
) -> History:
    """Trains ``backbone`` with a linear classifier on top, which is then dropped.

    Cross-entropy over all classes at once, Adam, the rate falling to 0 along a cosine.
    No tasks, no support sets: the ordinary training whose embedding Chen et al. 2019
    and Tian et al. 2020 reuse. The same seed gives the same backbone.

    Args:
        backbone: ``(images, …) -> (images, features)``; trained in place.
        examples: ``(classes, examples per class, …)``, of the *training* classes.
        iterations: steps of the optimiser.
        batch: examples in each step.
        lr: the rate at the start.
        seed: of the batches, the classifier's initialisation and dropout.
        augment: as in `Episodes`; called with ``(1, batch, 1, …)``.
        progress: whether to show a bar.

    Returns:
        `History`: the loss of every iteration, and the seconds.

    Raises:
        ValueError: counts below 1, a rate that is not above 0, or NaN in the examples.
        MetaLossError: the loss or a parameter stopped being a number.
    """
    for name, value in (("iterations", iterations), ("batch", batch)):
        at_least_one(name, value)
    check_positive("lr", lr)
    seed = check_seed("seed", seed)
    if not isinstance(backbone, nn.Module):
        raise TypeError(f"backbone is a {type(backbone).__name__}, not an nn.Module")
    if not any(p.requires_grad for p in backbone.parameters()):
        raise ValueError("the backbone has no parameter that wants a gradient")
    if not isinstance(examples, Tensor):
        raise TypeError(f"examples is a {type(examples).__name__}, not a tensor")
    if examples.dim() < 2 or 0 in examples.shape[:2]:
        raise ValueError(
            f"examples have shape {tuple(examples.shape)}: (classes, examples per "
            "class, …), none of them 0, is needed"
        )
    check_finite("examples", examples)
    several = augment if isinstance(augment, Sequence) else [augment]
    augment = functions("augment", several)
    classes, per_class = examples.shape[:2]
    generator = torch.Generator().manual_seed(seed)
    history = History()
    bar = trange(iterations, desc="pretrain", **({} if progress else {"disable": True}))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        with torch.no_grad(), misfits_refused(images=examples[0, :2]):
            embedded = backbone(examples[0, :2])
        if not isinstance(embedded, Tensor) or embedded.dim() != 2:
            raise ValueError(
                "the backbone does not give (images, features): end it in nn.Flatten()"
            )
        features = embedded.shape[1]
        head = nn.Linear(features, classes).to(examples.device)
        optimizer = torch.optim.Adam([*backbone.parameters(), *head.parameters()], lr)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, iterations)
        for _ in bar:
            started = time.perf_counter()
            labels = torch.randint(classes, (batch,), generator=generator)
            which = torch.randint(per_class, (batch,), generator=generator)
            images = examples[labels, which][None, :, None]
            for function in augment:
                images = function(images, generator)
            with misfits_refused(images=images[0, :, 0]):
                loss = cross_entropy(
                    head(backbone(images[0, :, 0])), labels.to(images.device)
                )
            if not loss.isfinite():
                raise MetaLossError(
                    f"the loss became {loss.item()} at iteration "
                    f"{history.iterations}: try a smaller rate"
                )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            history.loss.append(loss.item())
            history.seconds += time.perf_counter() - started
    if not all(p.isfinite().all() for p in backbone.parameters()):
        raise MetaLossError("a parameter became NaN or infinite: try a smaller rate")
    return history
