"""Checkers for 15-code."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.func import functional_call, grad
from torch.nn.functional import cross_entropy

from ..article import BLOCKS
from .feedback import Exercises, Hint, Unanswered, ask, close

exercises = Exercises()
check = exercises.check


@exercises.add("mend")
def mend(answer) -> None:
    """``mend(text, before, after)``: replaced where it was once, else ValueError."""
    for text, before, after in (
        (BLOCKS[0], "import torch.nn as nn", "import torch\nimport torch.nn as nn"),
        (BLOCKS[0], ", batch_size=64", ""),
        (
            BLOCKS[2],
            "            optimizer.step()",
            "            self.optimizer.step()",
        ),
    ):
        try:
            found = ask(answer, text, before, after)
        except ValueError:
            raise Hint(
                f"{before.strip()!r} 恰好出现一次，不该报错。",
                f"{before.strip()!r} is there once, which is no error.",
            ) from None
        if found != text.replace(before, after):
            raise Hint(
                "返回替换之后的整段文字，其余的一个字符也不改。",
                "return the whole text with the piece replaced, and no other character changed.",
            )
    for text, before, zh, en in (
        (
            BLOCKS[0],
            "import tensorflow",
            "要替换的内容不在里面时，str.replace 原样返回：补丁没有打上，却没有人知道",
            "where the piece is not there, str.replace returns the text as it was: nothing was mended, and nobody learns of it",
        ),
        (
            BLOCKS[2],
            "y = y",
            "要替换的内容出现了不止一次，str.replace 会全部替换：改动的地方比你看过的多",
            "where the piece is there more than once, str.replace replaces them all: more is changed than you have looked at",
        ),
    ):
        try:
            ask(answer, text, before, "pass")
        except ValueError:
            continue
        raise Hint(
            f"{zh}。次数不是 1，就抛出 ValueError。",
            f"{en}. Raise a ValueError unless it is there once.",
        )


def networks():
    """A small smooth network, its parameters, five examples and their labels."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    x = torch.randn(5, 3, dtype=torch.float64)
    return model, dict(model.named_parameters()), x, torch.tensor([0, 1, 1, 0, 1])


def descended(model, theta, x, y, lr, steps, reduction="mean"):
    """θ after so many steps, a function of θ."""
    phi = theta
    for _ in range(steps):
        slope = grad(
            lambda w: cross_entropy(
                functional_call(model, w, (x,)), y, reduction=reduction
            )
        )(phi)
        phi = {name: phi[name] - lr * slope[name] for name in phi}
    return phi


def meta_gradient(model, phi, theta):
    """The gradient of some loss of φ with respect to θ; None where there is no way."""
    x = torch.linspace(-1, 1, 6, dtype=torch.float64).view(2, 3)
    loss = functional_call(model, phi, (x,)).square().sum()
    if not loss.requires_grad:
        return None
    parts = torch.autograd.grad(loss, list(theta.values()), allow_unused=True)
    return None if any(part is None for part in parts) else torch.cat([p.flatten() for p in parts])  # fmt: skip


@exercises.add("inner-loop")
def inner_loop(answer) -> None:
    """``adapt(model, x, y, lr, steps)``: φ by name, differentiable in the model's θ."""
    model, theta, x, y = networks()
    before = {name: value.detach().clone() for name, value in theta.items()}
    lr, steps = 0.5, 3
    found = answer(model, x, y, lr, steps)
    if found is None or found is ...:
        raise Unanswered
    if any(not torch.equal(theta[name], before[name]) for name in theta):
        raise Hint(
            "模型的权重变了：下一个任务就会从这个任务的终点出发。适应应当算出一组新的权重 φ，不动 θ。",
            "the model's weights have changed, and the next task would start where this one ended. Adaptation computes new weights φ and leaves θ alone.",
        )
    if not isinstance(found, dict) or set(found) != set(theta):
        raise Hint(
            "返回字典，名字与 model.named_parameters() 的相同。",
            "return a dictionary with the names of model.named_parameters().",
        )
    right = descended(model, theta, x, y, lr, steps)

    def same(phi):
        return all(close(found[name], phi[name]) for name in theta)

    if same(descended(model, theta, x, y, lr, 1)):
        raise Hint(
            "这只走了一步：每一步都从上一步的 φ 出发，求梯度也在那里。",
            "this is one step: each step starts from the φ of the last one, and its gradient is taken there.",
        )
    if same(descended(model, theta, x, y, -lr, steps)):
        raise Hint(
            "方向反了：下降要减去梯度。", "this climbs: to descend, subtract the gradient."
        )  # fmt: skip
    if same(descended(model, theta, x, y, lr, steps, "sum")):
        raise Hint(
            "损失是样本的平均，不是和。", "the loss is a mean over examples, not a sum."
        )
    if not same(right):
        raise Hint(
            "从 θ = dict(model.named_parameters()) 出发，重复 steps 次：用 functional_call 算出交叉熵，求梯度，φ ← φ − lr·梯度。",
            "start at θ = dict(model.named_parameters()) and repeat, steps times: the cross-entropy by functional_call, its gradient, φ ← φ − lr·gradient.",
        )
    ours, wanted = (meta_gradient(model, phi, theta) for phi in (found, right))
    if ours is None:
        raise Hint(
            "数值对了，但 φ 与 θ 之间的计算图断了（.data、.detach()、no_grad），外循环得不到梯度。",
            "the values are right, but the graph from θ to φ is cut (by .data, .detach() or no_grad), and the outer loop gets no gradient.",
        )
    if not close(ours, wanted):
        raise Hint(
            "数值对了，但元梯度只有一阶：每一步的梯度成了常数。autograd.grad 要 create_graph=True，或者用 torch.func.grad。",
            "the values are right, but the meta-gradient is first-order: each gradient became a constant. autograd.grad needs create_graph=True, or use torch.func.grad.",
        )


