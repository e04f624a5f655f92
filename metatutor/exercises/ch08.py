"""Checkers for 08-proximal."""

from __future__ import annotations

import torch

from .feedback import Exercises, Hint, ask, close

exercises = Exercises()
check = exercises.check

grad = torch.func.grad


@exercises.add("proximal-point")
def proximal_point(answer) -> None:
    """``proximal_point(theta, a, w, strength)`` of the task a/2 (φ − w)²."""
    theta = torch.tensor([0.4, -1.2, 2.0], dtype=torch.float64)
    w = torch.tensor([1.5, 0.3, -1.0], dtype=torch.float64)
    for a, strength in ((3.0, 0.5), (0.7, 2.0)):
        found = ask(answer, theta, a, w, strength)
        slope = a * (theta - w)
        if close(found, (a * theta + strength * w) / (a + strength)):
            raise Hint(
                "两个权重互换了：λ 越大，φ 应当越靠近 θ。",
                "the weights are swapped: the larger λ, the nearer φ must be to θ.",
            )
        if close(found, theta - slope / strength):
            raise Hint(
                "这是步长为 1/λ 的一步梯度下降：梯度要取在终点 φ 处，而不是 θ 处。",
                "this is one gradient step at rate 1/λ: the gradient must be taken at "
                "the end, φ, and not at θ.",
            )
        if close(found, (a * w + 2 * strength * theta) / (a + 2 * strength)):
            raise Hint(
                "惩罚项是 λ/2‖φ − θ‖²，求导后系数是 λ，不是 2λ。",
                "the penalty is λ/2 ‖φ − θ‖²: its derivative has λ, not 2λ.",
            )
        if close(found, a * w + strength * theta):
            raise Hint(
                "这是一个没有归一化的和：还要除以 a + λ。",
                "this sum is not a mean yet: divide by a + λ.",
            )
        if not close(found, (a * w + strength * theta) / (a + strength)):
            raise Hint(
                "令导数为零：a(φ − w) + λ(φ − θ) = 0，解出 φ。",
                "set the derivative to zero, a(φ − w) + λ(φ − θ) = 0, and solve for φ.",
            )


@exercises.add("envelope-gradient")
def envelope_gradient(answer) -> None:
    """``envelope_gradient(theta, nearest, strength)``: λ (θ − nearest(θ))."""
    theta = torch.tensor([0.4, -1.2], dtype=torch.float64)
    a = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    w = torch.tensor([1.0, 2.0], dtype=torch.float64)
    strength = 1.7
    matrix = a + strength * torch.eye(2, dtype=torch.float64)

    def nearest(theta):
        return torch.linalg.solve(matrix, a @ w + strength * theta)

    right = strength * (theta - nearest(theta))
    found = ask(answer, theta, nearest, strength)
    if close(found, -right):
        raise Hint(
            "符号反了：沿负梯度走，θ 应当靠近 φ，所以梯度指向离开 φ 的方向。",
            "the sign is wrong: a step against the gradient must bring θ nearer to φ, "
            "so the gradient points away from φ.",
        )
    if close(found, right / strength):
        raise Hint(
            "少了 λ：不乘 λ 就是 Reptile 式的更新，只差一个常数，但不是包络的梯度。",
            "λ is missing: without it this is an update in Reptile's manner, right up "
            "to a constant, but not the gradient of the envelope.",
        )
    # (θ − φ) differentiated once more, as if φ's own change counted
    again = torch.linalg.solve(matrix, a @ right)
    if close(found, again):
        raise Hint(
            "不必再乘 I − dφ/dθ：随 φ 而变的部分在最优点处为零。",
            "no factor I − dφ/dθ is needed: what depends on φ vanishes at the optimum.",
        )
    if not close(found, right):
        raise Hint(
            "先求 φ = nearest(theta)；在最优点处，只有 λ/2‖φ − θ‖² 里那个显式的 θ 要求导。",
            "find φ = nearest(theta) first; at the optimum only the explicit θ in "
            "λ/2 ‖φ − θ‖² is differentiated.",
        )


def descent(product, b, steps, *, conjugate=True, slip=None):
    """Conjugate gradients from x = 0, or what a slip makes of them."""
    x, r, p = torch.zeros_like(b), b, b
    for _ in range(steps):
        if r.norm() == 0:
            break
        ap = product(p)
        step = (r @ r) / (p @ ap)
        x = x + step * p
        after = r - step * ap
        turn = (after @ after) / (r @ r) if conjugate else 0.0
        if slip == "upside down":
            turn = (r @ r) / (after @ after)
        if slip == "turned to x":
            turn = -turn
        r = after
        p = r + turn * p
    return x


