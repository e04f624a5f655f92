"""Learners of the Omniglot challenge: to train with, to judge with, to compare with."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample

from ..data.augment import deformations
from ..learners import Learner, PrototypicalNetwork


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


class ManyViews(PrototypicalNetwork):
    """A prototypical network that looks at every image in many slight deformations.

    How the features of the support images move under the deformations shows in which
    directions *these* classes vary: distances are measured after shrinking those
    directions, as in Fisher's linear discriminant with a regularised scatter matrix.
    The distance of a query from a class is then the sum of two: from the nearest
    deformation of the support image, and of the nearest deformation of the query from
    the support image itself. Nothing is trained, and a query's outputs depend on the
    support set and on that query alone.

    Args:
        backbone: f, ``(images, 1, height, width) -> (images, features)``, whose
            prediction for an image depends on that image alone.
        views: deformations of each image, at least 2; always the same ones.
        strength: of the deformations, see `metatutor.data.augment.deformations`.
        shrinkage: the mean variance, times this, is added to the variance of each
            direction: the larger, the less directions differ.
    """

    def __init__(
        self,
        backbone: nn.Module,
        views: int = 24,
        strength: float = 0.8,
        shrinkage: float = 1.0,
    ) -> None:
        super().__init__(backbone)
        generator = torch.Generator().manual_seed(0)
        # fixed: what an image is compared with must not depend on its place in a batch
        self.register_buffer(
            "where", deformations(views, (28, 28), generator, strength)
        )
        self.shrinkage = shrinkage

    def embed(self, images: Tensor) -> Tensor:
        """Features of each image as it is and deformed: (1 + views, images, …)."""
        views, count = len(self.where), len(images)
        where = self.where.repeat_interleave(count, 0)
        deformed = grid_sample(
            images.repeat(views, 1, 1, 1), where, align_corners=False
        )
        everything = torch.cat([images, deformed])
        return self.model(everything).view(1 + views, count, -1)

    def fit(
        self, support_x: Tensor, support_y: Tensor, steps: int | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Directions to shrink, by how much, and the support views in their order."""
        if support_y.bincount().ne(1).any():
            raise ValueError("ManyViews is for one shot: one support image a class")
        features = self.embed(support_x)[:, support_y.argsort()]
        moved = (features - features.mean(0)).flatten(0, 1)
        # by the smaller Gram matrix, of (1 + views) · ways images, not of features
        squares, mixtures = torch.linalg.eigh(moved @ moved.T)
        some = squares > 1e-5 * squares[-1]
        squares, mixtures = squares[some], mixtures[:, some]
        directions = mixtures.T @ moved / squares.sqrt()[:, None]
        variance = squares / len(moved)
        floor = self.shrinkage * variance.sum() / features.shape[-1]
        keep = (floor / (floor + variance)).sqrt()
        return directions, keep, whiten(features, directions, keep)

    def predict(self, fitted: tuple[Tensor, Tensor, Tensor], query_x: Tensor) -> Tensor:
        """Minus the sum of both distances, ``(queries, ways)``."""
        directions, keep, support = fitted
        query = whiten(self.embed(query_x), directions, keep)
        queries, ways = query.shape[1], support.shape[1]
        to_support = torch.cdist(query[0], support.flatten(0, 1)).square()
        from_query = torch.cdist(query.flatten(0, 1), support[0]).square()
        nearest = to_support.view(queries, -1, ways).amin(1)
        return -(nearest + from_query.view(-1, queries, ways).amin(0))


def whiten(features: Tensor, directions: Tensor, keep: Tensor) -> Tensor:
    """``features`` with each of the ``directions`` shrunk to the part to ``keep``."""
    along = features @ directions.T
    return features - (along * (1 - keep)) @ directions


class ModifiedHausdorff(Learner):
    """The nearest support image in the modified Hausdorff distance: nothing is learned.

    The ink of an image is a cloud of points around its centre of mass. From one cloud
    to another it is as far as its points are, on average, from the nearest of the
    other; the distance is the larger of the two ways. This was the baseline of Lake et
    al. 2015, which errs in 38.8 % of the official trials, at 105×105 pixels. Source:
    Dubuisson and Jain 1994, "A modified Hausdorff distance for object matching".
    """

    def __init__(self) -> None:
        super().__init__(nn.Identity(), nn.functional.cross_entropy)
        self.strategy = "loop"

    def fit(
        self, support_x: Tensor, support_y: Tensor, steps: int | None = None
    ) -> list[Tensor]:
        """The points of each support image, in the order of the classes."""
        return [points(image) for image in support_x[support_y.argsort()]]

    def predict(self, clouds: list[Tensor], query_x: Tensor) -> Tensor:
        """Minus the distances, ``(queries, ways)``."""
        rows = [[hausdorff(points(x), cloud) for cloud in clouds] for x in query_x]
        return -torch.tensor(rows)


def points(image: Tensor) -> Tensor:
    """Where ink is, from its centre: ``(1, height, width) -> (points, 2)``."""
    found = (image[0] > 0.3).nonzero().float()
    return found - found.mean(0)


def hausdorff(a: Tensor, b: Tensor) -> float:
    """The modified Hausdorff distance of two clouds, ``(points, 2)``, in pixels."""
    apart = torch.cdist(a, b)
    return max(apart.amin(1).mean(), apart.amin(0).mean()).item()
