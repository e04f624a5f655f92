"""Stubs fail, folded solutions pass, and typical mistakes get their own hint."""

import ast
import math
import re

import pytest
import torch
from packaging.specifiers import SpecifierSet

import metatutor as mt
from metatutor.exercises import (
    ch01,
    ch02,
    ch03,
    ch04,
    ch05,
    ch06,
    ch07,
    ch08,
    ch09,
    ch10,
    ch11,
    ch12,
    ch13,
    ch14,
    ch15,
    ch16,
    ch23,
)

from .conftest import CHAPTERS, read, source

CHECKERS = {
    "ch01": ch01,
    "ch02": ch02,
    "ch03": ch03,
    "ch04": ch04,
    "ch05": ch05,
    "ch06": ch06,
    "ch07": ch07,
    "ch08": ch08,
    "ch09": ch09,
    "ch10": ch10,
    "ch11": ch11,
    "ch12": ch12,
    "ch13": ch13,
    "ch14": ch14,
    "ch15": ch15,
    "ch16": ch16,
    "ch23": ch23,
}


def tasks_of(chapter):
    """Every exercise's stub and its folded solution, in order, with its name."""
    cells = read(chapter)["cells"]
    text = "\n".join(source(c) for c in cells if c["metadata"].get("lang") == "en")
    solutions = re.findall(r"\{solution\}.*?^~~~python\n(.*?)^~~~", text, re.M | re.S)
    stubs = [source(c) for c in cells if re.search(r"ch\d\d\.check\(", source(c))]
    return list(zip(stubs, solutions, strict=True))


EXERCISES = [
    pytest.param(stub, solution, id=f"{chapter.stem}-{i}")
    for chapter in CHAPTERS
    for i, (stub, solution) in enumerate(tasks_of(chapter), start=1)
]


def feedback(code: str, answer: str):
    """Runs an exercise's cell with ``answer`` in place of what the stub defines."""
    chapter, name, variable = re.search(
        r'(ch\d\d)\.check\("([\w-]+)", (\w+)\)', code
    ).groups()
    space = {"torch": torch, "math": math, "mt": mt} | CHECKERS
    exec(answer, space)
    return CHECKERS[chapter].check(name, space[variable])


def test_there_are_enough():
    assert len(EXERCISES) >= 9


@pytest.mark.parametrize(("stub", "solution"), EXERCISES)
def test_the_stub_fails_as_unanswered(stub, solution):
    found = feedback(stub, stub)
    assert not found.passed
    assert "还没有作答" in found.message["zh"] and "not answered" in found.message["en"]


@pytest.mark.parametrize(("stub", "solution"), EXERCISES)
def test_the_folded_solution_passes(stub, solution):
    found = feedback(stub, solution)
    assert found.passed, found


grad = torch.func.grad


def episode_with_replacement(examples, ways, shots, queries):
    drawn = torch.randint(len(examples), (ways,))
    drawn[0] = drawn[1]
    x = examples[drawn]
    y = torch.arange(ways)[:, None].expand(-1, shots + queries)
    parts = x[:, :shots], y[:, :shots], x[:, shots : shots + queries], y[:, shots:]
    return tuple(p.flatten(0, 1) for p in parts)


def inner_step_without_2(w, x, y, lr):
    return w - lr * (x * (w * x - y)).mean()


def meta_loss_on_support(w, tasks, lr):
    losses = []
    for x, y, _, _ in tasks:
        adapted = w - lr * (2 * x * (w * x - y)).mean()
        losses.append(((adapted * x - y) ** 2).mean())
    return torch.stack(losses).mean()


def split_by_class(groups, n_val, n_test, seed):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(groups), generator=generator).tolist()
    val, test = 3 * n_val, 3 * (n_val + n_test)
    return order[test:], order[:val], order[val:test]


def outer_step_without_chain(theta, tasks, alpha, beta):
    slopes = []
    for support, query in tasks:
        phi = theta - alpha * 2 * (theta - support.mean())
        slopes.append(2 * (phi - query.mean()))
    return theta - beta * torch.stack(slopes).mean()


def best_of_all(validation, patience):
    return max(validation, key=lambda row: row[1])[0], validation[-1][0]


def tasks_without_square(scores, h):
    return math.ceil(1.96 * scores.std().item() / h)


def first_order_quadratic(theta, a, w, alpha, steps):
    return a * (1 - alpha * a) ** steps * (theta - w)


