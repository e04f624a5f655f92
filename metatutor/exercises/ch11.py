"""Checkers for 11-formulation."""

from __future__ import annotations

import math

import torch

from .feedback import Exercises, Hint, ask, close

exercises = Exercises()
check = exercises.check


@exercises.add("any-learner")
def any_learner(answer) -> None:
    """``meta_loss(theta, tasks, g, loss)``: mean over tasks of means over queries."""
    generator = torch.Generator().manual_seed(11)
    tasks = [
        tuple(
            torch.randn(size, generator=generator, dtype=torch.float64)
            for size in (3, queries)
        )
        for queries in (2, 9, 4)  # query sets of different sizes
    ]
    theta = torch.tensor(0.7, dtype=torch.float64)

    def g(theta, support):
        return theta + 0.4 * (support.mean() - theta)

    def loss(phi, examples):
        return (phi - examples) ** 2 / 2

    def losses(adapt, judge):
        return [loss(adapt(theta, s, q), judge(s, q)) for s, q in tasks]

    def over_tasks(each):
        return torch.stack([values.mean() for values in each]).mean()

    right = losses(lambda theta, s, q: g(theta, s), lambda s, q: q)
    found = ask(answer, theta, tasks, g, loss)
    if close(found, torch.cat(right).mean()):
        raise Hint(
            "这是对所有查询样本一起取平均：样本多的任务占了更大的份量。先在任务内平均，再对任务平均。",
            "this is one mean over all query examples, in which tasks with more of them "
            "weigh more. Take the mean within each task first, then over tasks.",
        )
    if close(found, over_tasks(right) * len(tasks)):
        raise Hint(
            "任务上的总和会随任务数增长；期望要用平均来估计。",
            "a sum over tasks grows with their number; an expectation is estimated by a "
            "mean.",
        )
    if close(found, torch.stack([values.sum() for values in right]).mean()):
        raise Hint(
            "每个任务之内也是平均，不是总和。",
            "within a task, too, it is a mean and not a sum.",
        )
    on_support = losses(lambda theta, s, q: g(theta, s), lambda s, q: s)
    if close(found, over_tasks(on_support)):
        raise Hint(
            "这是在支持集上评判：适应看过的样本不能再用来评判它。",
            "this judges on the support set: what adaptation has seen cannot judge it.",
        )
    unadapted = losses(lambda theta, s, q: theta, lambda s, q: q)
    if close(found, over_tasks(unadapted)):
        raise Hint(
            "损失取在了 θ 处，没有适应：这是经验风险最小化的目标。",
            "the loss is taken at θ, without adaptation: this is the objective of "
            "empirical risk minimisation.",
        )
    peeking = losses(lambda theta, s, q: g(theta, q), lambda s, q: q)
    if close(found, over_tasks(peeking)):
        raise Hint(
            "g 读的是支持集，不是查询集。",
            "g reads the support set, not the query set.",
        )
    if not close(found, over_tasks(right)):
        raise Hint(
            "对每个任务：φ = g(theta, support)，再求 loss(phi, query) 的平均；最后对任务取平均。",
            "for each task φ = g(theta, support), and the mean of loss(phi, query); then "
            "the mean over tasks.",
        )


@exercises.add("penalty-for-steps")
def penalty_for_steps(answer) -> None:
    """``strength(a, alpha, steps)``: λ with λ / (a + λ) = (1 − αa)^K."""
    for a, alpha, steps in ((2.0, 0.1, 3), (0.5, 0.6, 2)):
        left = (1 - alpha * a) ** steps
        found = ask(answer, a, alpha, steps)
        if close(found, a * (1 - left) / left):
            raise Hint(
                "上下颠倒了：步数越多，剩下的越少，λ 应当越小。",
                "upside down: with more steps less is left, and λ must be smaller.",
            )
        if close(found, left / (1 - left)):
            raise Hint(
                "少了因子 a：惩罚要与任务的曲率相比。",
                "a factor a is missing: the penalty competes with the task's curvature.",
            )
        if close(found, a * (1 - alpha * a) / (alpha * a)):
            raise Hint(
                "这是一步的 λ：剩下的比例要取 K 次方。",
                "this is λ for one step: the share that is left needs the power K.",
            )
        if close(found, 1 / alpha) or close(found, 1 / (alpha * steps)):
            raise Hint(
                "1/(αK) 只是 αa 很小时的近似；请令两个比例精确相等。",
                "1/(αK) is what remains when αa is small; set the two shares exactly "
                "equal.",
            )
        if close(found, left):
            raise Hint(
                "这是剩下的比例 r 本身；再由 λ/(a + λ) = r 解出 λ。",
                "this is the share r that is left; now solve λ/(a + λ) = r for λ.",
            )
        if not close(found, a * left / (1 - left)):
            raise Hint(
                "令 λ/(a + λ) = (1 − αa)^K，解出 λ。",
                "set λ/(a + λ) = (1 − αa)^K and solve for λ.",
            )


