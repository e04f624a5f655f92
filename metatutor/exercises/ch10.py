"""Checkers for 10-tradeoffs."""

from __future__ import annotations

import math

import torch

from .feedback import Exercises, Hint, ask, close

exercises = Exercises()
check = exercises.check


@exercises.add("break-even")
def break_even(answer) -> None:
    """``break_even(meta, adapt, rival)``: least n with meta + n adapt ≤ n rival."""
    found = ask(answer, 100.0, 2.0, 10.0)  # 12.5 tasks
    if close(found, 10):
        raise Hint(
            "漏了适应的成本：每个任务省下的是 rival − adapt，不是 rival。",
            "adaptation costs something too: a task saves rival − adapt, not rival.",
        )
    if close(found, 12.5):
        raise Hint(
            "任务数是整数：不足一个任务的部分要向上取整。",
            "tasks come in whole numbers: round up.",
        )
    if close(found, 12):
        raise Hint(
            "12 个任务还没有回本：100 + 12 × 2 > 12 × 10。要向上取整。",
            "with 12 tasks it has not paid off yet: 100 + 12 × 2 > 12 × 10. Round up.",
        )
    if not close(found, 13):
        raise Hint(
            "求满足 meta + n × adapt ≤ n × rival 的最小整数 n。",
            "the least whole n with meta + n × adapt ≤ n × rival is asked for.",
        )
    if not close(ask(answer, 96.0, 2.0, 10.0), 12):
        raise Hint(
            "恰好整除时不必再加一：meta = 96、adapt = 2、rival = 10 时，n = 12 已经持平。",
            "no extra task where the division is even: with meta = 96, adapt = 2 and "
            "rival = 10, n = 12 breaks even.",
        )
    for rival in (1.0, 2.0):  # dearer to adapt than to do without, and as dear
        try:
            never = ask(answer, 100.0, 2.0, rival)
        except ZeroDivisionError:
            never = None
        if not close(never, math.inf):
            raise Hint(
                "若适应并不比对手便宜（rival ≤ adapt），就永远不回本：返回 math.inf。",
                "where adapting is no cheaper than the rival (rival ≤ adapt) it never "
                "pays: return math.inf.",
            )


@exercises.add("chosen-rate")
def chosen_rate(answer) -> None:
    """``report(validation, test)``: the test loss of the rate validation chooses."""
    validation = torch.tensor(
        [[3.0, 5.0, 4.0], [1.0, 3.0, 2.0], [0.5, 1.0, 9.0], [2.0, 1.0, math.inf]],
        dtype=torch.float64,
    )  # means 4, 2, 3.5 and infinity; the median would choose the third
    test = torch.tensor(
        [[3.0, 4.0, 2.0], [2.0, 5.0, 5.0], [5.0, 7.0, 6.0], [9.0, 8.0, 7.0]],
        dtype=torch.float64,
    )  # means 3, 4, 6, 8
    found = ask(answer, validation, test)
    if close(found, test.mean(1).min()):
        raise Hint(
            "这是在测试任务上挑的：挑出来的最小值偏小。用验证任务选，测试任务只报告。",
            "this picks on the test tasks, and a minimum that was picked is too small: "
            "choose on validation tasks, report on test tasks.",
        )
    if close(found, validation.mean(1).min()):
        raise Hint(
            "这是验证损失：它是几个候选中的最小值，偏小。要报告的是选中那一行的测试损失。",
            "this is the validation loss, the least of several and so too small: report "
            "the test loss of the row that was chosen.",
        )
    if close(found, test.min(0).values.mean()):
        raise Hint(
            "这是给每个任务各挑一个学习率；学习率要对所有任务选定同一个。",
            "this picks a rate for each task; one rate is to be chosen for all.",
        )
    if close(found, test[3].mean()):
        raise Hint(
            "选了损失最大的一行：损失越小越好。",
            "this takes the row with the largest loss: smaller is better.",
        )
    if not close(found, test[1].mean()):
        raise Hint(
            "先求每一行验证损失的均值，取最小者的行号，再求同一行测试损失的均值。",
            "take the mean of each row of validation losses, the index of the least, "
            "and then the mean of that row of test losses.",
        )


@exercises.add("paired-interval")
def paired_interval(answer) -> None:
    """``half_width(a, b)``: 1.96 s(a − b) / √n."""
    g = torch.Generator().manual_seed(10)
    hard = torch.rand(200, generator=g, dtype=torch.float64)
    a = hard + 0.1 * torch.randn(200, generator=g, dtype=torch.float64)
    b = hard + 0.1 * torch.randn(200, generator=g, dtype=torch.float64)
    found = ask(answer, a, b)

    def error(x):
        return x.std() / math.sqrt(len(x))

    apart = (error(a).square() + error(b).square()).sqrt()
    right = error(a - b)
    if close(found, 1.96 * apart, 2e-3):
        raise Hint(
            "这是两批**不同**任务的区间。任务相同时先逐个相减，再求差的标准差。",
            "this is the interval for two *different* sets of tasks. The tasks are the "
            "same: subtract task by task first, then take the standard deviation.",
        )
    if close(found, 1.96 * (error(a) + error(b)), 2e-3):
        raise Hint(
            "两个半宽相加太宽了：先逐个任务相减，再求差的区间。",
            "the sum of the two half-widths is too wide: subtract task by task, then "
            "take the interval of the difference.",
        )
    if close(found, 1.96 * (a - b).std(), 2e-3) or close(found, (a - b).std()):
        raise Hint(
            "这是各任务之差的离散程度；均值的区间还要除以 √n。",
            "this is how much the differences differ; for their mean divide by √n.",
        )
    if close(found, right):
        raise Hint(
            "这是标准误，只覆盖约 68 %；95 % 要再乘 1.96。",
            "this is the standard error, which covers about 68 %; 95 % needs a factor of "
            "1.96.",
        )
    if not close(found, 1.96 * right, 1e-4):
        raise Hint(
            "半宽 = 1.96 × (a − b) 的标准差 / √n。",
            "half the width = 1.96 × standard deviation of (a − b) / √n.",
        )


@exercises.add("supported-claims")
def supported_claims(answer) -> None:
    """``supported()``: which of four claims an invented table supports."""
    found = ask(answer)
    if not (
        isinstance(found, tuple | list)
        and len(found) == 4
        and all(isinstance(value, bool) for value in found)
    ):
        raise Hint(
            "请按次序返回四个 True 或 False。",
            "return four values, True or False, in the order of the claims.",
        )
    better, algorithm, same, seeds = found
    if algorithm:
        raise Hint(
            "说法 2：C 换了骨干，训练图像也多得多。差距来自算法、骨干还是数据，这张表分不出。",
            "claim 2: C has another backbone and far more training images. Whether its "
            "lead is due to algorithm, backbone or data, this table cannot tell.",
        )
    if same or not better:
        raise Hint(
            "说法 1 与 3：任务是同样的，要看配对差的区间。0.02 ± 0.01 不含零，尽管两个区间相交。",
            "claims 1 and 3: the tasks are the same, so look at the interval of the "
            "paired difference. 0.02 ± 0.01 leaves out zero, although the two intervals "
            "overlap.",
        )
    if seeds:
        raise Hint(
            "说法 4：区间只说换一批任务会怎样；换一个训练种子会怎样，一个种子说不出。",
            "claim 4: intervals say what other tasks would change; what another training "
            "seed would change, one seed cannot say.",
        )