def second_order_gradient(theta, inner, outer, alpha):
    return grad(lambda v: outer(v - alpha * grad(inner)(v)))(theta)


def labels_without_queries(iterations, meta_batch, shots, queries):
    return iterations * meta_batch * shots, shots


def halfway(prototype, count, new):
    return (prototype + new) / 2


def weights_without_sums(cosines, labels, ways, scale):
    return (scale * cosines).softmax(0)


def unpunished(scores, seen, penalty):
    return scores.argmax(1)


def how_many_distinct(descriptions):
    return len(descriptions.unique(dim=0))


def over_images(right):
    return 1.96 * right.double().std() / math.sqrt(right.numel())


def no_class_twice(classes, ways):
    return math.perm(classes, ways) / classes**ways


def with_fraction(meta, adapt, rival):
    return meta / (rival - adapt)


def picked_on_the_test(validation, test):
    return test.mean(1).min()


def of_two_sets(a, b):
    return 1.96 * ((a.var() + b.var()) / len(a)) ** 0.5


def overlapping():
    return False, False, True, False


def one_observation(mu, t, average, n, sigma):
    prior, data = 1 / t**2, 1 / sigma**2
    return (prior * mu + data * average) / (prior + data), (prior + data) ** -0.5


def by_one_tail(mean, std, y, level):
    z = torch.distributions.Normal(0, 1).icdf(torch.tensor(level, dtype=y.dtype))
    return ((y - mean).abs() <= z * std).double().mean()


def from_the_posterior(m, s, mean, std):
    normal = torch.distributions.Normal
    return torch.distributions.kl_divergence(normal(mean, std), normal(m, s))


def step_at_the_start(theta, a, w, strength):
    return theta - a * (theta - w) / strength


def steepest_descent(product, b, steps):
    x = torch.zeros_like(b)
    for _ in range(steps):
        r = b - product(x)
        x = x + (r @ r) / (r @ product(r)) * r
    return x


def implicit_without_strength(theta, inner, outer, nearest, strength):
    phi = nearest(theta)
    matrix = torch.eye(len(phi)).to(phi) + torch.func.jacrev(grad(inner))(phi)
    return torch.linalg.solve(matrix, grad(outer)(phi))


def over_all_examples(theta, tasks, g, loss):
    return torch.cat([loss(g(theta, s), q) for s, q in tasks]).mean()


def for_one_step(a, alpha, steps):
    return (1 - alpha * a) / alpha


def without_shots(shots, spread, noise):
    return spread**2 / (spread**2 + noise**2)


def of_independent_examples(between, within, n, q):
    return math.sqrt((between + within) / (n * q))


def pooled(tasks):
    outputs, targets = map(torch.cat, zip(*tasks, strict=True))
    return torch.nn.functional.cross_entropy(outputs, targets)


def step_of_sum(weight, x, y, alpha):
    error = (x @ weight.T).softmax(1) - torch.nn.functional.one_hot(y, len(weight))
    return weight - alpha * error.T @ x


def by_shuffling(predict, queries):
    order = torch.arange(len(queries)).flip(0)
    return not torch.allclose(predict(queries)[order], predict(queries[order]))


def mean_of_means(slope, tasks, most):
    return torch.stack([slope(some) for some in tasks.split(most)]).mean(0)


def with_cut_tasks(tasks, each, serial, exchange):
    p = round((each * tasks / exchange) ** 0.5)
    alone, shared = each * tasks, each * tasks / p + exchange * (p - 1)
    return p, (serial + alone) / (serial + shared)


def summed_gradient(w, x, y):
    return x.T @ (torch.sigmoid(x @ w) - y)


def two_first_order_steps(theta, inner, outer, alpha):
    phi = theta - alpha * grad(inner)(theta)
    return grad(outer)(phi - alpha * grad(inner)(phi))


def any_task_wrong(theta, a, w, alpha, steps):
    return ((1 - alpha * a) ** steps < 0).any()


def rate_of_one_step(hessian):
    return 1 / torch.linalg.eigvalsh(hessian).max()


def pushed_from_the_start(theta, a_s, b_s, a_q, b_q, strength):
    matrix = a_s + strength * torch.eye(len(theta)).to(theta)
    phi = torch.linalg.solve(matrix, b_s + strength * theta)
    return (a_q @ phi - b_q) @ torch.linalg.solve(matrix, phi - theta)