@exercises.add("conjugate-gradient")
def conjugate_gradient(answer) -> None:
    """``solve(product, b, steps)``: x with A x ≈ b, from x = 0."""
    torch.manual_seed(0)
    a = torch.randn(5, 5, dtype=torch.float64)
    a = a @ a.T + torch.eye(5, dtype=torch.float64)
    b = torch.randn(5, dtype=torch.float64)

    def product(v):
        return a @ v

    for steps in (1, 3, 5):
        found = ask(answer, product, b, steps)
        if steps > 1 and close(found, descent(product, b, steps, conjugate=False)):
            raise Hint(
                "这是最速下降：新方向要加上旧方向的一部分，p = r + turn · p。",
                "this is steepest descent: the new direction keeps a part of the old "
                "one, p = r + turn · p.",
            )
        if steps > 1 and close(found, descent(product, b, steps, slip="upside down")):
            raise Hint(
                "turn 上下颠倒了：新的 r·r 除以旧的 r·r。",
                "turn is upside down: the new r·r over the old one.",
            )
        if steps > 1 and close(found, descent(product, b, steps, slip="turned to x")):
            raise Hint(
                "新方向的符号错了：p = r + turn · p，是加不是减。",
                "the sign in the new direction is wrong: p = r + turn · p.",
            )
        if close(found, -descent(product, b, steps)):
            raise Hint(
                "符号反了：从 x = 0 出发，残差是 r = b − A x = b，沿 +p 走。",
                "the sign is wrong: from x = 0 the residual is r = b − A x = b, and the "
                "step goes along +p.",
            )
        if not close(found, descent(product, b, steps)):
            raise Hint(
                "每一步：s = r·r / p·Ap；x += s p；r −= s Ap；turn = 新 r·r / 旧 r·r；"
                "p = r + turn · p。起点 x = 0，r = p = b。",
                "each step: s = r·r / p·Ap; x += s p; r −= s Ap; turn = new r·r / old "
                "r·r; p = r + turn · p. Start from x = 0, r = p = b.",
            )


@exercises.add("implicit-gradient")
def implicit_gradient(answer) -> None:
    """``implicit_gradient(theta, inner, outer, nearest, strength)``."""
    theta = torch.tensor([0.4, -1.2], dtype=torch.float64)
    strength = 1.7
    eye = torch.eye(2, dtype=torch.float64)

    def inner(v):
        return (v**4).sum() / 4 + (v[0] * v[1]) ** 2 / 2 + v[0]

    def outer(v):
        return (v - 1).pow(4).sum()

    def nearest(theta):
        phi = theta
        for _ in range(300):
            phi = phi - 0.1 * (grad(inner)(phi) + strength * (phi - theta))
        return phi

    phi = nearest(theta)
    # not torch.func.hessian: its forward mode makes torch warn on the reader's page
    hessian = torch.func.jacrev(grad(inner))
    slope = grad(outer)(phi)

    def through(matrix):
        return torch.linalg.solve(matrix, slope)

    found = ask(answer, theta, inner, outer, nearest, strength)
    if close(found, through(eye + hessian(phi))):
        raise Hint(
            "忘了除以 λ：矩阵是 I + H/λ。",
            "the division by λ is missing: the matrix is I + H/λ.",
        )
    if close(found, through(strength * eye + hessian(phi))):
        raise Hint(
            "(H + λI)⁻¹ 还要乘 λ，才等于 (I + H/λ)⁻¹。",
            "(H + λI)⁻¹ must be multiplied by λ to equal (I + H/λ)⁻¹.",
        )
    if close(found, through(eye + hessian(theta) / strength)):
        raise Hint(
            "海森矩阵要取在 φ 处，而不是 θ 处。",
            "the Hessian must be taken at φ, not at θ.",
        )
    matrix = eye + hessian(phi) / strength
    if close(found, torch.linalg.solve(matrix, grad(outer)(theta))):
        raise Hint(
            "外层的梯度要取在 φ 处，而不是 θ 处。",
            "the outer gradient must be taken at φ, not at θ.",
        )
    if close(found, torch.linalg.solve(matrix, grad(inner)(phi))):
        raise Hint(
            "要传回 θ 的是 outer（查询损失）的梯度，而不是 inner 的。",
            "the gradient to carry back is that of outer (the query loss), not of "
            "inner.",
        )
    if close(found, slope):
        raise Hint(
            "这是一阶近似：还要乘上 dφ/dθ = (I + H/λ)⁻¹。",
            "this is first-order: multiply by dφ/dθ = (I + H/λ)⁻¹.",
        )
    if close(found, matrix @ slope):
        raise Hint(
            "乘了矩阵，而不是它的逆：用 torch.linalg.solve。",
            "this multiplies by the matrix, not by its inverse: use "
            "torch.linalg.solve.",
        )
    if not close(found, through(matrix)):
        raise Hint(
            "三步：φ = nearest(theta)；H 是 inner 在 φ 处的海森矩阵；解 (I + H/λ) v = ∇outer(φ)。",
            "three steps: φ = nearest(theta); H, the Hessian of inner at φ; solve "
            "(I + H/λ) v = ∇outer(φ).",
        )