@exercises.add("best-rate")
def best_rate(answer) -> None:
    """``best_rate(shots, spread, noise)`` of one step for a = 1, from the mean."""
    for shots, spread, noise in ((2, 1.5, 0.8), (5, 0.6, 2.0)):
        between, within = spread**2, noise**2
        found = ask(answer, shots, spread, noise)
        if close(found, 1):
            raise Hint(
                "α = 1 使支持损失最小，一步就走到支持集的均值；查询损失里还有支持集的噪声 α²σ²/k。",
                "α = 1 minimises the support loss and lands on the support set's mean; "
                "the query loss also has that set's noise, α²σ²/k.",
            )
        if close(found, between / (between + within)):
            raise Hint(
                "噪声没有除以 k：支持集的均值的方差是 σ²/k。",
                "the noise is not divided by k: the mean of the support set has the "
                "variance σ²/k.",
            )
        if close(found, within / shots / (between + within / shots)):
            raise Hint(
                "互换了：任务相差越大，越该相信支持集，α 越大。",
                "swapped: the more tasks differ, the more the support set deserves trust, "
                "and the larger is α.",
            )
        if close(found, spread / (spread + noise / shots)) or close(
            found, spread / (spread + noise / math.sqrt(shots))
        ):
            raise Hint(
                "spread 和 noise 是标准差，方差要平方。",
                "spread and noise are standard deviations: square them.",
            )
        if not close(found, between / (between + within / shots)):
            raise Hint(
                "对 α 求 (1 − α)² spread² + α² noise²/k 的最小值。",
                "minimise (1 − α)² spread² + α² noise²/k over α.",
            )


@exercises.add("standard-error")
def standard_error(answer) -> None:
    """``standard_error(between, within, n, q)`` of the mean over n tasks."""
    between, within, n, q = 0.3, 2.0, 50, 8
    found = ask(answer, between, within, n, q)
    right = math.sqrt((between + within / q) / n)
    if close(found, math.sqrt((between + within) / (n * q))):
        raise Hint(
            "这是把 n × q 个样本当成独立的：同一任务的样本共有一个 φ，between 不随 q 缩小。",
            "this takes the n × q examples for independent: those of one task share its "
            "φ, and between does not shrink with q.",
        )
    if close(found, math.sqrt((between + within) / n)):
        raise Hint(
            "每个任务的得分是 q 个样本的平均：within 要除以 q。",
            "a task's score is a mean over q examples: divide within by q.",
        )
    if close(found, right**2):
        raise Hint(
            "这是方差；标准误是它的平方根。",
            "this is the variance; the standard error is its square root.",
        )
    if close(found, 1.96 * right):
        raise Hint(
            "这是 95 % 区间的半宽；这里只要标准误，不乘 1.96。",
            "this is half the width of a 95 % interval; the standard error has no 1.96.",
        )
    if close(found, math.sqrt(between + within / q)):
        raise Hint(
            "这是一个任务的得分的标准差；n 个任务的均值还要除以 √n。",
            "this is the standard deviation of one task's score; for the mean of n tasks "
            "divide by √n.",
        )
    if close(found, math.sqrt(between / n)):
        raise Hint(
            "还有查询样本带来的部分：within / q。",
            "query examples add their part as well: within / q.",
        )
    if not close(found, right):
        raise Hint(
            "一个任务的得分的方差是 between + within/q；n 个独立任务的均值再除以 n，开方。",
            "one task's score has the variance between + within/q; divide by n for the "
            "mean of n independent tasks, and take the root.",
        )
