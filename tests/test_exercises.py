"""Checkers: right answers pass, usual slips are named, nothing ever raises."""

import ast
import html
import math
import random
import re
from functools import partial
from html.parser import HTMLParser

import pytest
import torch
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import cross_entropy

from metatutor.exercises import (
    Feedback,
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

CHAPTERS = {
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
EXERCISES = [
    (chapter, name)
    for chapter, module in CHAPTERS.items()
    for name in module.exercises.checkers
]


def check(chapter, name, answer):
    return CHAPTERS[chapter].check(name, answer)


# --- right answers, and the slips that each checker knows --------------------------


def episode(examples, ways, shots, queries, *, slip=None):
    """A right answer to "episode", or one with a slip."""
    if slip == "replacement":
        classes = torch.randint(len(examples), (ways,))
    elif slip == "first classes":
        classes = torch.arange(ways)
    else:
        classes = torch.randperm(len(examples))[:ways]
    sx, sy, qx, qy = [], [], [], []
    for label, c in enumerate(classes):
        order = torch.randperm(examples.shape[1])
        support, query = order[:shots], order[shots : shots + queries]
        if slip == "overlap":
            query = order[:queries]
        if slip == "repeated":
            support = order[:1].expand(shots)
        name = int(c) if slip == "class numbers" else label
        sx.append(examples[c, support])
        qx.append(examples[c, query])
        sy += [name] * shots
        qy += [(name + 1) % ways if slip == "query labels" else name] * queries
    parts = torch.cat(sx), torch.tensor(sy), torch.cat(qx), torch.tensor(qy)
    if slip == "too few":
        return parts[0][1:], parts[1][1:], *parts[2:]
    return parts[:2] if slip == "half" else parts


def slipping(slip):
    return lambda *arguments: episode(*arguments, slip=slip)


def slope(w, x, y):
    return (2 * x * (w * x - y)).mean()


def squares(w, x, y):
    return ((w * x - y) ** 2).mean()


def meta_losses(w, tasks, lr, *, on="query", adapted=True):
    found = []
    for sx, sy, qx, qy in tasks:
        phi = w - lr * slope(w, sx, sy) if adapted else w
        found.append(squares(phi, *((qx, qy) if on == "query" else (sx, sy))))
    return torch.stack(found)


def adapted(theta, inner, alpha):
    return theta - alpha * torch.func.grad(inner)(theta)


def without_twin(descriptions):
    _, counts = descriptions.unique(dim=0, return_counts=True)
    return (counts == 1).sum() / len(descriptions)


def half_width(scores):
    return 1.96 * scores.std() / math.sqrt(len(scores))


def expanded(a, b, *, cross=-2, own=1):
    """Squared distances as ‖a‖² − 2 a·b + ‖b‖², or what a slip makes of them."""
    column, row = a.square().sum(1)[:, None], b.square().sum(1)[None]
    return own * column + cross * a @ b.T + row


def votes(cosines, labels, ways, scale=1.0):
    attention = (scale * cosines).softmax(0)
    return torch.stack([attention[labels == c].sum() for c in range(ways)])


def by_class(cosines, labels, ways, scale):
    """Sums before the softmax, which is then over classes."""
    sums = [scale * cosines[labels == c].sum() for c in range(ways)]
    return torch.stack(sums).softmax(0)


def distinct(classes, ways):
    return torch.tensor(classes * (1 - (1 - 1 / classes) ** ways))


def break_even(meta, adapt, rival, *, whole=math.ceil):
    if rival <= adapt:
        return torch.tensor(math.inf)
    return torch.tensor(float(whole(meta / (rival - adapt))))


def chosen_rate(validation, test, *, pick=torch.argmin):
    return test[pick(validation.mean(1))].mean()


def paired_interval(a, b):
    return half_width(a - b)


def objective_of_any(theta, tasks, g, loss, *, pooled=False):
    """A right answer to "any-learner", or one that forgets the tasks."""
    losses = [loss(g(theta, support), query) for support, query in tasks]
    if pooled:
        return torch.cat(losses).mean()
    return torch.stack([each.mean() for each in losses]).mean()


def on_other_sets(adapt_on, judge_on):
    """The same, with 0 for the support set and 1 for the query set."""
    return lambda theta, tasks, g, loss: objective_of_any(
        theta, [(task[adapt_on], task[judge_on]) for task in tasks], g, loss
    )


def penalty_for_steps(a, alpha, steps):
    left = (1 - alpha * a) ** steps
    return torch.tensor(a * left / (1 - left))


def best_rate(shots, spread, noise):
    return torch.tensor(spread**2 / (spread**2 + noise**2 / shots))


def standard_error(between, within, n, q):
    return torch.tensor(math.sqrt((between + within / q) / n))


def weighed(mu, t, average, n, sigma):
    prior, data = 1 / t**2, n / sigma**2
    return (prior * mu + data * average) / (prior + data), (prior + data) ** -0.5


def share_within(mean, std, y, level):
    z = Normal(0, 1).icdf(torch.tensor((1 + level) / 2, dtype=torch.float64))
    return ((y - mean).abs() <= z * std).double().mean()


def kl(m, s, mean, std):
    return kl_divergence(Normal(m, s), Normal(mean, std))


def proximal(theta, a, w, strength):
    return (a * w + strength * theta) / (a + strength)


def krylov(product, b, steps, *, keep=1, upside_down=False):
    """Conjugate gradients, or with ``keep`` = 0 steepest descent, −1 a wrong sign."""
    x, r, p = torch.zeros_like(b), b, b
    for _ in range(steps):
        ap = product(p)
        s = (r @ r) / (p @ ap)
        x, after = x + s * p, r - s * ap
        turn = (after @ after) / (r @ r)
        p = after + keep * (1 / turn if upside_down else turn) * p
        r = after
    return x


def implicit(
    theta, inner, outer, nearest, strength, *, of="inner", matrix=None, at=None
):
    """The implicit meta-gradient, or one with another matrix, or taken elsewhere."""
    phi = nearest(theta)
    where = {None: (phi, phi), "H": (theta, phi), "g": (phi, theta)}[at]
    h, eye = torch.func.jacrev(grad(inner))(where[0]), torch.eye(len(phi)).to(phi)
    made = eye + h / strength if matrix is None else matrix(eye, h, strength)
    slope = torch.func.grad(outer if of == "inner" else inner)(where[1])
    return torch.linalg.solve(made, slope)


def objective(tasks, *, of=lambda z, y: cross_entropy(z, y)):
    return torch.stack([of(z, y) for z, y in tasks]).mean()


def pooled(tasks):
    return cross_entropy(*map(torch.cat, zip(*tasks, strict=True)))


def first_only(tasks):
    return cross_entropy(*tasks[0])


def error_rate(z, y):
    return (z.argmax(1) != y).double().mean()


def linear_step(w, x, y, alpha, *, softmax=lambda z: z.softmax(1), mean=True):
    error = softmax(x @ w.T) - torch.nn.functional.one_hot(y, len(w))
    return w - alpha * error.T @ x / (len(x) if mean else 1)


def t_interval(scores, t=2.2622, **options):
    return t * scores.std(**options) / math.sqrt(len(scores))


def is_transductive(predict, queries, same=torch.allclose):
    return not same(predict(queries), torch.cat([predict(q[None]) for q in queries]))


def by_shuffling(predict, queries):
    order = torch.arange(len(queries)).flip(0)
    return not torch.allclose(predict(queries)[order], predict(queries[order]))


def split_by_group(groups, n_val, n_test, seed, *, slip=None):
    names = sorted(set(groups))
    if slip == "per class":
        names = list(range(len(groups)))
    if slip != "in order":
        g = None if slip == "unseeded" else torch.Generator().manual_seed(seed)
        order = torch.randperm(len(names), generator=g)
        names = [names[i] for i in order.tolist()]
    n_val += slip == "too many"
    val, test = names[:n_val], names[n_val : n_val + n_test]
    if slip == "overlap":
        val, test = names[:n_val], names[:n_test]
    train = names[n_val + (n_test + (slip == "lost")) :]
    parts = []
    for part in (train, val, test):
        of = range(len(groups)) if slip == "per class" else groups
        parts.append([c for c, name in enumerate(of) if name in part])
    return tuple(parts)


def splitting(slip):
    return lambda *arguments: split_by_group(*arguments, slip=slip)


def outer_step(
    theta, tasks, alpha, beta, *, sign=-1, of="query", at="phi", chain=True, add="mean"
):
    """One SGD step of the meta-loss of constants, or one with a slip."""
    slopes = []
    for support, query in tasks:
        phi = theta - alpha * 2 * (theta - support.mean())
        judge = query.mean() if of == "query" else support.mean()
        slope = 2 * ((phi if at == "phi" else theta) - judge)
        slopes.append(slope * (1 - 2 * alpha) if chain else slope)
    return theta + sign * beta * getattr(torch.stack(slopes), add)()


def towards(theta, tasks, alpha, beta):
    means = torch.stack([support.mean() for support, _ in tasks])
    return theta - beta * alpha * 2 * (theta - means).mean()


def stopping(validation, patience, *, ties=False, wait=0, keep="best", stop="waited"):
    best, kept, waiting = -math.inf, 0, 0
    for iteration, score in validation:
        if score > best or (ties and score == best):
            best, kept, waiting = score, iteration, 0
        else:
            waiting += 1
        if waiting == patience + wait:
            break
    kept = iteration if keep == "last" else kept
    return kept, (kept if stop == "kept" else iteration)


def highest(validation, patience):
    return max(validation, key=lambda row: row[1])[0], validation[-1][0]


def lowest(validation, patience):
    return min(validation, key=lambda row: row[1])[0], validation[-1][0]


def tasks_needed(scores, h, *, z=1.96, power=2, whole=torch.ceil, wide=1.0):
    return whole((wide * z * scores.std() / h) ** power)


def chunked(slope, tasks, most, *, weigh=lambda chunk, tasks, most: chunk / tasks):
    chunks = tasks.split(most)
    return sum(weigh(len(some), len(tasks), most) * slope(some) for some in chunks)


def best_processes(
    tasks, each, serial, exchange, *, cut=False, alone=False, last=False, of=None
):
    """The best number of processes and its speed-up, or what a slip makes of them."""

    def time(p):
        mine = tasks / p if cut else math.ceil(tasks / p)
        return serial + each * mine + exchange * (p if alone else p - 1)

    order = range(tasks, 0, -1) if last else range(1, tasks + 1)
    p = min(order, key=time)
    return p, (of(p, time) if of else time(1) / time(p))


def bce_slope(w, x, y, *, link=torch.sigmoid, weigh=1.0):
    return x.T @ (weigh * (link(x @ w) - y)) / len(y)


def two_steps(theta, inner, outer, alpha, *, at=(0, 1), end=2):
    """(I − αH)(I − αH) ∇outer, the Hessians and the slope taken along the path."""
    path = [theta]
    for _ in range(2):
        path.append(adapted(path[-1], inner, alpha))
    v = grad(outer)(path[end])
    for j in reversed(at):
        v = v - alpha * torch.func.jacrev(grad(inner))(path[j]) @ v
    return v


def wrong_way(theta, a, w, alpha, steps):
    left = (1 - alpha * a) ** steps
    full = (a * left**2 * (theta - w)).mean()
    return (a * left * (theta - w)).mean() * full < 0


def strength_gradient(
    theta, a_s, b_s, a_q, b_q, strength, *, of="query", inverse=torch.linalg.inv
):
    matrix = a_s + strength * torch.eye(len(theta)).to(theta)
    phi = torch.linalg.solve(matrix, b_s + strength * theta)
    slope = a_q @ phi - b_q if of == "query" else a_s @ phi - b_s
    return -slope @ inverse(matrix) @ (phi - theta)


def largest(h):
    return torch.linalg.eigvalsh(h)[-1]


grad = torch.func.grad


def common_version(versions, ranges, *, key=Version, pick=max):
    inside = SpecifierSet(",".join(ranges)).filter(versions)
    return pick(inside, key=key, default="none")


def in_any_range(versions, ranges):
    inside = (v for v in versions if any(v in SpecifierSet(r) for r in ranges))
    return max(inside, key=Version, default="none")


def wheel_fits(wheel, tags, *, only=None):
    *_, offered = parse_wheel_filename(wheel)
    return any(t in tags and (not only or t.interpreter in only) for t in offered)


def drifted(pins, installed, *, canonical=canonicalize_name, unpinned=False):
    wanted = {canonical(r.name): r.specifier for r in map(Requirement, pins)}
    found = [
        name
        for name, version in installed.items()
        if canonical(name) in wanted and version not in wanted[canonical(name)]
    ]
    return found + [n for n in installed if unpinned and canonical(n) not in wanted]


def mended(text, before, after, *, wrong=lambda found: found != 1):
    if wrong(text.count(before)):
        raise ValueError
    return text.replace(before, after)


def phi_of(model, x, y, lr, steps, *, cut=False, reduction="mean", history=True):
    """φ after the steps, or with its graph cut somewhere, or of the summed loss."""
    phi = dict(model.named_parameters())
    for _ in range(steps):
        z = torch.func.functional_call(model, phi, (x,))
        loss = cross_entropy(z, y, reduction=reduction)
        slopes = torch.autograd.grad(loss, phi.values(), create_graph=history)
        pairs = zip(phi.items(), slopes, strict=True)
        phi = {name: w - lr * slope for (name, w), slope in pairs}
        phi = {n: w.detach().requires_grad_() if cut else w for n, w in phi.items()}
    return phi


def stepped(model, x, y, lr, steps):
    """The fault: the model itself takes the steps."""
    for name, w in phi_of(model, x, y, lr, steps).items():
        model.get_parameter(name).data = w.detach()
    return dict(model.named_parameters())


def accuracy_interval(right, n, *, times=1.96, whole=lambda p: 100 * p, root=True):
    p = right / n
    return whole(p), 100 * times * (p * (1 - p) / (n if root else 1)) ** 0.5


def never_read(source, *, keywords=True, of=lambda f: f.body, contexts=(ast.Load,)):
    function = ast.parse(source).body[0]
    a = function.args
    listed = a.args + (a.kwonlyargs if keywords else [])
    nodes = [n for part in of(function) for n in ast.walk(part)]
    names = [n for n in nodes if isinstance(n, ast.Name)]
    read = {n.id for n in names if isinstance(n.ctx, contexts)}
    read |= {n.arg for n in nodes if isinstance(n, ast.arg)}
    return {arg.arg for arg in listed} - read


def log_uniform(u, low, high):
    return torch.tensor(low * (high / low) ** u)


def by_script(scores, groups, t=4.3027, over=lambda means, scores: means.mean()):
    """The interval of three groups' means, or one with a slip."""
    means = torch.stack([scores[groups == g].mean() for g in groups.unique()])
    return over(means, scores), t * means.std() / 3**0.5


def decide(distances, threshold, far=1, enough=torch.ge):
    best = (-far * distances).softmax(1).max(1)
    return torch.where(enough(best.values, threshold), best.indices, -1)


def head_after_a_step(features, labels, rate, *, centred=True, over=4):
    mu = torch.stack([features[labels == c].mean(0) for c in range(4)])
    return rate / over * (mu - mu.mean(0) if centred else mu)


def pull_on_alpha(alpha, results, slope):
    shares = alpha.softmax(0)
    mixture = torch.tensordot(shares, results, 1)
    return shares * ((results - mixture) * slope).sum((1, 2))


def strongest(alpha, names):
    return tuple(names[1 + int(k)] for k in alpha[:, 1:].argmax(1))


RIGHT = {
    "draw-a-task": lambda x, a, b: a * torch.sin(x - b),
    "average-wave": lambda x: -2 / math.pi * 2.55 * torch.cos(x),
    "count-the-labels": lambda iterations, batch, shots, queries: (
        iterations * batch * (shots + queries),
        shots,
    ),
    "episode": episode,
    "inner-step": lambda w, x, y, lr: w - lr * slope(w, x, y),
    "meta-loss": lambda w, tasks, lr: meta_losses(w, tasks, lr).mean(),
    "split-by-group": split_by_group,
    "outer-step": outer_step,
    "early-stopping": stopping,
    "how-many-tasks": tasks_needed,
    "quadratic-meta-gradient": lambda theta, a, w, alpha, steps: (
        a * (1 - alpha * a) ** (2 * steps) * (theta - w)
    ),
    "where-maml-lands": -0.431,
    "first-order-gradient": lambda theta, inner, outer, alpha: grad(outer)(
        adapted(theta, inner, alpha)
    ),
    "interval": half_width,
    "squared-distances": expanded,
    "another-example": lambda old, n, new: (n * old + new) / (n + 1),
    "matching-probability": votes,
    "ceiling": lambda classes, ways: distinct(classes, ways) / ways,
    "harmonic-mean": lambda s, u: 2 * s * u / (s + u) if s + u else s,
    "calibrated-stacking": lambda f, seen, c: (f - c * seen).argmax(1),
    "twin-classes": lambda a: torch.tensor(len(a.unique(dim=0)) / len(a)),
    "interval-over-classes": lambda right: half_width(right.double().mean(1)),
    "weigh": weighed,
    "coverage": share_within,
    "gap": lambda m, s, mean, std: (
        torch.log(std / s) + (s**2 + (m - mean) ** 2) / (2 * std**2) - 0.5
    ),
    "next-point": lambda f, V: ((f @ V) * f).sum(1).argmax(),
    "proximal-point": proximal,
    "envelope-gradient": lambda theta, nearest, s: s * (theta - nearest(theta)),
    "conjugate-gradient": krylov,
    "implicit-gradient": implicit,
    "mixed-operation": lambda alpha, r: torch.tensordot(alpha.softmax(0), r, 1),
    "pull-on-alpha": pull_on_alpha,
    "mixed-product": lambda g, w, v, e: (g(w + e * v) - g(w - e * v)) / (2 * e),
    "choose-operations": strongest,
    "honest-report": lambda validation, test: test[validation.argmax()],
    "break-even": break_even,
    "chosen-rate": chosen_rate,
    "paired-interval": paired_interval,
    "supported-claims": lambda: (True, False, False, False),
    "any-learner": objective_of_any,
    "penalty-for-steps": penalty_for_steps,
    "best-rate": best_rate,
    "standard-error": standard_error,
    "surrogate-gradient": bce_slope,
    "two-steps": two_steps,
    "wrong-way": wrong_way,
    "largest-rate": lambda h: 2 / largest(h),
    "strength-gradient": strength_gradient,
    "task-index": objective,
    "linear-step": linear_step,
    "ten-tasks": t_interval,
    "transductive": is_transductive,
    "common-version": common_version,
    "which-wheel": wheel_fits,
    "drift": drifted,
    "mend": mended,
    "inner-loop": phi_of,
    "one-accuracy": accuracy_interval,
    "unused": never_read,
    "log-uniform": log_uniform,
    "by-script": by_script,
    "abstain": decide,
    "one-step": head_after_a_step,
    "passes": lambda steps: (3 * steps + 1, steps + 1),
    "in-chunks": chunked,
    "processes": best_processes,
    "own-share": lambda slopes, tasks, processes: slopes.sum(0) / tasks,
}

SLIPS = [
    ("draw-a-task", lambda x, a, b: a * torch.sin(x + b), "phase has the wrong sign"),
    ("draw-a-task", lambda x, a, b: torch.sin(a * x - b), "amplitude multiplies"),
    ("draw-a-task", lambda x, a, b: torch.sin(a * (x - b)), "amplitude multiplies"),
    ("average-wave", lambda x: 0 * x, "over a whole period"),
    ("average-wave", lambda x: 2 / math.pi * 2.55 * torch.cos(x), "sign is wrong"),
    ("average-wave", lambda x: -2 * 2.55 * torch.cos(x), "length of the interval"),
    ("average-wave", lambda x: -2 / math.pi * torch.cos(x), "mean amplitude"),
    ("count-the-labels", lambda i, b, s, q: i * b * (s + q), "return two numbers"),
    ("count-the-labels", lambda i, b, s, q: (i * b * s, s), "query sets have labels"),
    ("count-the-labels", lambda i, b, s, q: (i * b * (s + q), s + q), "support set on"),
    ("episode", slipping("replacement"), "without replacement"),
    ("episode", slipping("overlap"), "share an example"),
    ("episode", slipping("class numbers"), "not the classes' numbers"),
    ("episode", slipping("query labels"), "another in the query set"),
    ("episode", slipping("too few"), "but hold [7, 7, 12, 12]"),
    ("episode", slipping("half"), "support_x, support_y, query_x, query_y"),
    ("inner-step", lambda w, x, y, lr: w + lr * slope(w, x, y), "subtract"),
    ("inner-step", lambda w, x, y, lr: w - lr * slope(w, x, y) / 2, "has no 1/2"),
    ("inner-step", lambda w, x, y, lr: w - lr * slope(w, x, y) * len(x), "not a sum"),
    ("meta-loss", lambda *a: meta_losses(*a, on="support").mean(), "on the support"),
    ("meta-loss", lambda *a: meta_losses(*a, adapted=False).mean(), "before adapt"),
    ("meta-loss", lambda *a: meta_losses(*a).sum(), "not a sum"),
    ("split-by-group", splitting("per class"), "classes of one group are in two parts"),
    ("split-by-group", splitting("overlap"), "must be disjoint"),
    ("split-by-group", splitting("lost"), "belong to training"),
    ("split-by-group", splitting("too many"), "but have 3 and 3"),
    ("split-by-group", splitting("in order"), "no random split"),
    ("split-by-group", splitting("unseeded"), "different splits"),
    ("outer-step", lambda *a: outer_step(*a, sign=1), "this climbs"),
    ("outer-step", lambda *a: outer_step(*a, chain=False), "this is first-order"),
    ("outer-step", lambda *a: outer_step(*a, at="theta", chain=False),
     "without adaptation"),
    ("outer-step", lambda *a: outer_step(*a, of="support"), "Use the query set"),
    ("outer-step", lambda *a: outer_step(*a, add="sum"), "not a sum"),
    ("outer-step", towards, "without the query loss"),
    ("early-stopping", highest, "had stopped by then"),
    ("early-stopping", lowest, "the largest, not the smallest"),
    ("early-stopping", lambda *a: stopping(*a, ties=True), "a tie is no new best"),
    ("early-stopping", lambda *a: stopping(*a, keep="last"), "the last validation"),
    ("early-stopping", lambda *a: stopping(*a, stop="kept"), "without improvement"),
    ("early-stopping", lambda *a: stopping(*a, wait=1), "off by one"),
    ("how-many-tasks", lambda *a: tasks_needed(*a, whole=torch.floor), "round up"),
    ("how-many-tasks", lambda *a: tasks_needed(*a, whole=lambda n: n), "is whole"),
    ("how-many-tasks", lambda *a: tasks_needed(*a, z=1), "about 68 %"),
    ("how-many-tasks", lambda *a: tasks_needed(*a, power=1), "the square is missing"),
    ("how-many-tasks", lambda *a: tasks_needed(*a, wide=2), "h is half the width"),
    ("how-many-tasks", lambda *a: tasks_needed(*a, wide=40**-0.5), "once more"),
    ("quadratic-meta-gradient", lambda t, a, w, r, k: a * (1 - r * a) ** k * (t - w),
     "first-order (FOMAML)"),
    ("quadratic-meta-gradient", lambda t, a, w, r, k: a * (t - w), "plain gradient"),
    ("where-maml-lands", 1.571, "optimum of ERM"),
    ("where-maml-lands", 11 / 7, "optimum of ERM"),
    ("where-maml-lands", 0.627, "where FOMAML stops"),
    ("first-order-gradient",
     lambda t, inner, outer, r: grad(lambda v: outer(adapted(v, inner, r)))(t),
     "whole meta-gradient"),
    ("first-order-gradient", lambda t, inner, outer, r: grad(outer)(t), "not at θ"),
    ("first-order-gradient",
     lambda t, inner, outer, r: grad(inner)(adapted(t, inner, r)), "not of inner"),
    ("interval", lambda s: s.std(), "divide by √n"),
    ("interval", lambda s: 1.96 * s.std(), "divide by √n"),
    ("interval", lambda s: s.std() / math.sqrt(len(s)), "about 68 %"),
    ("interval", lambda s: 2 * half_width(s), "no factor of 2"),
    ("squared-distances", lambda a, b: expanded(a, b).T, "transposed"),
    ("squared-distances", torch.cdist, "leave out the root"),
    ("squared-distances", lambda a, b: expanded(a, b, cross=-1), "lacks its 2"),
    ("squared-distances", lambda a, b: expanded(a, b, cross=2), "wrong sign"),
    ("squared-distances", lambda a, b: expanded(a, b, own=0), "‖a‖² is missing"),
    ("another-example", lambda old, n, new: (old + new) / 2, "halfway"),
    ("another-example", lambda old, n, new: old + new / (n + 1), "shrinks too"),
    ("another-example", lambda old, n, new: (n * old + new) / n, "one more"),
    ("matching-probability", lambda c, y, n, s: (s * c).softmax(0), "add up those"),
    ("matching-probability", lambda c, y, n, s: votes(c, y, n), "scale is missing"),
    ("matching-probability",
     lambda c, y, n, s: votes(c, y, n, s) / y.bincount(), "do not add up to 1"),
    ("matching-probability", by_class, "over support examples"),
    ("ceiling", lambda c, n: math.perm(c, n) / c**n, "no class comes twice"),
    ("ceiling", lambda c, n: distinct(c, n) / c, "multiply by classes"),
    ("ceiling", distinct, "share of ways"),
    ("harmonic-mean", lambda s, u: (s + u) / 2, "arithmetic"),
    ("harmonic-mean", lambda s, u: (s * u).sqrt(), "geometric"),
    ("harmonic-mean", lambda s, u: s * u / (s + u), "a 2 is missing"),
    ("harmonic-mean", lambda s, u: 2 * s * u / (s + u), "answer 0 then"),
    ("calibrated-stacking", lambda f, seen, c: f - c * seen, "name the class"),
    ("calibrated-stacking", lambda f, seen, c: f.argmax(1), "does nothing"),
    ("calibrated-stacking", lambda f, seen, c: (f + c * seen).argmax(1),
     "wrong way round"),
    ("twin-classes", lambda a: len(a.unique(dim=0)), "divide by that"),
    ("twin-classes", lambda a: without_twin(a), "are not all lost"),
    ("interval-over-classes", lambda r: half_width(r.double().flatten()),
     "are right or wrong together"),
    ("interval-over-classes", lambda r: half_width(r.double().mean(1)) / 1.96,
     "standard error"),
    ("interval-over-classes", lambda r: 1.96 * r.double().mean(1).std(),
     "how much classes differ"),
    ("weigh", lambda mu, t, a, n, s: weighed(mu, t, a, 1, s), "n is missing"),
    ("weigh", lambda mu, t, a, n, s: weighed(mu, 1 / t, a, 1, 1 / s * n**0.5),
     "wrong way round"),
    ("weigh", lambda *a: (weighed(*a)[0], weighed(*a)[1] ** 2), "is the variance"),
    ("coverage", lambda m, s, y, p: share_within(m, s, y, 2 * p - 1), "wrong quantile"),
    ("coverage", lambda m, s, y, p: ((y - m).abs() <= s).double().mean(), "about 68 %"),
    ("coverage", lambda *a: 1 - share_within(*a), "outside the interval"),
    ("gap", lambda m, s, mean, std: kl(mean, std, m, s), "wrong way round"),
    ("gap", lambda *a: -kl(*a), "never above the evidence"),
    ("gap", lambda *a: kl(*a) + 0.5, "1/2 is missing"),
    ("next-point", lambda f, V: f.norm(dim=1).argmax(), "measure length with V"),
    ("next-point", lambda f, V: ((f @ V) * f).sum(1).argmin(), "the surest candidate"),
    ("next-point", lambda f, V: ((f @ V) * f).sum(1), "the index of the candidate"),
    ("proximal-point", lambda t, a, w, s: proximal(w, a, t, s), "weights are swapped"),
    ("proximal-point", lambda t, a, w, s: t - a * (t - w) / s, "taken at the end"),
    ("proximal-point", lambda t, a, w, s: proximal(t, a, w, 2 * s), "not 2λ"),
    ("proximal-point", lambda t, a, w, s: a * w + s * t, "not a mean yet"),
    ("envelope-gradient", lambda t, near, s: s * (near(t) - t), "sign is wrong"),
    ("envelope-gradient", lambda t, near, s: t - near(t), "λ is missing"),
    ("envelope-gradient",
     lambda t, near, s: grad(lambda v: s / 2 * (v - near(v)).square().sum())(t),
     "vanishes at the optimum"),
    ("conjugate-gradient", lambda *a: krylov(*a, keep=0), "steepest descent"),
    ("conjugate-gradient", lambda *a: krylov(*a, keep=-1), "sign in the new"),
    ("conjugate-gradient", lambda *a: krylov(*a, upside_down=True), "upside down"),
    ("conjugate-gradient", lambda *a: -krylov(*a), "from x = 0 the residual"),
    ("implicit-gradient", lambda *a: implicit(*a, matrix=lambda i, h, s: i + h),
     "division by λ is missing"),
    ("implicit-gradient", lambda *a: implicit(*a, matrix=lambda i, h, s: s * i + h),
     "must be multiplied by λ"),
    ("implicit-gradient", lambda *a: implicit(*a, at="H"), "Hessian must be taken"),
    ("implicit-gradient", lambda *a: implicit(*a, at="g"), "outer gradient must be"),
    ("implicit-gradient", lambda *a: implicit(*a, of="outer"), "not of inner"),
    ("implicit-gradient", lambda *a: implicit(*a, matrix=lambda i, h, s: i),
     "this is first-order"),
    ("implicit-gradient",
     lambda *a: implicit(*a, matrix=lambda i, h, s: torch.linalg.inv(i + h / s)),
     "not by its inverse"),
    ("mixed-operation", lambda a, r: torch.tensordot(a, r, 1), "not shares yet"),
    ("mixed-operation", lambda a, r: a.softmax(0)[:, None, None] * r, "not summed yet"),
    ("mixed-operation", lambda a, r: r.mean(0), "whatever α is"),
    ("mixed-operation", lambda a, r: r[a.argmax()], "after discretising"),
    ("pull-on-alpha", lambda a, r, s: (r * s).sum((1, 2)), "by the shares p"),
    ("pull-on-alpha", lambda a, r, s: a.softmax(0) * (r * s).sum((1, 2)), "sum to 1"),
    ("pull-on-alpha", lambda a, *rest: pull_on_alpha(a, *rest) / a.softmax(0),
     "factor p"),
    ("pull-on-alpha", lambda *a: -pull_on_alpha(*a), "direction of descent"),
    ("mixed-product", lambda g, w, v, e: (g(w + e * v) - g(w)) / e, "one-sided"),
    ("mixed-product", lambda g, w, v, e: (g(w + e * v) - g(w - e * v)) / e, "2ε apart"),
    ("mixed-product", lambda g, w, v, e: (g(w - e * v) - g(w + e * v)) / (2 * e),
     "swapped"),
    ("mixed-product", lambda g, w, v, e: g(w + e * v) - g(w - e * v), "is missing"),
    ("choose-operations", lambda a, n: tuple(n[k] for k in a.argmax(1)),
     "says nothing"),
    ("choose-operations", lambda a, n: tuple(n[k] for k in a[:, 1:].argmax(1)),
     "shifted by one"),
    ("choose-operations", lambda a, n: tuple("121"), "not indices"),
    ("honest-report", lambda validation, test: validation.max(), "is too high"),
    ("honest-report", lambda validation, test: test.max(), "chooses on the test"),
    ("break-even", lambda meta, adapt, rival: meta / rival, "rival − adapt, not"),
    ("break-even", lambda *a: break_even(*a, whole=float), "whole numbers"),
    ("break-even", lambda *a: break_even(*a, whole=math.floor), "not paid off yet"),
    ("break-even", lambda *a: break_even(*a, whole=lambda n: int(n) + 1), "no extra"),
    ("break-even", lambda m, a, r: math.ceil(m / (r - a)), "math.inf"),
    ("chosen-rate", lambda v, t: t.mean(1).min(), "picks on the test tasks"),
    ("chosen-rate", lambda v, t: v.mean(1).min(), "the validation loss"),
    ("chosen-rate", lambda v, t: t.min(0).values.mean(), "one rate is to be"),
    ("chosen-rate", lambda *a: chosen_rate(*a, pick=torch.argmax), "largest loss"),
    ("paired-interval",
     lambda a, b: (half_width(a) ** 2 + half_width(b) ** 2) ** 0.5, "*different* sets"),
    ("paired-interval", lambda a, b: half_width(a) + half_width(b), "too wide"),
    ("paired-interval", lambda a, b: 1.96 * (a - b).std(), "divide by √n"),
    ("paired-interval", lambda a, b: half_width(a - b) / 1.96, "about 68 %"),
    ("supported-claims", lambda: (True, True, False, False), "claim 2"),
    ("supported-claims", lambda: (False, False, True, False), "claims 1 and 3"),
    ("supported-claims", lambda: (True, False, False, True), "claim 4"),
    ("any-learner", partial(objective_of_any, pooled=True), "within each task first"),
    ("any-learner", lambda t, b, *r: objective_of_any(t, b, *r) * 3, "estimated by a"),
    (
        "any-learner",
        lambda t, b, g, loss: objective_of_any(
            t, b, g, lambda *each: loss(*each).sum()[None]
        ),
        "within a task, too",
    ),
    ("any-learner", on_other_sets(0, 0), "judges on the support set"),
    ("any-learner", on_other_sets(1, 1), "reads the support set"),
    (
        "any-learner",
        lambda t, b, g, loss: objective_of_any(t, b, lambda t, s: t, loss),
        "without adaptation",
    ),
    ("penalty-for-steps", lambda a, r, k: a / ((1 - r * a) ** -k - 1) / a, "factor a"),
    (
        "penalty-for-steps",
        lambda a, r, k: a * ((1 - r * a) ** -k - 1),
        "upside down",
    ),
    ("penalty-for-steps", lambda a, r, k: penalty_for_steps(a, r, 1), "for one step"),
    ("penalty-for-steps", lambda a, r, k: 1 / (r * k), "when αa is small"),
    ("penalty-for-steps", lambda a, r, k: (1 - r * a) ** k, "the share r that is left"),
    ("best-rate", lambda shots, spread, noise: 1.0, "minimises the support loss"),
    ("best-rate", lambda k, s, n: best_rate(1, s, n), "not divided by k"),
    ("best-rate", lambda k, s, n: 1 - best_rate(k, s, n), "swapped"),
    ("best-rate", lambda k, s, n: s / (s + n / k), "square them"),
    ("standard-error", lambda b, w, n, q: math.sqrt((b + w) / (n * q)), "independent"),
    ("standard-error", lambda b, w, n, q: math.sqrt((b + w) / n), "divide within by q"),
    ("standard-error", lambda *x: standard_error(*x) ** 2, "its square root"),
    ("standard-error", lambda *x: 1.96 * standard_error(*x), "has no 1.96"),
    ("standard-error", lambda b, w, n, q: math.sqrt(b + w / q), "one task's score"),
    ("standard-error", lambda b, w, n, q: math.sqrt(b / n), "add their part"),
    ("surrogate-gradient", lambda w, x, y: bce_slope(w, x, y, weigh=len(y)),
     "divide the sum"),
    ("surrogate-gradient", lambda w, x, y: -bce_slope(w, x, y), "not y − p̂"),
    ("surrogate-gradient", lambda w, x, y: bce_slope(w, x, y, link=lambda z: z),
     "σ is missing"),
    ("surrogate-gradient",
     lambda w, x, y: grad(lambda v: (torch.sigmoid(x @ v) - y).square().mean() / 2)(w),
     "the two cancel"),
    ("two-steps", partial(two_steps, at=()), "this is first-order"),
    ("two-steps", partial(two_steps, at=(1, 0)), "order is reversed"),
    ("two-steps", partial(two_steps, at=(0, 0)), "both Hessians are taken at θ"),
    ("two-steps", partial(two_steps, at=(1,)), "only one factor"),
    ("two-steps", partial(two_steps, at=(0,)), "only one factor"),
    ("two-steps", partial(two_steps, at=(0,), end=1), "for one step"),
    ("two-steps", partial(two_steps, end=0), "not at θ"),
    ("wrong-way", lambda *a: ~wrong_way(*a), "are exchanged"),
    ("wrong-way", lambda t, a, w, r, k: ((1 - r * a) ** k < 0).any(), "over tasks"),
    ("wrong-way", lambda t, a, w, r, k: (r * a > 1).any(), "not enough"),
    ("largest-rate", lambda h: 1 / largest(h), "arrives in one step"),
    ("largest-rate", lambda h: -2 / largest(-h), "not the smallest"),
    ("largest-rate", lambda h: 2 / h.trace(), "from below"),
    ("largest-rate", lambda h: 2 / h.norm(), "from below"),
    ("largest-rate", lambda h: 2 / h.max(), "unless the matrix is diagonal"),
    ("strength-gradient", lambda *a: -strength_gradient(*a), "pulls φ back"),
    ("strength-gradient",
     lambda *a: strength_gradient(*a, inverse=lambda m: a[-1] * torch.linalg.inv(m)),
     "not I + H/λ"),
    ("strength-gradient",
     lambda *a: strength_gradient(*a, inverse=lambda m: torch.eye(2).to(m)),
     "the inverse is missing"),
    ("strength-gradient",
     lambda t, a, b, _, __, s: (
         torch.linalg.solve(a + s * torch.eye(2).to(a), b + s * t) - t
     ).square().sum() / 2,
     "derivative of the penalty"),
    ("strength-gradient", lambda *a: strength_gradient(*a, of="support"),
     "of the query loss"),
    ("task-index", lambda tasks: objective(tasks, of=error_rate), "error rate"),
    ("task-index", first_only, "only the first task"),
    ("task-index", pooled, "more examples weigh more"),
    ("task-index", lambda tasks: 3 * objective(tasks), "not a sum"),
    ("task-index", lambda tasks: -objective(tasks), "sign is wrong"),
    ("linear-step", lambda w, x, y, r: linear_step(w, x, y, -r), "goes uphill"),
    ("linear-step", lambda *a: linear_step(*a, mean=False), "divide by their number"),
    ("linear-step", lambda *a: linear_step(*a, softmax=lambda z: z), "is missing"),
    ("linear-step", lambda *a: linear_step(*a, softmax=lambda z: z.softmax(0)),
     "goes the wrong way"),
    ("linear-step", lambda w, x, y, r: w - linear_step(w, x, y, 1), "the gradient"),
    ("ten-tasks", half_width, "normal quantile"),
    ("ten-tasks", lambda s: t_interval(s, 2.2281), "10 degrees of freedom"),
    ("ten-tasks", lambda s: t_interval(s, 1.8331), "cuts off one side"),
    ("ten-tasks", lambda s: t_interval(s, correction=0), "divides by n − 1"),
    ("ten-tasks", lambda s: 2.2622 * s.std(), "divide by √n"),
    ("ten-tasks", lambda s: s.std(), "divide by √n"),
    ("transductive", by_shuffling, "Shuffling does not show"),
    ("transductive", lambda predict, queries: False, "Shuffling does not show"),
    ("transductive", lambda predict, queries: True, "treats each query alone"),
    ("transductive", lambda *a: is_transductive(*a, same=torch.equal), "no leak"),
    ("common-version", in_any_range, "in some of the ranges only"),
    ("common-version", lambda *a: common_version(*a, key=str), "compared as numbers"),
    ("common-version", lambda *a: common_version(*a, pick=min), "but not the newest"),
    ("which-wheel", lambda wheel, tags: "cp312" in wheel, "for another platform"),
    ("which-wheel", lambda w, t: w[:-4].split("-", 2)[2] in map(str, t), "is short"),
    ("which-wheel", lambda *a: wheel_fits(*a, only=("cp312", "py3")), "abi3 wheel"),
    ("drift", lambda p, i: [*drifted(p, i), "torch"], "names the build"),
    ("drift", lambda p, i: [*drifted(p, i), "ruff"], "asks for nothing"),
    ("drift", lambda *a: drifted(*a, unpinned=True), "has no pin"),
    ("drift", lambda *a: drifted(*a, canonical=str), "calls the same package Jinja2"),
    ("mend", lambda t, b, a: t.replace(b, a), "nothing was mended"),
    ("mend", lambda *a: mended(*a, wrong=lambda n: n == 0), "replaces them all"),
    ("mend", lambda *a: mended(*a, wrong=lambda n: n > 0), "which is no error"),
    ("inner-loop", stepped, "weights have changed"),
    ("inner-loop", lambda m, x, y, lr, k: phi_of(m, x, y, lr, 1), "this is one step"),
    ("inner-loop", lambda m, x, y, lr, k: phi_of(m, x, y, -lr, k), "this climbs"),
    ("inner-loop", lambda *a: phi_of(*a, reduction="sum"), "not a sum"),
    ("inner-loop", lambda m, x, y, lr, k: phi_of(m, x, y, lr, k + 1), "start at θ"),
    ("inner-loop", lambda *a: phi_of(*a, cut=True), "the graph from θ"),
    ("inner-loop", lambda *a: phi_of(*a, history=False), "is first-order"),
    ("one-accuracy", lambda *a: accuracy_interval(*a, whole=float), "in per cent"),
    ("one-accuracy", lambda *a: accuracy_interval(*a, whole=lambda p: int(100 * p)),
     "do not truncate"),
    ("one-accuracy", lambda *a: accuracy_interval(*a, root=False), "of one image"),
    ("one-accuracy", lambda *a: accuracy_interval(*a, times=1), "standard error"),
    ("one-accuracy", lambda *a: accuracy_interval(*a, times=3.92), "half the width"),
    ("one-accuracy", lambda *a: accuracy_interval(*a, times=3), "right and wrong"),
    ("unused", lambda s: never_read(s, of=lambda f: [f]), "count the body"),
    ("unused", lambda s: never_read(s, contexts=(ast.expr_context,)), "an ast.Load"),
    ("unused", lambda s: never_read(s, keywords=False), "kwonlyargs"),
    ("unused", lambda s: {"total"}, "less the names"),
    ("passes", lambda steps: (9 * steps + 3, 3 * steps + 3), "divide by 3"),
    ("passes", lambda steps: (steps + 1, 3 * steps + 1), "wrong way round"),
    ("passes", lambda steps: (3 * steps, steps), "query loss is missing"),
    ("passes", lambda steps: (3 * steps + 1, 2 * steps + 1), "nothing else"),
    ("passes", lambda steps: (steps + 1, steps + 1), "second order is missing"),
    ("passes", lambda steps: (2 * steps + 1, steps + 1), "beside that of the step"),
    ("passes", lambda steps: (3 * steps + 3, steps + 1), "not three"),
    ("in-chunks", lambda slope, tasks, most: slope(tasks), "memory holds only 4"),
    ("in-chunks",
     lambda slope, tasks, most: chunked(slope, tasks, most) + slope(tasks[:0]),
     "one chunk is empty"),
    ("in-chunks", lambda *a: chunked(*a, weigh=lambda *n: 1 / 3), "chunks' means"),
    ("in-chunks", lambda *a: chunked(*a, weigh=lambda *n: 1), "cannot simply be added"),
    ("in-chunks", lambda slope, tasks, most: chunked(slope, tasks[:8], most),
     "incomplete chunk is lost"),
    ("in-chunks", lambda *a: chunked(*a, weigh=lambda chunk, tasks, most: most / tasks),
     "as if it had 4"),
    ("in-chunks", lambda *a: chunked(*a, weigh=lambda chunk, *rest: chunk),
     "this is the sum"),
    ("processes", lambda *a: best_processes(*a, last=True), "take the smallest"),
    ("processes", lambda *a: best_processes(*a, cut=True), "cannot be cut"),
    ("processes", lambda tasks, *rest: (tasks, tasks), "not the fastest"),
    ("processes",
     lambda *a: best_processes(*a, of=lambda p, time: time(p) / time(1)),
     "upside down"),
    ("processes", lambda *a: best_processes(*a, of=lambda p, time: p), "not p times"),
    ("processes", lambda *a: best_processes(*a, alone=True), "nobody to exchange with"),
    ("own-share", lambda s, tasks, p: s.mean(0) / p, "processes' means"),
    ("own-share", lambda s, tasks, p: s.mean(0), "p times too large"),
    ("own-share", lambda s, tasks, p: s.sum(0), "divide by tasks"),
    ("own-share", lambda s, tasks, p: s.sum(0) / p, "not by that of processes"),
    ("own-share", lambda s, tasks, p: s.mean(0) / tasks, "divides twice"),
    ("log-uniform", lambda u, low, high: low + u * (high - low), "not log-uniform"),
    ("log-uniform", lambda *a: log_uniform(*a).log(), "take the exponential"),
    ("log-uniform", lambda u, low, high: log_uniform(u, high, low), "the wrong way"),
    ("by-script",
     lambda s, g: (s.mean(), 2.4469 * s.std() / 7**0.5), "this is over tasks"),
    ("by-script",
     lambda *a: by_script(*a, over=lambda means, s: s.mean()), "weigh more"),
    ("by-script", lambda *a: by_script(*a, t=1.96), "1.96 is too small"),
    ("by-script", lambda *a: by_script(*a, t=3**0.5), "standard deviation"),
    ("abstain", lambda d, threshold: d.argmin(1), "the undecided query"),
    ("abstain", lambda *a: decide(*a, far=-1), "the farthest class"),
    ("abstain", lambda *a: decide(*a, enough=torch.lt), "comparison is reversed"),
    ("abstain",
     lambda d, threshold: torch.where(d.amin(1) <= threshold, d.argmin(1), -1),
     "not a distance"),
    ("abstain", lambda d, threshold: (-d).softmax(1).amax(1), "are probabilities"),
    ("one-step", lambda *a: head_after_a_step(*a).T, "transposed"),
    ("one-step", lambda *a: -head_after_a_step(*a), "sign is wrong"),
    ("one-step", lambda *a: head_after_a_step(*a, centred=False), "mean of all"),
    ("one-step", lambda *a: head_after_a_step(*a, over=1), "divide by N"),
    ("one-step", lambda *a: head_after_a_step(*a, over=4 / 3), "not a sum"),
]  # fmt: skip

CHAPTER_OF = {name: chapter for chapter, name in EXERCISES}


def test_every_exercise_is_tested_here():
    assert set(RIGHT) == set(CHAPTER_OF)
    assert {name for name, _, _ in SLIPS} == set(CHAPTER_OF)


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_answer_passes(name):
    feedback = check(CHAPTER_OF[name], name, RIGHT[name])
    assert feedback, feedback
    assert feedback.passed
    assert feedback.message == {"zh": "正确。", "en": "correct."}


@pytest.mark.parametrize(
    ("name", "answer", "words"), SLIPS, ids=[f"{n}: {w}" for n, _, w in SLIPS]
)
def test_a_usual_slip_gets_its_own_hint(name, answer, words):
    chapter = CHAPTER_OF[name]
    feedback = check(chapter, name, answer)
    assert not feedback
    assert words in feedback.message["en"]
    assert "raised an error" not in feedback.message["en"]
    assert re.search("[一-鿿]", feedback.message["zh"])
    nonsense = 1234.5 if name == "where-maml-lands" else lambda *arguments: 1234.5
    generic = check(chapter, name, nonsense)
    assert not generic
    if name not in ("count-the-labels", "episode"):  # there, a number is a known slip
        assert feedback.message != generic.message


@pytest.mark.parametrize("name", RIGHT)
def test_answers_may_be_plain_numbers_and_other_precisions(name):
    """A reader's float64 or Python arithmetic is as good as the checker's float32."""
    answer = RIGHT[name]

    def precise(*arguments):
        value = answer(*arguments)
        many = isinstance(value, tuple) or value.dim()
        return value if many else value.double().item()

    other = "count-the-labels", "where-maml-lands", "quadratic-meta-gradient"
    words = "transductive", "common-version", "which-wheel", "drift"
    code = "mend", "inner-loop", "unused"
    if name not in (*other, *words, *code):
        assert check(CHAPTER_OF[name], name, precise)


@pytest.mark.parametrize("slip", ["first classes", "repeated"])
def test_an_episode_that_is_not_random_enough_does_not_pass(slip):
    assert not ch02.check("episode", slipping(slip))


def test_an_answer_that_works_in_place_is_judged_on_what_it_was_given():
    def shifts(x, amplitude, phase):
        x -= phase
        return amplitude * torch.sin(x)

    assert ch01.check("draw-a-task", shifts)


# --- hostile answers ---------------------------------------------------------------


def raises(error):
    def answer(*arguments):
        raise error

    return answer


def recurses(*arguments):
    return recurses(*arguments)


def unseeds(*arguments):
    torch.manual_seed(12345)
    return torch.rand(7)


def edits(*arguments):
    """Changes what it was given."""
    for argument in arguments:
        if isinstance(argument, torch.Tensor):
            argument.fill_(0)
        elif isinstance(argument, list):
            argument.clear()
    return 0.0


ZOO = {
    "None": None,
    "...": ...,
    "an int": 3,
    "a bool": True,
    "a string": "7",
    "a list": [1, [2]],
    "a dict": {},
    "NaN": math.nan,
    "a huge int": 10**400,
    "a complex number": 1j,
    "a tensor": torch.ones(2, 3),
    "a huge tensor": torch.zeros(1).expand(3000, 1000),
    "an empty tensor": torch.zeros(0),
    "a class": type("Answer", (), {}),
    "an object": object(),
    "a module": math,
    "the stub": lambda *arguments: ...,
    "returns None": lambda *arguments: None,
    "returns a string": lambda *arguments: "seven",
    "returns NaN": lambda *arguments: math.nan,
    "returns a NaN tensor": lambda *arguments: torch.full((7,), math.nan),
    "returns infinity": lambda *arguments: math.inf,
    "returns nothing much": lambda *arguments: (),
    "returns Nones": lambda *arguments: (None,) * 4,
    "returns scalars": lambda *arguments: (torch.tensor(1),) * 4,
    "returns a dict": lambda *arguments: {"a": 1},
    "returns a set": lambda *arguments: {1, 2},
    "returns a generator": lambda *arguments: (i for i in range(3)),
    "returns itself": lambda *arguments: raises,
    "returns a huge int": lambda *arguments: 10**400,
    "returns two huge ints": lambda *arguments: (10**400, 10**400),
    "returns a complex tensor": lambda *arguments: torch.ones(7) * 1j,
    "returns a bool tensor": lambda *arguments: torch.ones(7, dtype=bool),
    "returns a sparse tensor": lambda *arguments: torch.eye(7).to_sparse(),
    "returns a meta tensor": lambda *arguments: torch.empty(7, device="meta"),
    "returns another shape": lambda *arguments: torch.ones(7, 7),
    "returns a huge tensor": lambda *arguments: torch.zeros(1).expand(3000, 1000),
    "returns tensors that track": lambda *arguments: torch.ones(7, requires_grad=True),
    "returns its input": lambda *arguments: arguments[0],
    "returns its inputs": lambda *arguments: arguments,
    "takes nothing": lambda: 1,
    "takes too much": lambda a, b, c, d, e, f, g, h: 1,
    "raises": raises(ValueError("<b>no</b> & why")),
    "raises without words": raises(Exception()),
    "raises StopIteration": raises(StopIteration()),
    "raises AssertionError": raises(AssertionError("{braces} %s")),
    "recurses": recurses,
    "calls manual_seed": unseeds,
    "edits its input": edits,
}


@pytest.mark.parametrize(("chapter", "name"), EXERCISES)
@pytest.mark.parametrize("animal", ZOO)
def test_a_check_never_raises(chapter, name, animal):
    before, plain = torch.get_rng_state(), random.getstate()
    feedback = check(chapter, name, ZOO[animal])
    assert torch.equal(torch.get_rng_state(), before)
    assert random.getstate() == plain
    assert isinstance(feedback, Feedback)
    assert feedback.exercise == name
    assert not feedback
    bilingual(feedback)


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("name", "answer"), [("draw-a-task", raises(Mute())), (["draw-a-task"], 1)]
)
def test_not_even_the_most_hostile_answer_makes_a_check_raise(name, answer):
    ch01.check(name, answer)


@pytest.mark.parametrize(
    "answer", [None, ..., lambda *arguments: None, lambda *arguments: ...]
)
@pytest.mark.parametrize(("chapter", "name"), EXERCISES)
def test_a_stub_is_told_from_a_wrong_answer(chapter, name, answer):
    if callable(answer) and name == "where-maml-lands":
        pytest.skip("asks for a number")
    feedback = check(chapter, name, answer)
    assert "not answered yet" in feedback.message["en"]
    assert "还没有作答" in feedback.message["zh"]


def test_an_error_is_told_in_its_own_words():
    feedback = ch01.check("draw-a-task", raises(KeyError("amplitud")))
    for text in feedback.message.values():
        assert "KeyError: 'amplitud'" in text


@pytest.mark.parametrize("chapter", CHAPTERS)
@pytest.mark.parametrize("name", ["", "no-such", "DRAW-A-TASK", "<i>"])
def test_an_unknown_name_is_answered_with_the_known_ones(chapter, name):
    feedback = check(chapter, name, 1)
    assert not feedback
    bilingual(feedback)
    for known in CHAPTERS[chapter].exercises.checkers:
        assert all(known in text for text in feedback.message.values())


# --- what is shown -----------------------------------------------------------------


class Reader(HTMLParser):
    """Collects the elements and the text within each."""

    def __init__(self, source):
        super().__init__()
        self.elements, self.texts = [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.texts.append("")

    def handle_data(self, data):
        self.texts[-1] += data


def bilingual(feedback):
    """That both languages are there, different, shown once each, and escaped."""
    assert set(feedback.message) == {"zh", "en"}
    assert all(text.strip() for text in feedback.message.values())
    assert feedback.message["zh"] != feedback.message["en"]
    assert re.search("[一-鿿]", feedback.message["zh"])
    shown = feedback._repr_mimebundle_()
    reader = Reader(shown["text/html"])
    assert [tag for tag, _ in reader.elements] == ["div", "div"]
    assert [attributes["lang"] for _, attributes in reader.elements] == ["zh", "en"]
    for text, (_, attributes) in zip(reader.texts, reader.elements, strict=True):
        assert text.startswith("✓" if feedback.passed else "✗")
        assert feedback.message[attributes["lang"]] in text
    assert "text/plain" in shown
    return shown


def test_words_of_the_reader_never_become_markup():
    feedback = ch01.check("draw-a-task", raises(ValueError("<script>x</script> & co")))
    shown = bilingual(feedback)["text/html"]
    assert "<script>" not in shown
    assert shown.count(html.escape("<script>x</script> & co")) == 2
    named = bilingual(ch01.check('<img src="x">', 1))["text/html"]
    assert "<img" not in named


def test_feedback_reads_as_true_or_false_and_in_words():
    right = ch01.check("draw-a-task", RIGHT["draw-a-task"])
    bilingual(right)
    assert bool(right)
    assert repr(right) == "✓ draw-a-task: 正确。 correct."
    wrong = ch01.check("draw-a-task", lambda x, a, b: x)
    assert not wrong
    assert repr(wrong).startswith("✗ draw-a-task: ")
