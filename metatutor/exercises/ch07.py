"""Checkers for 07-bayesian."""

from __future__ import annotations

import torch
from torch.distributions import Normal, kl_divergence

from .feedback import Exercises, Hint, ask, close

exercises = Exercises()
check = exercises.check


@exercises.add("weigh")
def weigh(answer) -> None:
    """``weigh(mu, t, average, n, sigma)``: posterior mean and standard deviation."""
    for mu, t, average, n, sigma in ((1.0, 2.0, 4.0, 5, 0.5), (0.0, 0.3, -1.0, 2, 1.0)):
        found = ask(answer, mu, t, average, n, sigma)
        try:
            mean, std = found
        except (TypeError, ValueError):
            raise Hint(
                "要返回两个数：后验均值与后验标准差。",
                "return two numbers: the posterior mean and its standard deviation.",
            ) from None
        prior, data = 1 / t**2, n / sigma**2
        right = (prior * mu + data * average) / (prior + data)
        if close(mean, (prior * mu + average / sigma**2) / (prior + 1 / sigma**2)):
            raise Hint(
                "average 是 n 个观测的平均，方差是 σ²/n：忘了 n。",
                "average is the mean of n observations, whose variance is σ²/n: n is "
                "missing.",
            )
        if close(mean, (t**2 * mu + sigma**2 / n * average) / (t**2 + sigma**2 / n)):
            raise Hint(
                "权重反了：方差越小越可信，权重是方差的倒数。",
                "the weights are the wrong way round: the smaller the variance, the "
                "more trust; weigh by its inverse.",
            )
        if close(mean, right) and close(std, 1 / (prior + data)):
            raise Hint(
                "均值对了；第二个数是方差，要的是标准差：再开方。",
                "the mean is right; the second number is the variance, and its root is "
                "asked for.",
            )
        if not (close(mean, right) and close(std, (prior + data) ** -0.5)):
            raise Hint(
                "精度相加：先验的精度是 1/t²，n 个观测的精度是 n/σ²；均值按精度加权，"
                "标准差是总精度的倒数的平方根。",
                "precisions add up: 1/t² from the prior and n/σ² from the data; the "
                "mean is weighted by them, and the variance is one over their sum.",
            )


@exercises.add("coverage")
def coverage(answer) -> None:
    """``coverage(mean, std, y, level)``: the share within the central interval."""
    generator = torch.Generator().manual_seed(0)
    mean, std = torch.randn(2, 400, 1, generator=generator, dtype=torch.float64)
    std = std.abs() + 0.1
    noise = torch.randn(400, 1, generator=generator, dtype=torch.float64)
    y = mean + 1.3 * std * noise
    away = (y - mean).abs() / std
    for level in (0.9, 0.5):
        found = ask(answer, mean, std, y, level)
        level = torch.tensor(level, dtype=torch.float64)
        unit = Normal(torch.zeros_like(level), 1)
        if close(found, (away <= unit.icdf(level)).double().mean()):
            raise Hint(
                "分位数取错了：中心区间两头各留 (1 − level)/2，所以要 (1 + level)/2 处的"
                "分位数。",
                "the wrong quantile: a central interval leaves (1 − level)/2 out on "
                "each side, so take the quantile at (1 + level)/2.",
            )
        if close(found, (away <= 1).double().mean()):
            raise Hint(
                "这是一个标准差之内的比例：它与 level 无关，正态时约为 68 %。",
                "this is the share within one standard deviation: about 68 % for a "
                "normal distribution, whatever the level.",
            )
        right = (away <= unit.icdf((1 + level) / 2)).double().mean()
        if close(found, 1 - right):
            raise Hint(
                "这是落在区间之外的比例。",
                "this is the share outside the interval.",
            )
        if not close(found, right):
            raise Hint(
                "区间是 mean ± z·std，z 是标准正态分布在 (1 + level)/2 处的分位数；"
                "返回落在其中的比例，一个 0 到 1 之间的数。",
                "the interval is mean ± z std with z the standard normal quantile at "
                "(1 + level)/2; return the share within it, a number from 0 to 1.",
            )


@exercises.add("gap")
def gap(answer) -> None:
    """``gap(m, s, mean, std)``: KL of N(m, s²) from the posterior N(mean, std²)."""
    for values in ((0.5, 0.3, 1.0, 0.6), (2.0, 1.5, 1.0, 1.0)):
        m, s, mean, std = torch.tensor(values, dtype=torch.float64)
        right = kl_divergence(Normal(m, s), Normal(mean, std))
        found = ask(answer, m, s, mean, std)
        if close(found, kl_divergence(Normal(mean, std), Normal(m, s))):
            raise Hint(
                "方向反了：证据减去证据下界等于 KL(q‖后验)，期望对 q 求。",
                "the wrong way round: evidence minus bound is KL(q ‖ posterior), whose "
                "expectation is over q.",
            )
        if close(found, -right):
            raise Hint(
                "符号反了：下界不会高于证据，差不会是负的。",
                "the wrong sign: a bound is never above the evidence.",
            )
        if close(found, right + 0.5):
            raise Hint(
                "少减了 1/2：q 等于后验时，差应当是 0。",
                "1/2 is missing: where q is the posterior, the gap is 0.",
            )
        if not close(found, right):
            raise Hint(
                "两个正态分布之间的 KL：log(std/s) + (s² + (m − mean)²)/(2 std²) − 1/2。",
                "the KL divergence of two normal distributions is log(std/s) + "
                "(s² + (m − mean)²)/(2 std²) − 1/2.",
            )


@exercises.add("next-point")
def next_point(answer) -> None:
    """``next_point(f, V)``: the candidate whose label would tell most, an index."""
    f = torch.tensor([[3.0, 0.0], [0.0, 1.0], [0.5, 0.8], [1.0, 0.1]])
    f = f.to(torch.float64)
    V = torch.tensor([[0.01, 0.0], [0.0, 2.0]], dtype=torch.float64)
    found = ask(answer, f, V)
    try:
        found = int(found)
    except (TypeError, ValueError, RuntimeError):
        raise Hint(
            "要返回一个整数：所选候选点的下标。",
            "return a whole number: the index of the candidate.",
        ) from None
    if found == 0:
        raise Hint(
            "第 0 点的特征最长，但那个方向的权重早已知道：长度要用 V 来量。",
            "candidate 0 has the longest features, but the weight along them is known "
            "already: measure length with V.",
        )
    if found == 3:
        raise Hint(
            "选反了：这是最有把握的点，标注它最没有用。",
            "the wrong end: this is the surest candidate, and its label tells least.",
        )
    if found != 1:
        raise Hint(
            "对每一行 f 算 fᵀVf，取最大的那一个。",
            "compute fᵀVf for each row f and take the largest.",
        )