def in_any_range(versions, ranges):
    return max(v for v in versions if any(v in SpecifierSet(r) for r in ranges))


def of_this_python(wheel, tags):
    return any(tag.interpreter in wheel for tag in tags)


def unlike_strings(pins, installed):
    wanted = dict(pin.lower().split("==") for pin in pins)
    return [n for n, found in installed.items() if wanted.get(n, found) != found]


def mended_by_replace(text, before, after):
    return text.replace(before, after)


def adapt_in_place(model, x, y, lr, steps):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return dict(model.named_parameters())


def whole_per_cent(correct, total):
    p = correct / total
    return 100 * correct // total, 196 * (p * (1 - p) / total) ** 0.5


def with_signature(source):
    function = ast.parse(source).body[0]
    names = {arg.arg for arg in function.args.args}
    return names - {n.arg for n in ast.walk(function) if isinstance(n, ast.arg)}


def uniform(u, low, high):
    return low + u * (high - low)


def over_tasks(scores, groups):
    result = mt.Result(scores)
    return result.mean, result.ci95


def never_in_doubt(distances, threshold):
    return distances.argmin(1)


def head_of_means(features, labels, rate):
    ways = int(labels.max()) + 1
    mu = torch.stack([features[labels == c].mean(0) for c in range(ways)])
    return rate / ways * mu


def logits_as_shares(alpha, results):
    return torch.tensordot(alpha, results, 1)


def by_the_shares(alpha, results, slope):
    return (results * slope).sum((1, 2))


def one_sided(gradient, w, v, epsilon):
    return (gradient(w + epsilon * v) - gradient(w)) / epsilon


def with_none(alpha, names):
    return tuple(names[k] for k in alpha.argmax(1))


