"""Checkers for 16-project."""

from __future__ import annotations

import torch

from ..results import Result
from .feedback import Exercises, Hint, ask, close

exercises = Exercises()
check = exercises.check


@exercises.add("log-uniform")
def log_uniform(answer) -> None:
    """``log_uniform(u, low, high)``: from low at 0 to high at 1, by the logarithm."""
    for low, high in ((1e-3, 10.0), (0.5, 8.0)):
        for u in (0.25, 0.6, 0.9):  # at 0.5 the wrong way round is right, too
            found = ask(answer, u, low, high)
            right = low * (high / low) ** u
            if close(found, low + u * (high - low)):
                raise Hint(
                    "这是均匀，不是对数均匀：绝大多数取值会落在最大的那个数量级里。",
                    "this is uniform, not log-uniform: nearly all values lie in the "
                    "largest order of magnitude.",
                )
            if close(found, torch.tensor(right).log()):
                raise Hint(
                    "这是取值的对数：还要取指数。",
                    "this is the logarithm of the value: take the exponential.",
                )
            if close(found, high * (low / high) ** u):
                raise Hint(
                    "方向反了：u = 0 时应得 low。",
                    "the wrong way round: at u = 0 it must be low.",
                )
            if not close(found, right):
                raise Hint(
                    "先取 log(low) 与 log(high)，在两者之间均匀地取，再取指数。",
                    "take log(low) and log(high), be uniform between them, then take "
                    "the exponential.",
                )


@exercises.add("by-script")
def by_script(answer) -> None:
    """``by_group(scores, groups)``: (mean, ci95) over groups of unequal size."""
    scores = torch.tensor([0.9, 0.7, 0.8, 0.5, 0.4, 0.6, 0.6]).double()
    groups = torch.tensor([4, 4, 4, 7, 7, 2, 2])
    means = torch.stack([scores[groups == g].mean() for g in (2, 4, 7)])
    right = interval(means)
    found = ask(answer, scores, groups)
    if not (isinstance(found, tuple | list) and len(found) == 2):
        raise Hint(
            "返回两个数：均值和区间的半宽。",
            "return two numbers: the mean and half the width of its interval.",
        )
    mean, half = found
    if close(mean, scores.mean()) and close(half, interval(scores)[1]):
        raise Hint(
            "这是按任务算的：先对每组求平均，再把各组的平均当作测量。",
            "this is over tasks: average each group first, and let the groups' means "
            "be the measurements.",
        )
    if close(mean, scores.mean()):
        raise Hint(
            "任务多的组占了更大的份量：均值应当是各组平均的平均。",
            "groups with more tasks weigh more: take the mean of the groups' means.",
        )
    if close(half, interval(means, t=1.96)[1]):
        raise Hint(
            "只有 3 组，1.96 太小：用 2 个自由度的 t 分位数，`mt.Result` 里就有。",
            "with 3 groups 1.96 is too small: use Student's t with 2 degrees of "
            "freedom, which `mt.Result` has.",
        )
    if close(half, means.std()):
        raise Hint(
            "这是标准差，说的是各组相差多少；半宽还要除以组数的平方根，再乘分位数。",
            "this is the standard deviation, how much groups differ: divide by the "
            "root of their number and multiply by the quantile.",
        )
    if not (close(mean, right[0], 1e-5) and close(half, right[1], 1e-5)):
        raise Hint(
            "每组求平均，得到与组数一样多的数，再交给 `mt.Result`。",
            "average each group, which gives as many numbers as groups, and hand them "
            "to `mt.Result`.",
        )


def interval(values: torch.Tensor, t: float | None = None) -> tuple[float, float]:
    """The mean and half the width of its 95 % interval."""
    result = Result(values)
    if t is None:
        return result.mean, result.ci95
    return result.mean, t * result.std / len(values) ** 0.5


@exercises.add("abstain")
def abstain(answer) -> None:
    """``decide(distances, threshold)``: a class, or -1 where too little is certain."""
    # rows: sure of 2; undecided between 0 and 1; sure of 0, though far from all
    distances = torch.tensor(
        [[5.0, 4.0, 0.5], [1.0, 1.2, 6.0], [30.0, 40.0, 35.0]], dtype=torch.float64
    )
    for threshold in (0.9, 0.5):
        sure = (-distances).softmax(1).amax(1)
        nearest = distances.argmin(1)
        right = torch.where(sure >= threshold, nearest, -1)
        found = ask(answer, distances, threshold)
        if close(found, nearest) and not close(right, nearest):
            raise Hint(
                "没有把握的查询也给了答案：概率低于 threshold 时返回 -1。",
                "this answers the undecided query too: below the threshold it is -1.",
            )
        if close(
            found,
            torch.where(
                distances.softmax(1).amax(1) >= threshold, distances.argmax(1), -1
            ),
        ):
            raise Hint(
                "选了最远的类：softmax 要对负的平方距离做。",
                "this takes the farthest class: the softmax is of minus the squared "
                "distances.",
            )
        if close(found, torch.where(sure < threshold, nearest, -1)):
            raise Hint(
                "比较反了：概率够大才回答。",
                "the comparison is reversed: answer where the probability is large.",
            )
        if close(found, torch.where(distances.amin(1) <= threshold, nearest, -1)):
            raise Hint(
                "threshold 是概率，不是距离：先做 softmax。",
                "the threshold is a probability, not a distance: take the softmax "
                "first.",
            )
        if close(found, sure):
            raise Hint(
                "这是概率；要返回的是类别，或 -1。",
                "these are probabilities: return classes, or -1.",
            )
        if not close(found, right):
            raise Hint(
                "对负的平方距离按行做 softmax；最大的概率不小于 threshold 就取那一类，否则取 -1。",
                "take the softmax of minus the squared distances along each row; where "
                "the largest probability reaches the threshold it is that class, else "
                "-1.",
            )


@exercises.add("one-step")
def one_step(answer) -> None:
    """``one_step(features, labels, rate)``: W after a step from zero, (N, features)."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(12, 5, generator=generator, dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 3] * 3)
    rate = 0.3
    mu = torch.stack([features[labels == c].mean(0) for c in range(4)])
    right = rate / 4 * (mu - mu.mean(0))
    found = ask(answer, features, labels, rate)
    if close(found, right.T):
        raise Hint(
            "形状转置了：每类一行。",
            "transposed: each class has a row.",
        )
    if close(found, -right):
        raise Hint(
            "符号反了：沿负梯度走，W 朝着类的平均去。",
            "the sign is wrong: a step against the gradient goes towards the means.",
        )
    if close(found, rate / 4 * mu):
        raise Hint(
            "少了总平均：softmax 从每类 1/N 出发，所以要减去它。",
            "the mean of all is missing: the softmax begins at 1/N for each class, so "
            "subtract it.",
        )
    if close(found, 4 * right):
        raise Hint(
            "少除以 N：损失对所有样本取平均，每类只占 1/N。",
            "divide by N: the loss is a mean over all examples, of which a class has "
            "1/N.",
        )
    if close(found, 3 * right):
        raise Hint(
            "多乘了每类的样本数：损失是平均，不是和。",
            "too large by the examples of a class: the loss is a mean, not a sum.",
        )
    if not close(found, right):
        raise Hint(
            "每类的平均减去各类平均的平均，再乘 rate / N。",
            "the mean of each class less the mean of these means, times rate / N.",
        )
