"""Checkers for 12-derivation."""

from __future__ import annotations

import torch

from .feedback import Exercises, Hint, ask, close

exercises = Exercises()
check = exercises.check

grad = torch.func.grad


@exercises.add("surrogate-gradient")
def surrogate_gradient(answer) -> None:
    """``bce_gradient(w, x, y)``: the mean of (σ(wᵀx) − y) x."""
    torch.manual_seed(0)
    x = torch.randn(7, 3, dtype=torch.float64)
    w = torch.tensor([0.4, -1.2, 2.0], dtype=torch.float64)
    y = torch.tensor([0.0, 1, 1, 0, 1, 0, 1], dtype=torch.float64)
    p = torch.sigmoid(x @ w)
    right = x.T @ (p - y) / len(y)
    found = ask(answer, w, x, y)
    if close(found, right * len(y)):
        raise Hint(
            "损失是样本上的均值：和还要除以样本数 n。",
            "the loss is a mean over examples: divide the sum by n.",
        )
    if close(found, -right):
        raise Hint(
            "符号反了：是 p̂ − y，不是 y − p̂；预测偏大时梯度要让它变小。",
            "the sign is wrong: p̂ − y, not y − p̂.",
        )
    if close(found, x.T @ (x @ w - y) / len(y)):
        raise Hint(
            "漏了 σ：这是平方误差的梯度，误差应当是 σ(wᵀx) − y。",
            "σ is missing: this is the gradient of the squared error, and the error "
            "should be σ(wᵀx) − y.",
        )
    if close(found, x.T @ ((p - y) * p * (1 - p)) / len(y)):
        raise Hint(
            "多乘了 σ′ = p̂(1 − p̂)：交叉熵对 p̂ 的导数里有它的倒数，正好约掉。",
            "σ′ = p̂(1 − p̂) does not belong here: the derivative of the cross-entropy "
            "in p̂ has its reciprocal, and the two cancel.",
        )
    if not close(found, right):
        raise Hint(
            "先写成 log(1 + e^z) − yz，z = wᵀx；对 z 求导，再乘 x，取平均。",
            "write it as log(1 + e^z) − yz with z = wᵀx; differentiate in z, multiply "
            "by x, and take the mean.",
        )


@exercises.add("two-steps")
def two_steps(answer) -> None:
    """``two_steps(theta, inner, outer, alpha)``: (I − αH₀)(I − αH₁) ∇ outer(φ₂)."""
    theta = torch.tensor([0.4, -1.2], dtype=torch.float64)
    eye, alpha = torch.eye(2, dtype=torch.float64), 0.05

    def inner(v):
        return (v**3).sum() + (v[0] * v[1]) ** 2

    def outer(v):
        return (v - 1).pow(4).sum()

    # not torch.func.hessian: its forward mode makes torch warn on the reader's page
    hessian = torch.func.jacrev(grad(inner))
    phi1 = theta - alpha * grad(inner)(theta)
    phi2 = phi1 - alpha * grad(inner)(phi1)
    p0, p1 = (eye - alpha * hessian(phi) for phi in (theta, phi1))
    slope = grad(outer)(phi2)
    found = ask(answer, theta, inner, outer, alpha)
    if close(found, slope):
        raise Hint(
            "这是一阶近似（FOMAML）：还要乘上两步的因子 I − αH。",
            "this is first-order (FOMAML): multiply by the factors I − αH of both "
            "steps.",
        )
    if close(found, p1 @ p0 @ slope):
        raise Hint(
            "次序反了：先乘后走的那一步，(I − αH₀)(I − αH₁)∇outer，H₁ 挨着梯度。",
            "the order is reversed: the later step comes first, "
            "(I − αH₀)(I − αH₁)∇outer, with H₁ next to the gradient.",
        )
    if close(found, p0 @ p0 @ slope):
        raise Hint(
            "两个海森矩阵都取在 θ 处了：第二步的 H₁ 取在 φ₁ 处。",
            "both Hessians are taken at θ: that of the second step, H₁, belongs at φ₁.",
        )
    if close(found, p1 @ grad(outer)(phi2)) or close(found, p0 @ grad(outer)(phi2)):
        raise Hint(
            "只乘了一个因子：两步就有两个。",
            "there is only one factor: two steps have two.",
        )
    if close(found, p0 @ grad(outer)(phi1)):
        raise Hint(
            "这是一步的元梯度：再走一步，到 φ₂。",
            "this is the meta-gradient for one step: take another, to φ₂.",
        )
    if close(found, p0 @ p1 @ grad(outer)(theta)):
        raise Hint(
            "外层的梯度要取在适应后的 φ₂ 处，而不是 θ 处。",
            "take the outer gradient at the adapted φ₂, not at θ.",
        )
    if not close(found, p0 @ p1 @ slope):
        raise Hint(
            "φ₁、φ₂ 各走一步；v = ∇outer(φ₂)；先乘 I − αH(φ₁)，再乘 I − αH(θ)。",
            "a step to φ₁ and one to φ₂; v = ∇outer(φ₂); multiply by I − αH(φ₁), then "
            "by I − αH(θ).",
        )


