"""Bayesian linear regression: what ALPaCA does with a task, in closed form.

Targets are ``features @ W`` plus noise of variance σ² (its own for each output), and
the weights of an output have the prior N(mean, σ² Λ⁻¹). Λ, the precision in units of
the noise, is shared by all outputs. Source: Harrison et al. 2018.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.linalg import solve_triangular


class Weights(NamedTuple):
    """A distribution of the weights of all outputs: N(mean, σ² (L Lᵀ)⁻¹) for each.

    The mean is ``(features, outputs)``, and L, the Cholesky factor of Λ,
    ``(features, features)``.
    """

    mean: Tensor
    root: Tensor


def posterior(prior: Weights, features: Tensor, targets: Tensor) -> Weights:
    """The weights given these examples: Λ' = Λ + ΦᵀΦ, Λ' mean' = Λ mean + Φᵀ y.

    Written with what the prior mean leaves unexplained, so that no large numbers
    cancel. Source: Harrison et al. 2018, algorithm 1.

    Args:
        features: Φ, ``(examples, features)``.
        targets: ``(examples, outputs)``.
    """
    root = torch.linalg.cholesky(prior.root @ prior.root.mT + features.mT @ features)
    unexplained = targets - features @ prior.mean
    return Weights(prior.mean + inverse(root, features.mT @ unexplained), root)


def predictive(weights: Weights, features: Tensor, noise: Tensor) -> tuple:
    """Mean and variance of each target: Φ mean and σ² (1 + fᵀ Λ⁻¹ f).

    The 1 is the noise of the target itself, the rest what is not known of the weights.
    Source: Harrison et al. 2018, algorithm 2.

    Args:
        features: ``(examples, features)``; a row is f.
        noise: σ, ``(outputs,)``.

    Returns:
        ``(examples, outputs)`` each.
    """
    spread = solve_triangular(weights.root, features.mT, upper=False).square().sum(-2)
    return features @ weights.mean, (1 + spread)[:, None] * noise.square()


def log_evidence(
    prior: Weights, features: Tensor, targets: Tensor, noise: Tensor
) -> Tensor:
    """log p(targets | inputs): the density of all examples together, weights unknown.

    The quadratic is what the posterior mean leaves, plus how far it had to go from the
    prior mean. Source: Bishop 2006, equation 3.86, for any prior mean.

    Args:
        features: ``(examples, features)``.
        targets: ``(examples, outputs)``.
        noise: σ, ``(outputs,)``.
    """
    found = posterior(prior, features, targets)
    left = (targets - features @ found.mean).square().sum(-2)
    moved = (prior.root.mT @ (found.mean - prior.mean)).square().sum(-2)
    volume = log_det(prior.root) - log_det(found.root)  # the same for each output
    per_example = noise.log() + 0.5 * math.log(2 * math.pi)
    return (
        0.5 * volume
        - len(targets) * per_example
        - 0.5 * (left + moved) / noise.square()
    ).sum()


def log_det(root: Tensor) -> Tensor:
    """log det(L Lᵀ) of a Cholesky factor."""
    return 2 * root.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def inverse(root: Tensor, right: Tensor) -> Tensor:
    """(L Lᵀ)⁻¹ right, by two triangular systems."""
    half = solve_triangular(root, right, upper=False)
    return solve_triangular(root.mT, half, upper=True)
