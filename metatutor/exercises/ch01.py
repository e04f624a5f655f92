"""Checkers for 01-background."""

from __future__ import annotations

import math

import torch

from .feedback import Exercises, Hint, ask, close

exercises = Exercises()
check = exercises.check


@exercises.add("draw-a-task")
def draw_a_task(answer) -> None:
    """``wave(x, amplitude, phase)`` is A sin(x − b)."""
    x = torch.linspace(-5, 5, 7)
    y = ask(answer, x, 2.0, 0.8)
    if close(y, 2 * torch.sin(x + 0.8)):
        raise Hint(
            "相位的符号反了：本书写作 A sin(x − b)，b 越大，曲线越向右移。",
            "the phase has the wrong sign: this book writes A sin(x − b), so that a "
            "larger b moves the curve to the right.",
        )
    if close(y, torch.sin(2 * x - 0.8)) or close(y, torch.sin(2.0 * (x - 0.8))):
        raise Hint(
            "振幅应当乘在正弦之外；乘在里面改变的是频率。",
            "the amplitude multiplies the sine; inside it, it changes the frequency.",
        )
    if not close(y, 2 * torch.sin(x - 0.8)):
        raise Hint(
            "取 x = 0、A = 2、b = π/2 检验一下：结果应为 −2。",
            "try x = 0, A = 2, b = π/2: the result should be −2.",
        )


@exercises.add("average-wave")
def average_wave(answer) -> None:
    """``average(x)`` is E[A sin(x − b)] = −(2/π) E[A] cos x."""
    x = torch.linspace(-5, 5, 7)
    y = ask(answer, x)
    right = -2 * 2.55 / math.pi * torch.cos(x)
    if close(y, torch.zeros_like(x), 1e-3):
        raise Hint(
            "若相位取遍整个周期 [0, 2π]，平均确实是 0；但这里只取 [0, π]。",
            "over a whole period [0, 2π] of phases the mean would be 0, but here they "
            "only go from 0 to π.",
        )
    if close(y, -right, 1e-3):
        raise Hint(
            "差一个负号：∫₀^π sin(x − b) db = −2 cos x。",
            "the sign is wrong: ∫₀^π sin(x − b) db = −2 cos x.",
        )
    if close(y, right * math.pi, 1e-3):
        raise Hint(
            "求平均还要除以区间长度 π。",
            "an average is the integral divided by the length of the interval, π.",
        )
    if close(y, right / 2.55, 1e-3):
        raise Hint(
            "还缺振幅的平均 E[A] = (0.1 + 5)/2。",
            "the mean amplitude, E[A] = (0.1 + 5)/2, is missing.",
        )
    if not close(y, right, 2e-2):
        raise Hint(
            "A 与 b 独立，所以先分别求 E[A] 和 sin(x − b) 对 b 的平均，再相乘。",
            "A and b are independent: take E[A] and the mean of sin(x − b) over b, "
            "and multiply.",
        )


@exercises.add("count-the-labels")
def count_the_labels(answer) -> None:
    """Labels seen in meta-training, and labels needed by one new task."""
    value = ask(answer, 100, 25, 10, 10)
    right = (100 * 25 * 20, 10)
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise Hint(
            "请返回两个数：元训练见过的标注数，和一个新任务需要的标注数。",
            "return two numbers: labels seen in meta-training, and labels that one new "
            "task needs.",
        )
    if tuple(value) == (100 * 25 * 10, 10):
        raise Hint(
            "元训练时查询集也有标注：外层损失正是在它上面算的。",
            "in meta-training the query sets have labels too: the outer loss is "
            "computed on them.",
        )
    if value[0] == right[0] and value[1] == 20:
        raise Hint(
            "新任务只需给支持集标注；查询点正是要预测的，没有标注。",
            "a new task needs labels for its support set only: the queries are what is "
            "to be predicted.",
        )
    if tuple(value) != right or tuple(ask(answer, 3, 4, 5, 7)) != (144, 5):
        raise Hint(
            "每次迭代有 meta_batch 个任务，每个任务有 shots + queries 个带标注的样本。",
            "each iteration has meta_batch tasks, each with shots + queries labelled "
            "examples.",
        )
