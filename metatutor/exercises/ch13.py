"""Checkers for 13-case-images."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from ..results import quantile
from .feedback import Exercises, Hint, ask, close

exercises = Exercises()
check = exercises.check


@exercises.add("task-index")
def task_index(answer) -> None:
    """``objective(tasks)``: the mean over tasks of the mean cross-entropy of each.

    ``tasks`` is a list of (outputs, targets), adapted to its own task each.
    """
    g = torch.Generator().manual_seed(13)
    tasks = [
        (
            torch.randn(n, 3, generator=g, dtype=torch.float64),
            torch.randint(3, (n,), generator=g),
        )
        for n in (4, 9, 6)  # different sizes: a pooled mean is another number
    ]
    found = ask(answer, tasks)
    right = torch.stack([cross_entropy(z, y) for z, y in tasks])
    outputs, targets = (torch.cat(parts) for parts in zip(*tasks, strict=True))
    wrong = torch.stack([(z.argmax(1) != y).double().mean() for z, y in tasks])
    if close(found, wrong.mean()):
        raise Hint(
            "这是错误率：它几乎处处梯度为零，训练不动。这里要的是交叉熵。",
            "this is the error rate, whose gradient is zero almost everywhere: nothing "
            "would train. The cross-entropy is asked for.",
        )
    if close(found, right[0]):
        raise Hint(
            "只用了第一个任务：求和项里要有任务的下标，正是原文漏掉的那个。",
            "only the first task is used: the summand needs the task's index, the one "
            "that the article leaves out.",
        )
    if close(found, cross_entropy(outputs, targets)):
        raise Hint(
            "样本多的任务占了更大的份量：先在每个任务内取平均，再对任务取平均。",
            "tasks with more examples weigh more here: take the mean within each task "
            "first, then the mean over tasks.",
        )
    if close(found, right.sum()):
        raise Hint(
            "要的是任务上的平均，不是求和：求和会让外学习率随任务数变化。",
            "the mean over tasks, not a sum: with a sum, the outer rate would depend on "
            "their number.",
        )
    if close(found, -right.mean()):
        raise Hint(
            "符号反了：损失是负的对数概率。",
            "the sign is wrong: the loss is minus the log-probability.",
        )
    if not close(found, right.mean()):
        raise Hint(
            "一个样本的损失是 log Σ_c exp z_c − z_y；先对样本、再对任务取平均。",
            "one example's loss is log Σ_c exp z_c − z_y; take means over examples, then "
            "over tasks.",
        )


@exercises.add("linear-step")
def linear_step(answer) -> None:
    """``adapted(W, x, y, alpha)``: W − α (1/n) Σ_i (p_i − e_{y_i}) x_iᵀ."""
    g = torch.Generator().manual_seed(13)
    weight = torch.randn(3, 4, generator=g, dtype=torch.float64)
    x = torch.randn(6, 4, generator=g, dtype=torch.float64)
    y, alpha = torch.tensor([0, 2, 1, 1, 0, 2]), 0.3
    found = ask(answer, weight, x, y, alpha)
    scores = x @ weight.T
    labels = one_hot(y, 3).double()
    slope = (scores.softmax(1) - labels).T @ x / len(x)
    if close(found, weight + alpha * slope):
        raise Hint(
            "走反了：梯度下降要减去梯度。",
            "the step goes uphill: gradient descent subtracts the gradient.",
        )
    if close(found, weight - alpha * slope * len(x)):
        raise Hint(
            "支持损失是样本上的平均，梯度要除以样本数。",
            "the support loss is a mean over examples: divide by their number.",
        )
    if close(found, weight - alpha * (scores - labels).T @ x / len(x)):
        raise Hint(
            "少了 softmax：误差是概率减去 one-hot 标签，不是输出减去标签。",
            "the softmax is missing: the error is probabilities minus one-hot labels, "
            "not outputs minus labels.",
        )
    if close(found, weight - alpha * (scores.softmax(0) - labels).T @ x / len(x)):
        raise Hint(
            "softmax 的方向错了：要对一个样本的各个类，而不是对一个类的各个样本。",
            "the softmax goes the wrong way: over the classes of one example, not over "
            "the examples of one class.",
        )
    if close(found, slope):
        raise Hint(
            "这是梯度；要的是走一步之后的权重 φ = W − α × 梯度。",
            "this is the gradient; the weights after the step are asked for, "
            "φ = W − α × gradient.",
        )
    if not close(found, weight - alpha * slope):
        raise Hint(
            "对一个样本，梯度是 (p − e_y) xᵀ，形状与 W 相同；对样本取平均，乘 α，从 W 中减去。",
            "for one example the gradient is (p − e_y) xᵀ, of W's shape; average over "
            "the examples, multiply by α and subtract it from W.",
        )


@exercises.add("ten-tasks")
def ten_tasks(answer) -> None:
    """``half_width(scores)`` of ten accuracies: t s / √n with t = 2.2622."""
    scores = torch.tensor(
        [0.84, 0.92, 0.80, 0.88, 0.96, 0.76, 0.88, 0.92, 0.84, 1.00],
        dtype=torch.float64,
    )
    found = ask(answer, scores)
    n = len(scores)
    error = (scores.std() / math.sqrt(n)).item()
    t = quantile(n)
    if close(found, 1.96 * error, 1e-4):
        raise Hint(
            "1.96 是正态分布的分位数，要几十个任务才够用；10 个任务要用自由度为 9 的 t 分位数，2.262。",
            "1.96 is the normal quantile, for dozens of tasks; ten need that of "
            "Student's t with 9 degrees of freedom, 2.262.",
        )
    if close(found, 2.2281 * error, 1e-4):
        raise Hint(
            "2.228 是自由度为 10 的分位数；10 个任务的自由度是 n − 1 = 9。",
            "2.228 is the quantile for 10 degrees of freedom; ten tasks have "
            "n − 1 = 9.",
        )
    if close(found, 1.8331 * error, 1e-3):
        raise Hint(
            "1.833 是 95 % 分位数，只截去一边；双边区间要用 97.5 % 分位数 2.262。",
            "1.833 is the 95 % quantile, which cuts off one side only; a two-sided "
            "interval needs the 97.5 % one, 2.262.",
        )
    if close(found, t * scores.std(correction=0) / math.sqrt(n), 1e-4):
        raise Hint(
            "标准差的分母应为 n − 1（NumPy 默认是 n）。",
            "the standard deviation divides by n − 1 (NumPy's default is n).",
        )
    if close(found, t * scores.std(), 1e-3) or close(found, scores.std(), 1e-4):
        raise Hint(
            "这是任务之间的离散程度；均值的区间还要除以 √n。",
            "this is how much tasks differ; for the interval of the mean divide by √n.",
        )
    if not close(found, t * error, 2e-4):
        raise Hint(
            "半宽 = t × 标准差 / √n，其中 n = 10，t = 2.2622。",
            "half the width = t × standard deviation / √n, with n = 10 and t = 2.2622.",
        )


@exercises.add("transductive")
def transductive(answer) -> None:
    """``is_transductive(predict, queries)``: do queries see one another?"""
    g = torch.Generator().manual_seed(13)
    # whole numbers, so that the first model has no rounding
    queries = torch.randint(-3, 4, (7, 5), generator=g).float()
    weight = torch.randint(-3, 4, (5, 3), generator=g).float()

    def alone(x):
        return x @ weight

    def centred(x):  # by the mean of whatever is predicted together
        return (x - x.mean(0)) @ weight

    def rounded(x):  # alone, up to the rounding of another order of summation
        return x @ weight * (1 + 1e-7 * len(x))

    def says(predict) -> bool:
        value = ask(answer, predict, queries)
        if isinstance(value, Tensor) and value.dtype == torch.bool:
            value = value.item() if value.numel() == 1 else value
        if not isinstance(value, bool):
            raise Hint("请返回 True 或 False。", "return True or False.")
        return value

    if says(alone):
        raise Hint(
            "对一个各管各的线性分类器也答了 True：逐个预测与一起预测，它的输出是一样的。",
            "it says True of a linear classifier that treats each query alone, whose "
            "outputs are the same one at a time as together.",
        )
    if says(rounded):
        raise Hint(
            "舍入误差不是泄漏：不要用 torch.equal，用 torch.allclose 留一点余量。",
            "rounding is no leak: leave some tolerance, with torch.allclose rather than "
            "torch.equal.",
        )
    if not says(centred):
        raise Hint(
            "没有看出减去批均值的模型。打乱次序看不出来（批的统计量不变），要把查询一个一个地预测。",
            "it misses a model that subtracts the batch mean. Shuffling does not show it "
            "(the statistics of the batch stay): predict the queries one at a time.",
        )
