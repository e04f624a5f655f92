"""Checkers for 02-concepts."""

from __future__ import annotations

import torch

from .feedback import Exercises, Hint, ask, close

exercises = Exercises()
check = exercises.check


@exercises.add("episode")
def episode(answer) -> None:
    """``episode(examples, ways, shots, queries)`` draws a sound N-way k-shot task."""
    ways, shots, queries = 4, 2, 3
    # class c, example e is the number 100 c + e, so that every draw can be traced
    examples = 100 * torch.arange(5)[:, None, None] + torch.arange(6)[None, :, None]
    drawn = set()
    for seed in range(20):
        torch.manual_seed(seed)
        parts = ask(answer, examples.float(), ways, shots, queries)
        if not isinstance(parts, (tuple, list)) or len(parts) != 4:
            raise Hint(
                "请依次返回 support_x、support_y、query_x、query_y。",
                "return support_x, support_y, query_x, query_y, in this order.",
            )
        sx, sy, qx, qy = parts
        sizes = [len(part) for part in parts]
        if sizes != [ways * shots] * 2 + [ways * queries] * 2:
            raise Hint(
                f"各部分的样本数应为 {ways * shots}（支持集）和 {ways * queries}"
                f"（查询集），得到的是 {sizes}。",
                f"the sets should hold {ways * shots} (support) and {ways * queries} "
                f"(query) examples, but hold {sizes}.",
            )
        classes = {(int(v) // 100) for v in sx.flatten()}
        if len(classes) < ways:
            raise Hint(
                "同一个类被抽中了两次：它就有了两个互相矛盾的标签。请不放回地抽类。",
                "a class was drawn twice, and so has two contradictory labels: draw "
                "classes without replacement.",
            )
        if any(len(set(p.flatten().tolist())) < p.numel() for p in (sx, qx)):
            raise Hint(
                "同一个样本在一个集合里出现了两次：样本也要不放回地抽。",
                "an example stands in one set twice: draw examples without replacement, too.",
            )
        drawn.add(frozenset(classes))
        if set(sx.flatten().tolist()) & set(qx.flatten().tolist()):
            raise Hint(
                "支持集和查询集有公共样本：模型只需记住它就能得分。",
                "support and query share an example: remembering it is enough to score.",
            )
        if sorted(set(torch.cat([sy, qy]).tolist())) != list(range(ways)):
            raise Hint(
                "标签应是这个回合里的 0 到 ways − 1，而不是类在数据集里的编号。",
                "labels are 0 to ways − 1 within the episode, not the classes' numbers "
                "in the data set.",
            )
        label = {int(v) // 100: int(c) for v, c in zip(sx.flatten(), sy, strict=True)}
        if any(
            label[int(v) // 100] != c for v, c in zip(qx.flatten(), qy, strict=True)
        ):
            raise Hint(
                "同一个类在支持集和查询集里的标签不同。",
                "a class has one label in the support set and another in the query set.",
            )
    if len(drawn) == 1:
        raise Hint(
            "每次抽到的都是同样几个类：类也要随机抽。",
            "every episode has the same classes: draw these at random, too.",
        )


@exercises.add("inner-step")
def inner_step(answer) -> None:
    """``inner_step(w, x, y, lr)``: one step on the mean squared error of y ≈ w x."""
    x, y = torch.tensor([1.0, 2.0, -1.0]), torch.tensor([2.0, 3.0, 0.5])
    slope = (2 * x * (0.7 * x - y)).mean()
    new = ask(answer, 0.7, x, y, 0.1)
    if close(new, 0.7 + 0.1 * slope):
        raise Hint(
            "走反了方向：要下降，就要减去梯度。",
            "this climbs: to descend, subtract the gradient.",
        )
    if close(new, 0.7 - 0.1 * slope / 2):
        raise Hint(
            "少了平方求导得到的 2：本书的均方误差不带 1/2。",
            "the 2 from differentiating the square is missing: this book's mean squared "
            "error has no 1/2.",
        )
    if close(new, 0.7 - 0.1 * slope * 3):
        raise Hint(
            "损失是样本的平均，不是总和：除以样本数。",
            "the loss is a mean over examples, not a sum: divide by their number.",
        )
    if not close(new, 0.7 - 0.1 * slope):
        raise Hint(
            "先写出损失 mean((w x − y)²)，对 w 求导，再取 w − lr × 导数。",
            "write the loss mean((w x − y)²), differentiate it by w, and take "
            "w − lr × derivative.",
        )


@exercises.add("meta-loss")
def meta_loss(answer) -> None:
    """``meta_loss(w, tasks, lr)``: the mean query loss after one inner step."""
    torch.manual_seed(0)
    tasks = [tuple(torch.randn(n) for n in (4, 4, 6, 6)) for _ in range(3)]

    def mse(w, x, y):
        return ((w * x - y) ** 2).mean()

    def adapted(w, x, y):
        return w - 0.1 * (2 * x * (w * x - y)).mean()

    after = [(adapted(0.3, sx, sy), sx, sy, qx, qy) for sx, sy, qx, qy in tasks]
    right = torch.stack([mse(w, qx, qy) for w, _, _, qx, qy in after]).mean()
    found = ask(answer, 0.3, tasks, 0.1)
    if close(found, torch.stack([mse(w, sx, sy) for w, sx, sy, _, _ in after]).mean()):
        raise Hint(
            "你在支持集上算了损失：适应之后要用查询集来评判。",
            "this is the loss on the support set: after adaptation, the query set judges.",
        )
    before = torch.stack([mse(0.3, qx, qy) for _, _, qx, qy in tasks]).mean()
    if close(found, before):
        raise Hint(
            "这是适应之前的查询损失：先走一步内循环，再算。",
            "this is the query loss before adaptation: take the inner step first.",
        )
    if close(found, 3 * right):
        raise Hint(
            "元损失是对任务的平均，不是总和。",
            "the meta-loss is a mean over tasks, not a sum.",
        )
    if not close(found, right):
        raise Hint(
            "对每个任务：用支持集走一步，用查询集算损失；最后对任务取平均。",
            "for each task: one step on the support set, the loss on the query set; "
            "then the mean over tasks.",
        )
