"""Zero-shot learning: a class is known by its description, not by examples.

A *compatibility* scores an image against a description, F(x, c) = f(x)ᵀ V a_c, and is
learned on seen classes (Lampert et al. 2014; Romera-Paredes and Torr 2015). To add a
class is to add its description: no gradient step, and no learner that adapts.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from .checks import at_least_one, check_finite
from .results import Result


def eszsl(
    features: Tensor,
    labels: Tensor,
    descriptions: Tensor,
    gamma: float = 1.0,
    strength: float = 1.0,
) -> Tensor:
    """V of "an embarrassingly simple approach to zero-shot learning", in closed form.

    With X = features, Y = ±1 for the class of an image and S = descriptions, each row
    an image or a class:
    V = (XᵀX + γI)⁻¹ Xᵀ Y S (SᵀS + λI)⁻¹, the minimum of
    ‖XVSᵀ − Y‖² + γ‖VSᵀ‖² + λ‖XV‖² + γλ‖V‖² (Romera-Paredes and Torr 2015, section 3;
    their columns are rows here).

    Args:
        features: f(x) of the images of seen classes, ``(images, features)``.
        labels: their classes, ``(images,)``, rows of ``descriptions``.
        descriptions: a_c of the seen classes, ``(classes, components)``.
        gamma: γ, penalises how long a description is in feature space.
        strength: λ, penalises how long an image is in description space.

    Returns:
        V, ``(features, components)``; ``features @ V @ descriptions.T`` are scores.

    Raises:
        ValueError: shapes or labels that do not fit, numbers that are not finite, or
            a penalty that is not above 0.
    """
    if features.dim() != 2 or labels.shape != features.shape[:1]:
        raise ValueError(
            f"features are {tuple(features.shape)} and labels {tuple(labels.shape)}: "
            "(images, features) and (images,) are needed"
        )
    check_descriptions(descriptions)
    if labels.dtype != torch.long or not len(labels):
        raise ValueError("labels are none, or no whole numbers (torch.long)")
    if labels.min() < 0 or labels.max() >= len(descriptions):
        raise ValueError(
            f"labels are {int(labels.min())} to {int(labels.max())}: rows of the "
            f"{len(descriptions)} descriptions, counted from 0, are needed"
        )
    check_finite("features", features)
    for name, value in (("gamma", gamma), ("strength", strength)):
        if not 0 < value < float("inf"):
            raise ValueError(f"{name} is {value}: a number above 0 is needed")
    y = features.new_full((len(labels), len(descriptions)), -1.0)
    y[torch.arange(len(labels)), labels] = 1
    left = features.T @ features + gamma * torch.eye(features.shape[1]).to(features)
    right = descriptions.T @ descriptions
    right = right + strength * torch.eye(len(right)).to(right)
    middle = features.T @ y @ descriptions
    # both matrices are symmetric: M R⁻¹ = (R⁻¹ Mᵀ)ᵀ
    return torch.linalg.solve(right, torch.linalg.solve(left, middle).T).T


class Compatibility(nn.Module):
    """F(x, c) = f(x)ᵀ V a_c with both f and V learned by cross-entropy.

    Descriptions are brought to unit length, or classes with many components would
    score more. Source: the bilinear form of Romera-Paredes and Torr 2015 on a deep f.

    Args:
        model: f, any module, ``(images, …) -> (images, features)``.
        features: the width of what it returns.
        components: the width of a description.

    ``forward(images, descriptions)`` gives scores, ``(images, classes)``: of whatever
    classes are described, seen in training or not.
    """

    def __init__(self, model: nn.Module, features: int, components: int) -> None:
        super().__init__()
        self.model = model
        self.V = nn.Linear(
            at_least_one("features", features),
            at_least_one("components", components),
            bias=False,
        )

    def forward(self, images: Tensor, descriptions: Tensor) -> Tensor:
        check_descriptions(descriptions)
        wanted = self.V.out_features
        if descriptions.shape[1] != wanted:
            raise ValueError(
                f"descriptions have {descriptions.shape[1]} components: this "
                f"compatibility has learned {wanted}"
            )
        return self.V(self.model(images)) @ normalize(descriptions, dim=1).T


def by_class(scores: Tensor, labels: Tensor) -> Result:
    """Top-1 accuracy of each class, with an interval *over classes*.

    Images of one class succeed and fail together, so that their number says little:
    the class is what was drawn at random (Xian et al. 2019 average over classes, too).

    Args:
        scores: ``(images, candidates)``.
        labels: the right candidate of each image, ``(images,)``.

    Returns:
        a Result whose ``per_task`` has one entry for each class that has images, in the
        order of their numbers.
    """
    if scores.dim() != 2 or labels.shape != scores.shape[:1]:
        raise ValueError(
            f"scores are {tuple(scores.shape)} and labels {tuple(labels.shape)}: "
            "(images, candidates) and (images,) are needed"
        )
    right = (scores.argmax(1) == labels).double()
    classes, place, number = labels.unique(return_inverse=True, return_counts=True)
    total = right.new_zeros(len(classes)).index_add(0, place, right)
    return Result((total / number).float(), "accuracy")


def harmonic_mean(seen: float, unseen: float) -> float:
    """2su/(s + u) of the accuracies on seen and unseen classes; 0 if both are 0.

    High only if both are: who answers with seen classes alone gets 0 (Xian et al. 2019,
    section 3.2).
    """
    for name, value in (("seen", seen), ("unseen", unseen)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is {value}: an accuracy from 0 to 1 is needed")
    return 2 * seen * unseen / (seen + unseen) if seen + unseen else 0.0


def check_descriptions(descriptions: Tensor) -> None:
    """Refuses what is no table with a description in each row."""
    if descriptions.dim() != 2 or not descriptions.is_floating_point():
        raise ValueError(
            f"descriptions are {tuple(descriptions.shape)} {descriptions.dtype}: "
            "(classes, components) of floating point is needed"
        )
    check_finite("descriptions", descriptions)
    if (descriptions == 0).all(1).any():
        raise ValueError("a description is all zeros, and says nothing of its class")
