"""Checkers for 03-workflow."""

from __future__ import annotations

import math

import torch

from .feedback import Exercises, Hint, Unanswered, ask, close

exercises = Exercises()
check = exercises.check


@exercises.add("split-by-group")
def split_by_group(answer) -> None:
    """``split(groups, n_val, n_test, seed)``: class numbers, whole groups together."""
    groups = [name for name in "GAFBHCED" for _ in range(3)]
    n_val, n_test = 2, 3
    usual = Hint(
        "请返回三个列表：训练、验证、测试的类的编号（整数）。",
        "return three lists: the numbers (whole ones) of the classes for training, "
        "validation and test.",
    )

    def drawn(seed: int) -> list[list[int]]:
        parts = ask(answer, groups, n_val, n_test, seed)
        if not isinstance(parts, (tuple, list)) or len(parts) != 3:
            raise usual
        if any(part is ... for part in parts):
            raise Unanswered
        try:
            lists = [[int(c) for c in part] for part in parts]
        except (TypeError, ValueError, OverflowError):
            raise usual from None
        if not all(0 <= c < len(groups) for part in lists for c in part):
            raise usual
        return lists

    for seed in range(5):
        parts = drawn(seed)
        together = [c for part in parts for c in part]
        names = [{groups[c] for c in part} for part in parts]
        if len(set(together)) < len(together):
            raise Hint(
                "有的类出现了两次：三份必须互不相交。",
                "a class comes twice: the three parts must be disjoint.",
            )
        if names[0] & names[1] or names[0] & names[2] or names[1] & names[2]:
            raise Hint(
                "类没有重复，但同一组的类被分到了两份里：同一种文字的字母彼此相像，要先划分组，再取组里的类。",
                "no class comes twice, but classes of one group are in two parts: letters "
                "of one script resemble each other, so divide the groups and take the "
                "classes of each.",
            )
        if len(names[1]) != n_val or len(names[2]) != n_test:
            raise Hint(
                f"验证和测试应各有 {n_val} 和 {n_test} 个组，得到的是 "
                f"{len(names[1])} 和 {len(names[2])} 个。",
                f"validation and test should have {n_val} and {n_test} groups, but have "
                f"{len(names[1])} and {len(names[2])}.",
            )
        if len(together) < len(groups):
            raise Hint(
                "有的类丢了：没有留作验证和测试的组，全部归训练。",
                "some classes are lost: all groups that are kept for neither validation "
                "nor test belong to training.",
            )
    if len({str(sorted(drawn(seed)[2])) for seed in range(20)}) == 1:
        raise Hint(
            "20 个种子得到同一个划分：按次序取组不是随机划分。",
            "20 seeds give one split: taking groups in their order is no random split.",
        )
    if any(
        list(map(sorted, drawn(7))) != list(map(sorted, drawn(7))) for _ in range(5)
    ):
        raise Hint(
            "同一个种子得到了不同的划分：重新运行之后，测试的组就进了训练。",
            "one seed gives different splits: run again, and test groups are in training.",
        )


@exercises.add("outer-step")
def outer_step(answer) -> None:
    """``outer_step(theta, tasks, alpha, beta)`` for a model that predicts φ."""
    g = torch.Generator().manual_seed(3)
    tasks = [
        tuple(torch.randn(n, generator=g, dtype=torch.float64) for n in (3, 4))
        for _ in range(5)
    ]
    theta, alpha, beta = 0.7, 0.2, 0.1
    found = ask(answer, theta, tasks, alpha, beta)
    support = torch.stack([s.mean() for s, _ in tasks])
    query = torch.stack([q.mean() for _, q in tasks])
    phi = theta - alpha * 2 * (theta - support)
    slope = (2 * (phi - query) * (1 - 2 * alpha)).mean()
    if close(found, theta + beta * slope):
        raise Hint(
            "走反了：要减去梯度。",
            "this climbs: subtract the gradient.",
        )
    if close(found, theta - beta * (2 * (phi - query)).mean()):
        raise Hint(
            "少了因子 dφ/dθ = 1 − 2α：φ 是 θ 的函数，链式法则要穿过内循环。少了它就是一阶近似。",
            "the factor dφ/dθ = 1 − 2α is missing: φ is a function of θ, and the chain "
            "rule passes through the inner loop. Without it, this is first-order.",
        )
    if close(found, theta - beta * (2 * (theta - query)).mean()):
        raise Hint(
            "梯度取在了 θ 处，没有适应：这是原文的流程，先训练、后适应。",
            "the gradient is taken at θ, without adaptation: this is the article's "
            "workflow, which trains first and adapts afterwards.",
        )
    if close(found, theta - beta * (2 * (phi - support) * (1 - 2 * alpha)).mean()):
        raise Hint(
            "外层用了支持集：适应看过的数据不能再用来评判它，要用查询集。",
            "the outer step uses the support set: what adaptation has seen cannot judge "
            "it. Use the query set.",
        )
    if close(found, theta - beta * slope * len(tasks)):
        raise Hint(
            "元损失是任务上的平均，不是总和。",
            "the meta-loss is a mean over tasks, not a sum.",
        )
    if close(found, phi.mean()) or close(found, theta + beta * (phi - theta).mean()):
        raise Hint(
            "这里用适应后的参数 φ 去更新 θ，没有用查询损失；元更新的信号是查询损失的梯度。",
            "this updates θ by the adapted φ, without the query loss; the signal of the "
            "meta-update is the gradient of the query loss.",
        )
    if not close(found, theta - beta * slope):
        raise Hint(
            "对每个任务：φ = θ − α·2(θ − 支持均值)；查询损失对 φ 的导数是 2(φ − 查询均值)，"
            "再乘 dφ/dθ；对任务取平均，θ 减去 β 乘它。",
            "for each task φ = θ − α·2(θ − support mean); the derivative of the query "
            "loss by φ is 2(φ − query mean), times dφ/dθ; take the mean over tasks, and "
            "subtract β times it from θ.",
        )