@exercises.add("wrong-way")
def wrong_way(answer) -> None:
    """``wrong_way(theta, a, w, alpha, steps)``: whether ∇F · g_FO < 0."""
    steep, two = ([5.0], [0.0]), ([1.0, 6.0], [-1.0, 2.0])
    cases = [
        (1.0, *steep, 0.3, 1),  # αa = 1.5, odd: wrong
        (1.0, *steep, 0.3, 2),  # even: right
        (1.0, *steep, 0.1, 1),
        (0.0, *two, 0.1, 2),  # between the two methods' points: wrong
        (1.0, *two, 0.1, 2),
        (-1.0, *two, 0.1, 2),
        (1.9, *two, 0.3, 1),  # αa = 1.8 in one task, and yet right
    ]
    found, right, alone, steepest, tasks_alone = [], [], [], [], []
    for theta, a, w, alpha, steps in cases:
        a, w = (torch.tensor(v, dtype=torch.float64) for v in (a, w))
        found.append(bool(ask(answer, theta, a, w, alpha, steps)))
        left = (1 - alpha * a) ** steps
        first, full = a * left * (theta - w), a * left**2 * (theta - w)
        right.append(bool(first.mean() * full.mean() < 0))
        alone.append(bool((left < 0).any()))
        steepest.append(bool((alpha * a > 1).any()))
        tasks_alone.append(bool((first * full).mean() < 0))
    if found == [not wrong for wrong in right]:
        raise Hint(
            "True 与 False 反了：两个梯度异号时，元损失才会上升。",
            "True and False are exchanged: the meta-loss rises where the two gradients "
            "have opposite signs.",
        )
    if found in (alone, tasks_alone):
        raise Hint(
            "要先对任务取平均，再比较符号：逐个任务看，会漏掉两个终点之间的那一段。",
            "take the mean over tasks first and compare the signs then: task by task, "
            "the stretch between the two methods' points is missed.",
        )
    if found == steepest:
        raise Hint(
            "αa > 1 还不够：K 是偶数时 (1 − αa)^K 为正；而且任务不止一个时要比较平均值。",
            "αa > 1 is not enough: for an even K, (1 − αa)^K is positive; and with "
            "several tasks it is the means that count.",
        )
    if found != right:
        raise Hint(
            "ω_MAML = a(1 − αa)^{2K}，ω_FO = a(1 − αa)^K；比较 ω(θ − w) 的两个平均值的符号。",
            "ω_MAML = a(1 − αa)^{2K}, ω_FO = a(1 − αa)^K; compare the signs of the two "
            "means of ω(θ − w).",
        )


