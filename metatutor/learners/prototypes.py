"""Prototypical networks: a class is the mean of its examples."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ..checks import is_label
from ..ways import ways_of
from .base import Learner, Loss


class PrototypicalNetwork(Learner):
    """Classifies by the nearest class mean in a learned space.

    The class means c_k of the embedded support set are the *prototypes*; a query's
    outputs are −‖f(x) − c_k‖², which a softmax turns into probabilities. Adaptation
    is one pass through the network: there are no inner steps.

    Source: Snell et al. 2017, equations 1 and 2, algorithm 1.

    Args:
        backbone: f, ``(images, …) -> (images, features)``.
        loss: ``loss(outputs, targets)``; outputs are ``(queries, ways)``.

    Raises:
        ValueError: a class below the highest label has no support example.
    """

    def __init__(self, backbone: nn.Module, loss: Loss = cross_entropy) -> None:
        super().__init__(backbone, loss)
        # one task is a batch of images already: little to gain from many at once
        self.strategy = "loop"

    def fit(
        self, support_x: Tensor, support_y: Tensor, steps: int | None = None
    ) -> Tensor:
        """The prototypes, ``(ways, features)``. ``steps`` has no meaning here."""
        return class_means(embedded(self.model, support_x), support_y)

    def predict(self, prototypes: Tensor, query_x: Tensor) -> Tensor:
        """−‖f(x) − c_k‖², ``(queries, ways)``."""
        return -squared_distances(self.model(query_x), prototypes)


def embedded(backbone: nn.Module, x: Tensor) -> Tensor:
    """The features of these examples, ``(examples, features)``, or refused."""
    features = backbone(x)
    if features.dim() != 2 or len(features) != len(x):
        raise ValueError(
            f"the backbone turns {tuple(x.shape)} into {tuple(features.shape)}: "
            "(examples, features) is needed, one row for each; end it in nn.Flatten()"
        )
    return features


def class_means(features: Tensor, labels: Tensor) -> Tensor:
    """The mean of each class, ``(examples, features) -> (ways, features)``."""
    members = memberships(labels, features.dtype)
    return members.T @ features / members.sum(0)[:, None]


def memberships(labels: Tensor, dtype: torch.dtype) -> Tensor:
    """1 where an example is of a class, else 0: ``(examples,) -> (examples, ways)``.

    Raises:
        ValueError: labels that are no whole numbers, one for each example, or a class
            below the highest label that has no example.
    """
    if labels.dim() != 1 or not is_label(labels):
        raise ValueError(
            f"labels are {labels.dtype} of shape {tuple(labels.shape)}: one whole "
            "number for each example, (examples,), is needed"
        )
    classes = torch.arange(ways_of(labels, complete=True), device=labels.device)
    return (labels[:, None] == classes).to(dtype)


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """‖a_i − b_j‖², ``(m, features), (n, features) -> (m, n)``."""
    return (a[:, None] - b[None]).square().sum(-1)
