"""Checkers for 23-scaling."""

from __future__ import annotations

import torch
from torch import Tensor

from .feedback import Exercises, Hint, ask, close

exercises = Exercises()
check = exercises.check


@exercises.add("passes")
def passes(answer) -> None:
    """``passes(K)``: what MAML and FOMAML take for one task, in passes."""
    for steps in (1, 4):
        found = ask(answer, steps)
        if not (isinstance(found, tuple | list) and len(found) == 2):
            raise Hint(
                "请返回两个数：先 MAML，后 FOMAML。",
                "return two numbers: MAML's first, FOMAML's second.",
            )
        maml, fomaml = found
        if close(maml, 9 * steps + 3) and close(fomaml, 3 * steps + 3):
            raise Hint(
                "这是以前向传播为单位；一趟是前向加反向，等于三次前向，所以再除以 3。",
                "these are forward passes. One pass here is forward and backward, which "
                "is three of them: divide by 3.",
            )
        if close(maml, steps + 1) and close(fomaml, 3 * steps + 1):
            raise Hint(
                "两个数的次序反了：二阶的更贵。",
                "the two are the wrong way round: second order is the dearer one.",
            )
        if close(fomaml, steps):
            raise Hint(
                "漏了查询损失：K 步之后，还要在查询集上走一趟。",
                "the query loss is missing: after K steps there is one more pass, over "
                "the query set.",
            )
        if not close(fomaml, steps + 1):
            raise Hint(
                "FOMAML：每个内循环步一趟，查询损失一趟，此外什么也没有。",
                "FOMAML: a pass for each inner step, one for the query loss, and "
                "nothing else.",
            )
        if close(maml, fomaml):
            raise Hint(
                "漏了二阶项：元梯度要穿过每个内循环步反向传播。",
                "the second order is missing: the meta-gradient goes back through every "
                "inner step.",
            )
        if close(maml, 2 * steps + 1):
            raise Hint(
                "海森向量积要两趟，是在那一步的梯度之外另算的：每步共三趟。",
                "a Hessian-vector product takes two passes beside that of the step's own "
                "gradient: three a step.",
            )
        if close(maml, 3 * steps + 3):
            raise Hint(
                "查询损失只求一次导：它是一趟，不是三趟。",
                "the query loss is differentiated once: it is one pass, not three.",
            )
        if not close(maml, 3 * steps + 1):
            raise Hint(
                "MAML：每步一次梯度（一趟）加一次海森向量积（两趟），最后查询损失一趟。",
                "MAML: for each step a gradient (one pass) and a Hessian-vector product "
                "(two), and at the end one for the query loss.",
            )


@exercises.add("in-chunks")
def in_chunks(answer) -> None:
    """``in_chunks(slope, tasks, most)``: the mean of all tasks' meta-gradients."""
    generator = torch.Generator().manual_seed(23)
    tasks = torch.randn(10, 3, generator=generator, dtype=torch.float64).exp()
    sizes: list[int] = []

    def slope(some: Tensor) -> Tensor:
        sizes.append(len(some))
        return some.mean(0)

    most = 4  # chunks of 4, 4 and 2, or of 3, 3 and 4
    found = ask(answer, slope, tasks, most)
    if sizes and max(sizes) > most:
        raise Hint(
            f"有一块含 {max(sizes)} 个任务，而内存只容得下 {most} 个。",
            f"one chunk has {max(sizes)} tasks, and memory holds only {most}.",
        )
    if 0 in sizes:
        raise Hint(
            "有一块是空的：空块的平均是 NaN。",
            "one chunk is empty: the mean of nothing is NaN.",
        )
    pieces = tasks.split(most)
    means = torch.stack([piece.mean(0) for piece in pieces])
    if close(found, means.mean(0)):
        raise Hint(
            "各块的平均又取了平均：最后一块只有 2 个任务，却与 4 个任务的块同等重要。按任务数加权。",
            "this is the mean of the chunks' means, in which a chunk of 2 tasks counts "
            "as much as one of 4. Weigh each by its tasks.",
        )
    if close(found, means.sum(0)):
        raise Hint(
            "各块的平均不能直接相加：每块先乘以它的任务数占全体的比例。",
            "means of chunks cannot simply be added: first multiply each by its share "
            "of the tasks.",
        )
    if close(found, tasks[:8].mean(0)) or close(found, 0.8 * tasks[:8].mean(0)):
        raise Hint(
            "丢了最后不满的一块：10 个任务只算了 8 个。",
            "the last, incomplete chunk is lost: of 10 tasks, 8 were computed.",
        )
    if close(found, 0.4 * means.sum(0)):
        raise Hint(
            "最后一块只有 2 个任务，权重却按 4 个算了。",
            "the last chunk has 2 tasks, but was weighed as if it had 4.",
        )
    if close(found, tasks.sum(0)):
        raise Hint(
            "这是总和：元损失是对任务的平均，还要除以任务总数。",
            "this is the sum: the meta-loss is a mean over tasks, so divide by their "
            "number.",
        )
    if not close(found, tasks.mean(0)):
        raise Hint(
            "对每一块，把 slope(块) 乘以 块的任务数 / 任务总数，再全部加起来。",
            "for each chunk, multiply slope(chunk) by its tasks / all tasks; then add "
            "them up.",
        )


