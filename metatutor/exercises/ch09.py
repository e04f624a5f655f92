"""Checkers for 09-architecture-search."""

from __future__ import annotations

import torch

from .feedback import Exercises, Hint, ask, close

exercises = Exercises()
check = exercises.check


def edge(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """α of four operations, what each gives, and the slope of a loss."""
    generator = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(  # noqa: E731
        *shape, generator=generator, dtype=torch.float64
    )
    return 2 * draw(4), draw(4, 3, 5), draw(3, 5)


@exercises.add("mixed-operation")
def mixed(answer) -> None:
    """``mixed(alpha, results)``: Σ_o softmax(α)_o o(x), without the first axis."""
    alpha, results, _ = edge()
    found = ask(answer, alpha, results)
    shares = alpha.softmax(0)
    if close(found, torch.tensordot(alpha, results, 1)):
        raise Hint(
            "α 还不是份额：先取 softmax，使各份额为正、和为 1。",
            "α are not shares yet: take the softmax, so that they are positive and sum "
            "to 1.",
        )
    if close(found, shares[:, None, None] * results):
        raise Hint(
            "各运算的结果还没有相加：对第 0 维求和。",
            "the results are not summed yet: sum over axis 0.",
        )
    if close(found, results.mean(0)):
        raise Hint(
            "这是平均，与 α 无关：要按 softmax(α) 加权。",
            "this is the mean, whatever α is: weight by softmax(α).",
        )
    if close(found, results[alpha.argmax()]):
        raise Hint(
            "这是离散化以后的运算，对 α 没有导数：搜索时要混合全部运算。",
            "this is the operation after discretising, which has no derivative by α: "
            "while searching, all are mixed.",
        )
    if not close(found, torch.tensordot(shares, results, 1)):
        raise Hint(
            "两步：shares = alpha.softmax(0)；再求各运算结果的加权和。",
            "two steps: shares = alpha.softmax(0), then the weighted sum of the "
            "results.",
        )


@exercises.add("pull-on-alpha")
def pull(answer) -> None:
    """``pull(alpha, results, slope)``: ∂ℓ/∂α, ``(operations,)``."""
    alpha, results, slope = edge(1)
    found = ask(answer, alpha, results, slope)
    p = alpha.softmax(0)
    each = (slope * results).sum((1, 2))
    right = p * (each - p @ each)
    if close(found, each):
        raise Hint(
            "这是对份额 p 的导数：还要穿过 softmax。",
            "this is the derivative by the shares p: it must still pass the softmax.",
        )
    if close(found, p * each):
        raise Hint(
            "softmax 里份额的和不变：一个增大，其余减小，所以要从 o(x) 中减去混合的结果 m。",
            "shares sum to 1: if one grows the others shrink, hence o(x) minus the "
            "mixture m.",
        )
    if close(found, each - p @ each):
        raise Hint("少了份额 p 这个因子。", "the factor p, the share, is missing.")
    if close(found, -right):
        raise Hint(
            "这是下降的方向，题目要的是导数：符号相反。",
            "this is the direction of descent; the derivative has the other sign.",
        )
    if not close(found, right):
        raise Hint(
            "p = softmax(α)，m = Σ p o(x)；第 o 个导数是 p_o ⟨slope, o(x) − m⟩。",
            "p = softmax(α), m = Σ p o(x); entry o is p_o ⟨slope, o(x) − m⟩.",
        )


@exercises.add("mixed-product")
def difference(answer) -> None:
    """``product(gradient, w, v, epsilon)``: the central difference along v."""
    w = torch.tensor([0.4, -1.2, 0.7], dtype=torch.float64)
    v = torch.tensor([1.0, 0.5, -2.0], dtype=torch.float64)
    epsilon = 0.1

    def gradient(w):
        return torch.stack([w.pow(3).sum(), w.exp().sum()])

    found = ask(answer, gradient, w, v, epsilon)
    plus, minus = gradient(w + epsilon * v), gradient(w - epsilon * v)
    right = (plus - minus) / (2 * epsilon)
    if close(found, (plus - gradient(w)) / epsilon):
        raise Hint(
            "单侧差分的误差是 ε 的一次方：用 w + εv 与 w − εv，误差是二次方。",
            "a one-sided difference has an error of order ε: from w + εv and w − εv it "
            "is of order ε².",
        )
    if close(found, right * 2):
        raise Hint(
            "两点相距 2ε，要除以 2ε。",
            "the points are 2ε apart: divide by 2ε.",
        )
    if close(found, -right):
        raise Hint("加减反了。", "plus and minus are swapped.")
    if close(found, plus - minus):
        raise Hint("还要除以 2ε。", "the division by 2ε is missing.")
    if not close(found, right):
        raise Hint(
            "中心差分是 (gradient(w + εv) − gradient(w − εv)) / 2ε。",
            "the central difference is (gradient(w + εv) − gradient(w − εv)) / 2ε.",
        )


@exercises.add("choose-operations")
def choose(answer) -> None:
    """``choose(alpha, names)``: the strongest operation of each edge, never "none"."""
    names = ["none", "skip_connect", "nor_conv_3x3"]
    alpha = torch.tensor([[2.0, 1.0, 0.5], [0.1, -1.0, 0.3], [1.0, -2.0, -3.0]])
    found = ask(answer, alpha, names)
    found = list(found) if isinstance(found, list | tuple) else []
    if found == ["none", "nor_conv_3x3", "none"]:
        raise Hint(
            "“none” 的 α 说明不了什么，不能当选：先去掉它，再取最大。",
            'the α of "none" says nothing: leave it out before taking the largest.',
        )
    if found == ["none", "skip_connect", "none"]:
        raise Hint(
            "去掉 none 以后，下标要错开一位。",
            'without "none" the indices are shifted by one.',
        )
    if [str(name) for name in found] == ["1", "2", "1"]:
        raise Hint("要返回名字，而不是下标。", "return names, not indices.")
    if found != ["skip_connect", "nor_conv_3x3", "skip_connect"]:
        raise Hint(
            "对每一行，在除 none 以外的列中取 α 最大的一列，返回它的名字。",
            'for each row take the largest α among the columns other than "none", and '
            "return its name.",
        )


@exercises.add("honest-report")
def report(answer) -> None:
    """``report(validation, test)``: what may be said of the architecture chosen."""
    validation = torch.tensor([0.61, 0.72, 0.70, 0.55])
    test = torch.tensor([0.60, 0.66, 0.69, 0.57])
    found = ask(answer, validation, test)
    if close(found, validation.max()):
        raise Hint(
            "在选的那份数据上报告，最大值偏高：换测试集。",
            "reported on the split that chose it, the maximum is too high: report on "
            "the test split.",
        )
    if close(found, test.max()):
        raise Hint(
            "这是用测试集来选：先由验证集选定，再看它的测试结果。",
            "this chooses on the test split: choose on validation, then read its test "
            "result.",
        )
    if not close(found, test[1]):
        raise Hint(
            "先由验证集选出下标，再取它的测试准确率：test[validation.argmax()]。",
            "validation chooses the index, whose test accuracy is the answer: "
            "test[validation.argmax()].",
        )
