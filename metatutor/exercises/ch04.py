"""Checkers for 04-maml."""

from __future__ import annotations

import math

import torch

from ..results import quantile
from .feedback import Exercises, Hint, ask, close

exercises = Exercises()
check = exercises.check


@exercises.add("quadratic-meta-gradient")
def quadratic_meta_gradient(answer) -> None:
    """dF/dθ of one task a/2 (φ − w)² after K inner steps: a (1 − αa)^{2K} (θ − w)."""
    for theta, a, w, alpha, steps in (
        (0.5, 6.0, 2.0, 0.1, 2),
        (1.0, 2.0, -1.0, 0.3, 3),
    ):
        found = ask(answer, theta, a, w, alpha, steps)
        shrink = 1 - alpha * a
        if close(found, a * shrink**steps * (theta - w)):
            raise Hint(
                "这是一阶近似（FOMAML）的梯度：还要乘上 dφ_K/dθ = (1 − αa)^K。",
                "this is the first-order (FOMAML) gradient: multiply it by "
                "dφ_K/dθ = (1 − αa)^K.",
            )
        if close(found, a * (theta - w)):
            raise Hint(
                "这是 θ 处的普通梯度，没有经过内循环：要在 φ_K 处求导。",
                "this is the plain gradient at θ, without the inner loop: the loss is "
                "taken at φ_K.",
            )
        if not close(found, a * shrink ** (2 * steps) * (theta - w)):
            raise Hint(
                "先证明 φ_K − w = (1 − αa)^K (θ − w)，再用链式法则。",
                "show first that φ_K − w = (1 − αa)^K (θ − w), then use the chain rule.",
            )


@exercises.add("where-maml-lands")
def where_maml_lands(answer) -> None:
    """θ* of MAML on two scalar tasks: the minimum of the mean of a (φ_K − w)²/2."""
    a, w, alpha, steps = (1.0, 6.0), (-1.0, 2.0), 0.1, 2

    def optimum(weight) -> float:
        weights = [weight(v) for v in a]
        total = sum(o * v for o, v in zip(weights, w, strict=True))
        return total / sum(weights)

    if close(answer, optimum(lambda v: v), 5e-3):
        raise Hint(
            "1.571 是 ERM（不适应）的最优点：权重还要乘上 (1 − αa)^{2K}。",
            "1.571 is the optimum of ERM, without adaptation: the weights need the "
            "factor (1 − αa)^{2K}.",
        )
    if close(answer, optimum(lambda v: v * (1 - alpha * v) ** steps), 5e-3):
        raise Hint(
            "0.627 是 FOMAML 停下的地方：它的权重只含 (1 − αa)^K，MAML 的是 (1 − αa)^{2K}。",
            "0.627 is where FOMAML stops: its weights hold only (1 − αa)^K.",
        )
    right = optimum(lambda v: v * (1 - alpha * v) ** (2 * steps))
    if not close(answer, right, 2e-3):
        raise Hint(
            "令两个任务的元梯度之和为零，解出 θ，保留三位小数。",
            "set the sum of the two tasks' meta-gradients to zero and solve for θ, to "
            "three decimals.",
        )


@exercises.add("first-order-gradient")
def first_order_gradient(answer) -> None:
    """``fomaml(theta, inner, outer, alpha)``: ∇ outer at θ − α ∇ inner(θ)."""
    theta = torch.tensor([0.4, -1.2], dtype=torch.float64)

    def inner(v):
        return (v**3).sum() + (v[0] * v[1]) ** 2

    def outer(v):
        return (v - 1).pow(4).sum()

    grad = torch.func.grad
    alpha = 0.05
    phi = theta - alpha * grad(inner)(theta)
    found = ask(answer, theta.clone(), inner, outer, alpha)
    whole = grad(lambda v: outer(v - alpha * grad(inner)(v)))(theta)
    if close(found, whole):
        raise Hint(
            "这是完整的 MAML 元梯度；FOMAML 把 φ 当常数，不再穿过内循环求导。",
            "this is MAML's whole meta-gradient; FOMAML takes φ for a constant and does "
            "not differentiate through the inner step.",
        )
    if close(found, grad(outer)(theta)):
        raise Hint(
            "外层梯度要在适应后的 φ 处取，而不是在 θ 处。",
            "take the outer gradient at the adapted φ, not at θ.",
        )
    if close(found, grad(inner)(phi)):
        raise Hint(
            "φ 是对的，但外层要对 outer（查询损失）求导，而不是 inner。",
            "φ is right, but the outer gradient is of outer (the query loss), not of "
            "inner.",
        )
    if not close(found, grad(outer)(phi)):
        raise Hint(
            "两步：φ = θ − α ∇inner(θ)，然后返回 ∇outer(φ)。",
            "two steps: φ = θ − α ∇inner(θ), then return ∇outer(φ).",
        )


@exercises.add("interval")
def interval(answer) -> None:
    """``half_width(scores)``: 1.96 s / √n."""
    torch.manual_seed(0)
    scores = torch.randn(400, dtype=torch.float64) * 3 + 1
    s, n = scores.std(), len(scores)
    found = ask(answer, scores)
    if close(found, s, 1e-2) or close(found, quantile(n) * s, 1e-2):
        raise Hint(
            "这是任务之间的离散程度：任务再多它也不会变小。均值的区间还要除以 √n。",
            "this is how much tasks differ, and more tasks do not shrink it: for the "
            "interval of the mean divide by √n.",
        )
    if close(found, s / math.sqrt(n), 1e-2):
        raise Hint(
            "这是标准误，约为 68 % 的区间；95 % 的区间要乘 1.96。",
            "this is the standard error, an interval of about 68 %: multiply by 1.96 "
            "for 95 %.",
        )
    if close(found, 2 * 1.96 * s / math.sqrt(n), 1e-2):
        raise Hint(
            "要的是半宽：不必乘 2。", "half the width is asked for: no factor of 2."
        )
    if not close(found, 1.96 * s / math.sqrt(n), 3e-3):
        raise Hint(
            "半宽 = 1.96 × 标准差 / √n。",
            "half the width = 1.96 × standard deviation / √n.",
        )
