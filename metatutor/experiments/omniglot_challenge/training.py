"""How the challenge's networks are trained: on what, and as what."""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn

from ...data import Glyphs, augment
from ...data.omniglot import load_omniglot
from ...learners import PrototypicalNetwork
from ...models import freeze_statistics, residual
from ...tasks import Episodes, Mixture, TaskSource
from ...training import meta_train

WAYS = 20
WRITERS = 5  # how many write all letters of a training task
WIDTHS = (64, 128)
LR = 4e-3
# both sets together: small1 has handwriting, the glyphs have variety
SHARE_OF_SMALL1 = 0.5


class EveryWriter(PrototypicalNetwork):
    """A prototypical network whose tasks are one-shot, each writer taking a turn.

    In an aligned task, image j of every class is by writer j. Each writer's letters
    in turn are the prototypes that all other writers' letters are compared with: 5
    writers make 20 one-shot tasks out of the images of one.
    """

    def task_loss(
        self,
        support_x: Tensor,
        support_y: Tensor,
        query_x: Tensor,
        query_y: Tensor,
        steps: int | None = None,
    ) -> Tensor:
        """The mean loss over all ordered pairs of writers."""
        ways = len(support_y)
        # from class by class to writer by writer
        others = query_x.unflatten(0, (ways, -1)).transpose(0, 1)
        images = torch.cat([support_x[None], others])
        writers = len(images)
        features = self.model(images.flatten(0, 1))
        squares = features.square().sum(-1)
        distances = squares[:, None] + squares[None] - 2 * features @ features.T
        distances = distances.view(writers, ways, writers, ways)
        # (queries' writer, prototypes' writer, query, prototype)
        pairs = distances.transpose(1, 2)[~torch.eye(writers, dtype=torch.bool)]
        return self.loss(-pairs.flatten(0, 1), support_y.repeat(len(pairs)))


def training_source(data: str, split: str, root: str) -> TaskSource:
    """Where training tasks come from: "glyphs", "small1" or "both"."""
    glyphs = small1 = None
    changes = {"augment": [augment.turn, augment.warp], "aligned": True}
    if data != "small1":
        held = Glyphs(split)
        glyphs = Episodes(
            held.examples, WAYS, 1, WRITERS - 1, groups=held.scripts, **changes
        )
    if data != "glyphs":
        held = load_omniglot("small1", root)
        small1 = Episodes(
            held.images, WAYS, 1, WRITERS - 1, groups=held.alphabets, **changes
        )
    if data == "both":
        return Mixture([glyphs, small1], [1 - SHARE_OF_SMALL1, SHARE_OF_SMALL1])
    return glyphs or small1


def train(
    data: str,
    iterations: int,
    seed: int,
    split: str = "train",
    widths: tuple[int, ...] = WIDTHS,
    root: str = "data",
    progress: bool = False,
) -> tuple[nn.Module, float]:
    """A trained backbone with frozen statistics, and the seconds it took.

    The statistics are those of plain training images: of handwriting, where there is
    some among them.
    """
    torch.manual_seed(seed)
    learner = EveryWriter(residual(widths))
    source = training_source(data, split, root)
    started = time.perf_counter()
    meta_train(
        learner,
        source,
        iterations=iterations,
        meta_batch=1,
        lr=LR,
        anneal=True,
        seed=seed,
        progress=progress,
    )
    seconds = time.perf_counter() - started
    if data == "glyphs":
        seen = Glyphs(split).examples
    else:
        seen = load_omniglot("small1", root).images
    return freeze_statistics(learner.model, seen[:, ::5].flatten(0, 1)), seconds