@exercises.add("processes")
def processes(answer) -> None:
    """``best(tasks, each, serial, exchange)``: p of the least time, and speed-up."""

    def time(p, tasks, each, serial, exchange):
        return serial + each * -(-tasks // p) + exchange * (p - 1)

    for numbers in ((25, 4.0, 2.0, 1.0), (12, 1.0, 0.5, 30.0)):
        tasks, each, serial, exchange = numbers
        times = {p: time(p, *numbers) for p in range(1, tasks + 1)}
        right = min(times, key=times.get)  # the first, and so the fewest
        found = ask(answer, *numbers)
        if not (isinstance(found, tuple | list) and len(found) == 2):
            raise Hint(
                "请返回两个数：进程数和加速比。",
                "return two numbers: how many processes, and the speed-up.",
            )
        count, gain = found
        alike = [p for p in times if times[p] == times[right] and p != right]
        smooth = {
            p: serial + each * tasks / p + exchange * (p - 1) for p in times
        }  # as if tasks could be cut in pieces
        if not close(count, right) and any(close(count, p) for p in alike):
            raise Hint(
                "同样快的进程数里，取最少的一个。",
                "of the numbers that are equally fast, take the smallest.",
            )
        if close(count, (each * tasks / exchange) ** 0.5) or (
            not close(count, right) and close(count, min(smooth, key=smooth.get))
        ):
            raise Hint(
                "任务不能切开：最忙的进程有 ⌈B/p⌉ 个任务，p 也是整数。逐个试 p = 1 到 B。",
                "tasks cannot be cut: the busiest process has ⌈B/p⌉ of them, and p is "
                "whole as well. Try every p from 1 to B.",
            )
        if not close(count, right) and close(count, tasks):
            raise Hint(
                "进程最多不等于最快：每多一个进程，交换就多花 exchange。",
                "most processes are not the fastest: each one more costs another "
                "exchange.",
            )
        ratio = times[1] / times[right]
        if close(count, right) and right > 1:
            if close(gain, 1 / ratio):
                raise Hint(
                    "比值倒了：加速比是 T(1)/T(p)。",
                    "the ratio is upside down: a speed-up is T(1)/T(p).",
                )
            if close(gain, count):
                raise Hint(
                    "p 个进程快不到 p 倍：serial 不分摊，交换也要时间。",
                    "p processes are not p times as fast: nobody shares serial, and "
                    "exchanges take time.",
                )
            if close(gain, (times[1] + exchange) / (times[right] + exchange)):
                raise Hint(
                    "一个进程没有谁可以交换：交换的时间是 exchange × (p − 1)。",
                    "one process has nobody to exchange with: exchanges take "
                    "exchange × (p − 1).",
                )
        if not (close(count, right) and close(gain, ratio)):
            raise Hint(
                "T(p) = serial + each × ⌈B/p⌉ + exchange × (p − 1)；求使它最小的 p，再求 T(1)/T(p)。",
                "T(p) = serial + each × ⌈B/p⌉ + exchange × (p − 1): find the p that makes "
                "it least, then T(1)/T(p).",
            )


@exercises.add("own-share")
def own_share(answer) -> None:
    """``contribution(slopes, tasks, processes)``: what a process adds to the sum."""
    generator = torch.Generator().manual_seed(5)
    slopes = torch.randn(8, 3, generator=generator, dtype=torch.float64).exp()
    shares = slopes.split([3, 3, 2])
    found = [ask(answer, share, len(slopes), len(shares)) for share in shares]

    def given(of) -> bool:
        return all(close(f, of(s)) for f, s in zip(found, shares, strict=True))

    if given(lambda share: share.mean(0) / len(shares)):
        raise Hint(
            "这样得到的是“各进程平均的平均”：只有 2 个任务的进程与 3 个任务的同等重要，少数任务占了更大的份量。",
            "this adds up to the mean of the processes' means: the process with 2 tasks "
            "counts as much as those with 3, so that its tasks weigh more.",
        )
    if given(lambda share: share.mean(0)):
        raise Hint(
            "各进程把自己的平均加起来，大了约 p 倍，学习率也就跟着大了 p 倍。",
            "the sum of the processes' own means is about p times too large, and so is "
            "the outer step.",
        )
    if given(lambda share: share.sum(0)):
        raise Hint(
            "加起来是全体任务之和，还不是平均：除以任务总数 tasks。",
            "these add up to the sum over all tasks, not to the mean: divide by tasks.",
        )
    if given(lambda share: share.sum(0) / len(shares)):
        raise Hint(
            "要除以任务总数，不是进程数。",
            "divide by the number of tasks, not by that of processes.",
        )
    if given(lambda share: share.mean(0) / len(slopes)):
        raise Hint(
            "除了两次：mean 已经除过自己的任务数，这里该用 sum。",
            "this divides twice: mean has divided by the process's own tasks already. "
            "Take the sum.",
        )
    if not given(lambda share: share.sum(0) / len(slopes)):
        raise Hint(
            "三个进程的贡献之和，应当等于全体任务元梯度的平均。",
            "the contributions of all processes must add up to the mean of all tasks' "
            "meta-gradients.",
        )