MISTAKES = [
    (ch01, "draw-a-task", lambda x, a, b: a * torch.sin(x + b), "符号", "wrong sign"),
    (ch01, "average-wave", lambda x: 0 * x, "整个周期", "whole period"),
    (ch01, "count-the-labels", labels_without_queries, "也有标注", "query sets"),
    (ch02, "episode", episode_with_replacement, "抽中了两次", "drawn twice"),
    (ch02, "inner-step", inner_step_without_2, "少了平方", "no 1/2"),
    (ch02, "meta-loss", meta_loss_on_support, "支持集上算", "on the support set"),
    (ch03, "split-by-group", split_by_class, "分到了两份里", "in two parts"),
    (ch03, "outer-step", outer_step_without_chain, "链式法则", "chain rule"),
    (ch03, "early-stopping", best_of_all, "之前就停了", "had stopped by then"),
    (ch03, "how-many-tasks", tasks_without_square, "忘了平方", "square is missing"),
    (ch04, "quadratic-meta-gradient", first_order_quadratic, "一阶", "first-order"),
    (ch04, "where-maml-lands", 1.571, "ERM", "ERM"),
    (ch04, "where-maml-lands", 0.627, "FOMAML", "FOMAML"),
    (ch04, "first-order-gradient", second_order_gradient, "完整", "whole meta-grad"),
    (ch04, "interval", lambda scores: scores.std(), "离散程度", "how much tasks"),
    (ch05, "squared-distances", torch.cdist, "不要开方", "leave out the root"),
    (ch05, "another-example", halfway, "按 count 加权", "halfway"),
    (ch05, "matching-probability", weights_without_sums, "加起来", "add up those"),
    (ch05, "ceiling", no_class_twice, "没有任何类重复", "no class comes twice"),
    (ch06, "harmonic-mean", lambda s, u: (s + u) / 2, "算术平均", "arithmetic"),
    (ch06, "calibrated-stacking", unpunished, "没有起作用", "does nothing"),
    (ch06, "twin-classes", how_many_distinct, "再除以类数", "divide by that"),
    (ch06, "interval-over-classes", over_images, "先对每个类求平均", "together"),
    (ch07, "weigh", one_observation, "忘了 n", "n is missing"),
    (ch07, "coverage", by_one_tail, "分位数取错了", "the wrong quantile"),
    (ch07, "gap", from_the_posterior, "方向反了", "the wrong way round"),
    (ch07, "next-point", lambda f, V: f.norm(dim=1).argmax(), "用 V 来量", "with V"),
    (ch08, "proximal-point", step_at_the_start, "终点 φ 处", "the end, φ"),
    (ch08, "envelope-gradient", lambda t, near, s: s * (near(t) - t), "反了", "sign"),
    (ch08, "conjugate-gradient", steepest_descent, "最速下降", "steepest descent"),
    (ch08, "implicit-gradient", implicit_without_strength, "除以 λ", "division by λ"),
    (ch09, "mixed-operation", logits_as_shares, "先取 softmax", "not shares yet"),
    (ch09, "pull-on-alpha", by_the_shares, "穿过 softmax", "pass the softmax"),
    (ch09, "mixed-product", one_sided, "单侧差分", "one-sided"),
    (ch09, "choose-operations", with_none, "说明不了什么", "says nothing"),
    (ch09, "honest-report", lambda val, test: val.max(), "偏高", "too high"),
    (ch10, "break-even", with_fraction, "向上取整", "round up"),
    (ch10, "chosen-rate", picked_on_the_test, "在测试任务上挑", "on the test tasks"),
    (ch10, "paired-interval", of_two_sets, "先逐个相减", "subtract task by task"),
    (ch10, "supported-claims", overlapping, "尽管两个区间相交", "intervals overlap"),
    (ch11, "any-learner", over_all_examples, "占了更大的份量", "each task first"),
    (ch11, "penalty-for-steps", for_one_step, "K 次方", "the power K"),
    (ch11, "best-rate", without_shots, "没有除以 k", "not divided by k"),
    (ch11, "standard-error", of_independent_examples, "共有一个 φ", "independent"),
    (ch12, "surrogate-gradient", summed_gradient, "还要除以", "divide the sum"),
    (ch12, "two-steps", two_first_order_steps, "一阶近似", "first-order"),
    (ch12, "wrong-way", any_task_wrong, "先对任务取平均", "mean over tasks first"),
    (ch12, "largest-rate", rate_of_one_step, "一步到位", "arrives in one step"),
    (ch12, "strength-gradient", pushed_from_the_start, "符号反了", "pulls φ back"),
    (ch13, "task-index", pooled, "占了更大的份量", "more examples weigh more"),
    (ch13, "linear-step", step_of_sum, "要除以样本数", "divide by their number"),
    (ch13, "ten-tasks", lambda s: 1.96 * s.std() / 10**0.5, "分位数", "dozens of"),
    (ch13, "transductive", by_shuffling, "打乱次序看不出来", "Shuffling does not"),
    (ch14, "common-version", in_any_range, "其中一部分", "some of the ranges"),
    (ch14, "which-wheel", of_this_python, "平台不对", "another platform"),
    (ch14, "drift", unlike_strings, "2.14.1+cpu", "names the build"),
    (ch15, "mend", mended_by_replace, "补丁没有打上", "nothing was mended"),
    (ch15, "inner-loop", adapt_in_place, "权重变了", "weights have changed"),
    (ch15, "one-accuracy", whole_per_cent, "别截断", "do not truncate"),
    (ch15, "unused", with_signature, "只数函数体", "count the body"),
    (ch16, "log-uniform", uniform, "不是对数均匀", "not log-uniform"),
    (ch16, "by-script", over_tasks, "按任务算的", "this is over tasks"),
    (ch16, "abstain", never_in_doubt, "没有把握的查询", "the undecided query"),
    (ch16, "one-step", head_of_means, "少了总平均", "mean of all is missing"),
    (ch23, "passes", lambda steps: (steps + 1, steps + 1), "二阶项", "second order"),
    (ch23, "in-chunks", mean_of_means, "同等重要", "counts as much"),
    (ch23, "processes", with_cut_tasks, "任务不能切开", "cannot be cut"),
    (ch23, "own-share", lambda s, n, p: s.mean(0) / p, "平均的平均", "means: the"),
]


@pytest.mark.parametrize(("checker", "name", "answer", "zh", "en"), MISTAKES)
def test_a_typical_mistake_gets_its_hint(checker, name, answer, zh, en):
    found = checker.check(name, answer)
    assert not found.passed
    assert zh in found.message["zh"] and en in found.message["en"]
    assert 'lang="zh"' in found._repr_mimebundle_()["text/html"]


def test_every_exercise_has_a_typical_mistake():
    named = {(chapter, name) for chapter, name, *_ in MISTAKES}
    assert named == {(c, n) for c in CHECKERS.values() for n in c.exercises.checkers}