@exercises.add("early-stopping")
def early_stopping(answer) -> None:
    """``choose(validation, patience)``: (iteration kept, iteration stopped at)."""
    scores = (0.40, 0.55, 0.61, 0.58, 0.61, 0.60, 0.57, 0.56, 0.72, 0.70)
    history = [(50 * (i + 1), score) for i, score in enumerate(scores)]
    found = ask(answer, history, 3)
    if not isinstance(found, (tuple, list)) or len(found) != 2:
        raise Hint(
            "请返回两个数：保留哪次迭代的参数，训练停在哪次迭代。",
            "return two numbers: the iteration whose parameters are kept, and the one at "
            "which training stops.",
        )
    kept, stopped = found
    if close(kept, 450):
        raise Hint(
            "第 450 次的 0.72 确实最高，但训练在那之前就停了：三次验证没有新的最好成绩之后，后面的分数根本没有算过。",
            "the 0.72 at 450 is the highest, but training had stopped by then: after "
            "three validations without a new best, later scores are never computed.",
        )
    if close(kept, 250):
        raise Hint(
            "第 250 次只是追平了第 150 次：平局不算新的最好成绩，也不重新计数。",
            "iteration 250 only equals 150: a tie is no new best, and does not start the "
            "count again.",
        )
    if close(kept, 50):
        raise Hint(
            "准确率越大越好：取最大，不是最小。",
            "accuracy is better when larger: take the largest, not the smallest.",
        )
    if close(kept, 300) or close(kept, 500):
        raise Hint(
            "这是最后一次验证的参数；早停之后要退回到验证最好的那一次。",
            "these are the parameters of the last validation; after stopping, go back to "
            "those that validated best.",
        )
    if close(kept, 150) and close(stopped, 150):
        raise Hint(
            "训练不会停在最好的那一次：要等三次没有起色的验证，才知道该停。",
            "training does not stop at its best: only three validations without "
            "improvement tell that it should.",
        )
    if close(kept, 150) and (close(stopped, 350) or close(stopped, 250)):
        raise Hint(
            "差了一次：第 200、250、300 次是连续三次没有新的最好成绩，所以停在 300。",
            "off by one: 200, 250 and 300 are three validations in a row without a new "
            "best, so training stops at 300.",
        )
    # without an early stop: patience never runs out
    calm = ask(answer, history[:3], 3)
    if close(kept, 150) and close(stopped, 300):
        if not (isinstance(calm, (tuple, list)) and len(calm) == 2):
            raise Hint(
                "耐心没有用完时，也要返回两个数：停在最后一次验证。",
                "where patience does not run out, return two numbers as well: training "
                "ends with the last validation.",
            )
        if close(calm[0], 150) and close(calm[1], 150):
            return
        raise Hint(
            "耐心没有用完时，训练结束于最后一次验证。",
            "where patience does not run out, training ends with the last validation.",
        )
    raise Hint(
        "从头数：记住最好的分数；每次验证没有**超过**它，就加一；数到 patience 时停。",
        "go through them: remember the best score, count the validations that do not "
        "exceed it, and stop when the count reaches patience.",
    )


@exercises.add("how-many-tasks")
def how_many_tasks(answer) -> None:
    """``tasks_needed(scores, h)``: the smallest n with 1.96 s / √n ≤ h."""
    g = torch.Generator().manual_seed(3)
    scores = 0.7 + 0.12 * torch.randn(40, generator=g, dtype=torch.float64)
    half = 0.01
    s = scores.std().item()
    right = math.ceil((1.96 * s / half) ** 2)
    found = ask(answer, scores, half)
    if close(found, right - 1):
        raise Hint(
            "要向上取整：少一个任务，半宽就超过 h 了。",
            "round up: with one task fewer the half-width is above h.",
        )
    if close(found, (1.96 * s / half) ** 2):
        raise Hint(
            "任务数是整数：向上取整。",
            "a number of tasks is whole: round up.",
        )
    if close(found, math.ceil((s / half) ** 2)):
        raise Hint(
            "少了 1.96：一个标准误只是约 68 % 的区间。",
            "the 1.96 is missing: one standard error makes an interval of about 68 %.",
        )
    if close(found, math.ceil(1.96 * s / half)):
        raise Hint(
            "忘了平方：半宽按 1/√n 缩小，要窄一半就要四倍的任务。",
            "the square is missing: the half-width shrinks as 1/√n, and half of it takes "
            "four times the tasks.",
        )
    if close(found, math.ceil((2 * 1.96 * s / half) ** 2)):
        raise Hint(
            "h 是半宽，不是整个区间的宽度。",
            "h is half the width, not the width of the interval.",
        )
    if close(found, math.ceil((1.96 * s / math.sqrt(len(scores)) / half) ** 2)):
        raise Hint(
            "s 是任务之间的标准差；你又除了一次 √40，那是这 40 个任务的标准误。",
            "s is the standard deviation over tasks; this divides it by √40 once more, "
            "which is the standard error of these 40.",
        )
    if not close(found, right):
        raise Hint(
            "解 1.96 s/√n ≤ h，得 n ≥ (1.96 s/h)²，再向上取整；s 用分母为 n − 1 的标准差。",
            "solve 1.96 s/√n ≤ h for n ≥ (1.96 s/h)², and round up; s is the standard "
            "deviation that divides by n − 1.",
        )
