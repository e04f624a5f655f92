"""Checkers for 05-metric."""

from __future__ import annotations

import math

import torch

from .feedback import Exercises, Hint, ask, close

exercises = Exercises()
check = exercises.check


@exercises.add("squared-distances")
def squared_distances(answer) -> None:
    """``distances(a, b)``: ‖a_i − b_j‖² of all pairs, (m, f), (n, f) -> (m, n)."""
    torch.manual_seed(0)
    a = torch.randn(4, 3, dtype=torch.float64)
    b = torch.randn(5, 3, dtype=torch.float64)
    a2, b2, ab = a.square().sum(1)[:, None], b.square().sum(1)[None], a @ b.T
    right = (a[:, None] - b[None]).square().sum(-1)
    found = ask(answer, a, b)
    if close(found, right.T, 1e-5):
        raise Hint(
            "形状转置了：a 有 m 行、b 有 n 行，结果应当是 (m, n)。",
            "transposed: with m rows in a and n in b, the result is (m, n).",
        )
    if close(found, right.sqrt(), 1e-5):
        raise Hint(
            "这是距离，不是平方距离：不要开方。",
            "this is the distance, not its square: leave out the root.",
        )
    if close(found, a2 - ab + b2, 1e-5):
        raise Hint(
            "交叉项少了一个 2：(a − b)² = a² − 2ab + b²。",
            "the cross term lacks its 2: (a − b)² = a² − 2ab + b².",
        )
    if close(found, a2 + 2 * ab + b2, 1e-5):
        raise Hint(
            "交叉项的符号反了：这是 ‖a + b‖²。",
            "the cross term has the wrong sign: this is ‖a + b‖².",
        )
    if close(found, b2 - 2 * ab, 1e-5):
        raise Hint(
            "少了 ‖a‖²：要看哪个原型最近，确实用不着它；但这还不是平方距离。",
            "‖a‖² is missing: to say which prototype is nearest you do not need it, but "
            "this is not the squared distance yet.",
        )
    if not close(found, right, 1e-5):
        raise Hint(
            "展开平方：‖a‖² 是一列，‖b‖² 是一行，a @ b.T 是两者之间的一张表。",
            "expand the square: ‖a‖² is a column, ‖b‖² a row, and a @ b.T the table "
            "between them.",
        )


@exercises.add("another-example")
def another_example(answer) -> None:
    """``updated(prototype, count, new)``: the mean of count + 1 examples."""
    torch.manual_seed(0)
    for count in (1, 4):
        examples = torch.randn(count + 1, 3, dtype=torch.float64)
        old, new = examples[:-1].mean(0), examples[-1]
        found = ask(answer, old, count, new)
        if count > 1 and close(found, (old + new) / 2, 1e-5):
            raise Hint(
                "只有一个旧样本时才是两者的平均；旧原型代表 count 个样本，要按 count 加权。",
                "halfway is right for one old example only: the old prototype stands "
                "for count examples and weighs as much.",
            )
        if close(found, old + new / (count + 1), 1e-5):
            raise Hint(
                "旧原型也要缩小：往新样本走 (new − prototype)/(count + 1)。",
                "the old prototype shrinks too: move by (new − prototype)/(count + 1).",
            )
        if close(found, (count * old + new) / count, 1e-5):
            raise Hint(
                "现在有 count + 1 个样本：除数要加一。",
                "there are count + 1 examples now: divide by one more.",
            )
        if not close(found, (count * old + new) / (count + 1), 1e-5):
            raise Hint(
                "先还原旧样本的和，加上新样本，再除以新的个数。",
                "recover the sum of the old examples, add the new one, and divide by "
                "how many there are now.",
            )


@exercises.add("matching-probability")
def matching_probability(answer) -> None:
    """``probabilities(cosines, labels, ways, scale)``: the votes of the support set."""
    labels = torch.tensor([0, 1, 0, 2, 2, 2])
    ways, scale = 3, 5.0
    cosines = torch.tensor([0.9, 0.8, 0.1, 0.7, 0.6, -0.2], dtype=torch.float64)
    members = torch.nn.functional.one_hot(labels).double()
    attention = (scale * cosines).softmax(0)
    right = attention @ members
    found = ask(answer, cosines, labels, ways, scale)
    if close(found, attention, 1e-5):
        raise Hint(
            "这是每个支持样本的权重：还要把同一类的加起来。",
            "these are the weights of the support examples: add up those of a class.",
        )
    if close(found, cosines.softmax(0) @ members, 1e-5):
        raise Hint(
            "忘了 scale：先乘 scale，再做 softmax。",
            "scale is missing: multiply by it before the softmax.",
        )
    if close(found, right / members.sum(0), 1e-5):
        raise Hint(
            "每个样本一票，不按类平均：除以每类的样本数之后，概率之和不再是 1。",
            "every example has its vote: averaged over a class, the probabilities do "
            "not add up to 1.",
        )
    summed = (scale * cosines) @ members
    averaged = (summed / members.sum(0)).softmax(0)
    if close(found, summed.softmax(0), 1e-5) or close(found, averaged, 1e-5):
        raise Hint(
            "次序反了：softmax 在支持样本之间做，不在类之间做；先 softmax，后按类相加。",
            "the order is reversed: the softmax is over support examples, not over "
            "classes, and the sum by class comes after it.",
        )
    if not close(found, right, 1e-5):
        raise Hint(
            "两步：对 scale × 余弦做 softmax；再对每个类，把属于它的权重相加。",
            "two steps: a softmax of scale × cosine; then, for each class, the sum of "
            "the weights that belong to it.",
        )


@exercises.add("ceiling")
def ceiling(answer) -> None:
    """``ceiling(classes, ways)``: the expected share of distinct classes."""
    for classes, ways in ((20, 5), (7, 3), (20, 20)):
        found = ask(answer, classes, ways)
        miss = (1 - 1 / classes) ** ways
        if close(found, math.perm(classes, ways) / classes**ways, 1e-5):
            raise Hint(
                "这是没有任何类重复的概率；有重复的回合也能答对一部分。",
                "this is the probability that no class comes twice; an episode with a "
                "repeated class still has answers that can be right.",
            )
        if close(found, 1 - miss, 1e-5) and classes != ways:
            raise Hint(
                "这是某个给定的类至少被抽中一次的概率：乘以类数 classes，再除以 ways。",
                "this is the probability that a given class is drawn at all: multiply "
                "by classes and divide by ways.",
            )
        if close(found, classes * (1 - miss), 1e-5):
            raise Hint(
                "这是不同的类的期望个数：上限是它占 ways 的比例。",
                "this is the expected number of distinct classes: the ceiling is its "
                "share of ways.",
            )
        if not close(found, classes * (1 - miss) / ways, 1e-5):
            raise Hint(
                "上限是不同的类所占的比例。一个给定的类没有被抽中的概率是 (1 − 1/C)^N，"
                "由此求不同的类的期望个数。",
                "the ceiling is the share of distinct classes. A given class is not "
                "drawn with probability (1 − 1/C)^N: find the expected number of "
                "distinct classes from this.",
            )
