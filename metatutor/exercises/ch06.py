"""Checkers for 06-zero-shot."""

from __future__ import annotations

import math

import torch

from .feedback import Exercises, Hint, ask, close

exercises = Exercises()
check = exercises.check


@exercises.add("harmonic-mean")
def harmonic_mean(answer) -> None:
    """``harmonic(seen, unseen)``: 2su/(s + u), 0 where both are 0."""
    for s, u in ((0.9, 0.3), (0.5, 0.5), (0.8, 0.0)):
        found = ask(answer, *map(torch.tensor, (s, u)))
        if s != u and close(found, (s + u) / 2):
            raise Hint(
                "这是算术平均：只认已见类的分类器也能得一半的分。",
                "this is the arithmetic mean, in which a classifier that knows seen "
                "classes alone still gets half.",
            )
        if s != u and u and close(found, math.sqrt(s * u)):
            raise Hint(
                "这是几何平均；调和平均是倒数的平均的倒数。",
                "this is the geometric mean; the harmonic one averages reciprocals.",
            )
        if u and close(found, s * u / (s + u)):
            raise Hint(
                "少了一个 2：两个分数相等时，平均应当就是它。",
                "a 2 is missing: the mean of two equal scores is that score.",
            )
        if not close(found, 2 * s * u / (s + u)):
            raise Hint("算 2su/(s + u)。", "compute 2su/(s + u).")
    if not close(ask(answer, *torch.zeros(2)), 0.0):
        raise Hint(
            "两个都是 0 时分母为 0：此时答 0。",
            "if both are 0, the denominator is, too: answer 0 then.",
        )


@exercises.add("calibrated-stacking")
def calibrated_stacking(answer) -> None:
    """``guesses(scores, seen, penalty)``: the best class, seen ones handicapped."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(40, 6, generator=generator, dtype=torch.float64)
    seen = torch.tensor([True, False, True, True, False, False])

    def right(sign: float, whom: torch.Tensor) -> torch.Tensor:
        return (scores - sign * 0.7 * whom).argmax(1)

    found = ask(answer, scores, seen, 0.7)
    if close(found, scores - 0.7 * seen):
        raise Hint(
            "这是改过的得分：还要取得分最高的类。",
            "these are the changed scores: name the class with the highest.",
        )
    if close(found, right(0, seen)):
        raise Hint(
            "penalty 没有起作用：先从已见类的得分里减去它。",
            "the penalty does nothing: subtract it from the scores of seen classes.",
        )
    if close(found, right(-1, seen)) or close(found, right(1, ~seen)):
        raise Hint(
            "方向反了：受罚的应当是已见类，它们的得分本来就偏高。",
            "the wrong way round: seen classes are to be handicapped, since their "
            "scores are too high.",
        )
    if not close(found, right(1, seen)):
        raise Hint(
            "从已见类的列里减去 penalty，再对每一行取 argmax。",
            "subtract the penalty from the columns of seen classes, then take the "
            "argmax of each row.",
        )


@exercises.add("twin-classes")
def twin_classes(answer) -> None:
    """``ceiling(descriptions)``: the best expected accuracy with twins in the list."""
    distinct = torch.eye(4, dtype=torch.float64)
    cases = [(distinct, 1.0), (distinct[[0, 0, 1, 2, 2, 2]], 0.5)]
    for descriptions, expected in cases:
        found = ask(answer, descriptions)
        if expected < 1 and close(found, 1 / 6):
            raise Hint(
                "有孪生的类也能猜对一部分：几个类共用一份描述时，总有一个会猜对。",
                "classes with a twin are not all lost: of those that share a "
                "description, one can be right.",
            )
        if close(found, len(descriptions.unique(dim=0))):
            raise Hint(
                "这是不同描述的个数：再除以类数。",
                "this is the number of distinct descriptions: divide by that of classes.",
            )
        if not close(found, expected):
            raise Hint(
                "共用一份描述的几个类得分总相同，只能猜中其中一个：数一数不同的行。",
                "classes that share a description always have the same score, and one "
                "of them can be guessed right: count the distinct rows.",
            )


@exercises.add("interval-over-classes")
def interval_over_classes(answer) -> None:
    """``half_width(right)``: 1.96 standard errors of the mean *over classes*."""
    generator = torch.Generator().manual_seed(0)
    chance = torch.rand(50, 1, generator=generator, dtype=torch.float64)
    right = torch.rand(50, 9, generator=generator, dtype=torch.float64) < chance
    each = right.double().mean(1)
    found = ask(answer, right)
    images = right.double().flatten()
    p = images.mean()
    of_images = [1.96 * images.std() / 450**0.5, 1.96 * (p * (1 - p) / 450) ** 0.5]
    if any(close(found, wrong) for wrong in of_images):
        raise Hint(
            "这把 450 张图像当作互相独立；同一个字的图像一起对、一起错。先对每个类求平均。",
            "this takes 450 images as independent, but those of one character are right "
            "or wrong together. Average over each class first.",
        )
    if close(found, each.std() / 50**0.5):
        raise Hint(
            "这是标准误：95% 区间的半宽再乘 1.96。",
            "this is the standard error: half a 95 % interval is 1.96 times that.",
        )
    if close(found, 1.96 * each.std()):
        raise Hint(
            "这是类与类之间的差别：均值的区间还要除以类数的平方根。",
            "this is how much classes differ: for the interval of their mean, divide by "
            "the root of their number.",
        )
    if not any(
        close(found, 1.96 * each.std(correction=c) / 50**0.5, 1e-5) for c in (0, 1)
    ):
        raise Hint(
            "三步：每个类的准确率；它们的标准差；乘 1.96，除以类数的平方根。",
            "three steps: the accuracy of each class; their standard deviation; 1.96 "
            "times that over the root of the number of classes.",
        )