@exercises.add("one-accuracy")
def one_accuracy(answer) -> None:
    """``interval(correct, total)``: accuracy and half its 95 % interval, in per cent."""
    for correct, total in ((281, 360), (9790, 10000)):
        found = ask(answer, correct, total)
        try:
            rate, half = (float(part) for part in found)
        except (TypeError, ValueError):
            raise Hint("返回两个数。", "return two numbers.") from None
        p = correct / total
        spread = math.sqrt(p * (1 - p))
        if close(rate, p):
            raise Hint("用百分数：乘以 100。", "in per cent: multiply by 100.")
        if not close(rate, 100 * p) and rate in (
            100 * correct // total,
            round(100 * p),
        ):
            raise Hint(
                "准确率成了整数：别截断，也别取整。",
                "the accuracy became a whole number: do not truncate or round it.",
            )  # fmt: skip
        if close(half, 100 * 1.96 * spread):
            raise Hint(
                "这是 1.96 个标准差，说的是一张图像；平均的区间还要除以 √n。",
                "these are 1.96 standard deviations of one image; the interval of the mean divides them by √n.",
            )
        if close(half, 100 * spread / math.sqrt(total)):
            raise Hint(
                "这是标准误；95 % 的区间还要乘 1.96。",
                "this is the standard error; a 95 % interval takes 1.96 of them.",
            )
        if close(half, 200 * 1.96 * spread / math.sqrt(total)):
            raise Hint("要半宽，不要全宽。", "half the width is asked for.")
        right = 100 * 1.96 * spread / math.sqrt(total)
        if not (close(rate, 100 * p) and close(half, right, 1e-2)):
            raise Hint(
                "对错是 0 和 1，均值 p 的标准差是 √(p(1 − p))；半宽是 1.96·√(p(1 − p)/n)，都乘以 100。",
                "right and wrong are 1 and 0, with mean p and standard deviation √(p(1 − p)); half the width is 1.96·√(p(1 − p)/n), and all of it times 100.",
            )


@exercises.add("unused")
def unused(answer) -> None:
    """``unused(source)``: parameters that the one function's body never reads."""
    loop = BLOCKS[0][BLOCKS[0].index("def meta_learning_loop") :]
    evaluation = BLOCKS[1]
    for source, right in (
        (loop, {"batch_size"}),
        (evaluation, set()),
        ("def f(x, rate=1, *, epochs=2):\n    x = rate\n", {"x", "epochs"}),
        ("def f(n, x):\n    total = 0\n    total += n\n    return total\n", {"x"}),
        ("def f(n=1, *, m=start):\n    return m\n", {"n"}),
    ):
        found = ask(answer, source)
        try:
            found = set(found)
        except TypeError:
            raise Hint(
                "返回名字的列表或集合。", "return a list or a set of names."
            ) from None
        if found == right:
            continue
        if right and not found:
            raise Hint(
                f"{sorted(right)} 在参数表里出现，在函数体里却没有被读过：只数函数体（node.body），不数参数表。",
                f"{sorted(right)} stands in the signature but is never read: count the body (node.body) only, not the signature.",
            )
        if found == right - {"x"} and "x = rate" in source:
            raise Hint(
                "x 只被赋值，没有被读过：看 ctx 是不是 ast.Load。",
                "x is assigned but never read: ask whether its ctx is an ast.Load.",
            )
        if found == right - {"epochs"} and "*, epochs" in source:
            raise Hint(
                "还有只能按名字传的参数：args.kwonlyargs。",
                "there are keyword-only parameters too: args.kwonlyargs.",
            )
        raise Hint(
            f"应为 {sorted(right)}，得到 {sorted(map(str, found))}。参数的名字减去函数体中读到的名字。",
            f"{sorted(right)} is expected, not {sorted(map(str, found))}: the names of the parameters less the names that the body reads.",
        )