@exercises.add("largest-rate")
def largest_rate(answer) -> None:
    """``largest_rate(hessian)``: 2 / λ_max."""
    for matrix in (
        [[2.0, 0.5], [0.5, 1.0]],
        [[4.0, -1.0, 0.0], [-1.0, 3.0, 0.5], [0.0, 0.5, 1.0]],
    ):
        hessian = torch.tensor(matrix, dtype=torch.float64)
        values = torch.linalg.eigvalsh(hessian)
        found = ask(answer, hessian)
        if close(found, 1 / values.max()):
            raise Hint(
                "α = 1/λ_max 时最陡的方向一步到位，还远没有发散：1 − αλ 到 −1 才是界限。",
                "at α = 1/λ_max the steepest direction arrives in one step and is far "
                "from diverging: the limit is where 1 − αλ reaches −1.",
            )
        if close(found, 2 / values.min()):
            raise Hint(
                "最先发散的是最陡的方向，即最大的特征值，而不是最小的。",
                "the steepest direction diverges first, so the largest eigenvalue "
                "counts and not the smallest.",
            )
        if close(found, 2 / values.sum()) or close(found, 2 / hessian.norm()):
            raise Hint(
                "迹和 Frobenius 范数只给出偏小的界：要的是最大的特征值。",
                "the trace and the Frobenius norm only bound it from below: the "
                "largest eigenvalue is what is needed.",
            )
        if close(found, 2 / hessian.diagonal().max()):
            raise Hint(
                "对角线上的最大元素不是最大的特征值，除非矩阵是对角的。",
                "the largest entry of the diagonal is not the largest eigenvalue, "
                "unless the matrix is diagonal.",
            )
        if not close(found, 2 / values.max()):
            raise Hint(
                "每个特征方向上的距离每步乘以 1 − αλ；何时 |1 − αλ| > 1？",
                "along each eigenvector a step multiplies the distance by 1 − αλ; when "
                "is |1 − αλ| > 1?",
            )


@exercises.add("strength-gradient")
def strength_gradient(answer) -> None:
    """``strength_gradient(theta, a_s, b_s, a_q, b_q, strength)``: dF/dλ."""
    tensor = lambda v: torch.tensor(v, dtype=torch.float64)  # noqa: E731
    theta, strength = tensor([0.4, -1.2]), 0.7
    a_s, b_s = tensor([[2.0, 0.5], [0.5, 1.0]]), tensor([1.0, -0.5])
    a_q, b_q = tensor([[1.5, -0.3], [-0.3, 0.8]]), tensor([0.2, 1.1])
    eye = torch.eye(2, dtype=torch.float64)
    matrix = a_s + strength * eye
    phi = torch.linalg.solve(matrix, b_s + strength * theta)
    slope, moved = a_q @ phi - b_q, phi - theta
    right = -slope @ torch.linalg.solve(matrix, moved)
    found = ask(answer, theta, a_s, b_s, a_q, b_q, strength)
    if close(found, -right):
        raise Hint(
            "符号反了：λ 变大，φ 朝 θ 退，dφ/dλ = −(H + λI)⁻¹(φ − θ)。",
            "the sign is wrong: a larger λ pulls φ back to θ, so "
            "dφ/dλ = −(H + λI)⁻¹(φ − θ).",
        )
    if close(found, -slope @ torch.linalg.solve(eye + a_s / strength, moved)):
        raise Hint(
            "这里的矩阵是 H + λI，不是 I + H/λ：两者差一个 λ。",
            "the matrix here is H + λI and not I + H/λ: they differ by a factor λ.",
        )
    if close(found, -slope @ moved):
        raise Hint(
            "漏了逆矩阵：λ 变动时 φ 也跟着动，还要乘 (H + λI)⁻¹。",
            "the inverse is missing: φ moves along when λ does, so multiply by "
            "(H + λI)⁻¹.",
        )
    if close(found, moved @ moved / 2):
        raise Hint(
            "这是惩罚项本身的导数，即 Moreau 包络对 λ 的导数；外层是查询损失。",
            "this is the derivative of the penalty itself, which is that of a Moreau "
            "envelope; the outer loss is the query loss.",
        )
    if close(found, -(a_s @ phi - b_s) @ torch.linalg.solve(matrix, moved)):
        raise Hint(
            "外层的梯度是查询损失的：A_Q φ − b_Q。",
            "the outer gradient is that of the query loss, A_Q φ − b_Q.",
        )
    if not close(found, right):
        raise Hint(
            "对 (A_S + λI)φ = b_S + λθ 两边求导，解出 dφ/dλ，再与 A_Q φ − b_Q 作内积。",
            "differentiate (A_S + λI)φ = b_S + λθ in λ, solve for dφ/dλ, and take its "
            "product with A_Q φ − b_Q.",
        )
