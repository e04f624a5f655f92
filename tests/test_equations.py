"""Each equation of the book that states an identity, checked in double precision.

`book/data/equations.yml` names the test of every such equation, and which labelled
equations define things instead. The tests of this file say which equations they check;
the last ones walk the list both ways.
"""

import ast
import itertools
import json
import math
import re
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn
from torch.distributions import MultivariateNormal, kl_divergence
from torch.nn.functional import softplus

import metatutor as mt
from metatutor.architecture import (
    OPERATIONS,
    MixedOperation,
    architecture_gradient,
)
from metatutor.calibration import covered
from metatutor.hypergradient import hypergradient, neumann
from metatutor.learners.conjugate_gradient import conjugate_gradient
from metatutor.learners.inner_loop import gradient_descent
from metatutor.learners.prototypes import class_means, squared_distances
from metatutor.learners.r2d2 import ridge

ROOT = Path(__file__).resolve().parents[1]


def checks(*labels):
    """Marks a test as the check of these equations."""

    def mark(test):
        test.equations = labels
        return test

    return mark


@pytest.fixture(autouse=True)
def in_double_precision(float64):
    """Identities hold to rounding only if that is small."""


class Point(nn.Module):
    """A model that is its parameters: the "outputs" are θ, whatever the inputs."""

    def __init__(self, theta):
        super().__init__()
        self.theta = nn.Parameter(torch.as_tensor(theta).clone())

    def forward(self, x):
        return self.theta.expand(len(x), -1)


def quadratic(outputs, targets):
    """½ (φ − w)ᵀ A (φ − w): a row of the targets holds w and A."""
    size = outputs.shape[1]
    w, a = targets[0, :size], targets[0, size:].view(size, size)
    gap = outputs[0] - w
    return 0.5 * gap @ a @ gap


def bowl(size, seed=0):
    """A positive definite matrix with eigenvalues below 3, and a point."""
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(size, size, generator=generator)
    a = root @ root.T
    a = 2.5 * a / torch.linalg.eigvalsh(a).max() + 0.1 * torch.eye(size)
    return a, torch.randn(size, generator=generator)


def task(a, w, query=None):
    """A batch of one task with that quadratic as support loss, and as query loss."""
    a_query, w_query = (a, w) if query is None else query

    def targets(matrix, point):
        return torch.cat([point, matrix.flatten()])[None, None]

    x = torch.zeros(1, 1, 1)
    return mt.TaskBatch(x, targets(a, w), x, targets(a_query, w_query))


def adapted(learner, batch, **options):
    """φ of the only task of a batch."""
    predict = learner.adapt(batch.support_x[0], batch.support_y[0], **options)
    return predict(torch.zeros(1, 1))[0]


def meta_gradient(learner, batch):
    learner.zero_grad()
    learner.meta_loss(batch).backward()
    return learner.model.theta.grad.clone()


def close(found, expected, digits=10):
    torch.testing.assert_close(
        torch.as_tensor(found),
        torch.as_tensor(expected),
        rtol=10.0**-digits,
        atol=1e-12,
    )


# --- 01, 02, 03 ---------------------------------------------------------------------


@checks("eq-background-average")
def test_the_average_of_all_waves():
    """−(2/π) E[A] cos x, by a fine grid over phases: the source's own waves."""
    source = mt.data.Sinusoid()
    low, high = source.amplitude
    phases = (torch.arange(200_000) + 0.5) * math.pi / 200_000
    x = torch.linspace(-5, 5, 11)
    mean = (low + high) / 2 * torch.sin(x[:, None] - phases).mean(1)
    close(mean, -2 / math.pi * (low + high) / 2 * x.cos(), 8)
    assert 2 / math.pi * (low + high) / 2 == pytest.approx(1.62, abs=0.005)


@checks("eq-concepts-ceiling")
@pytest.mark.parametrize(("classes", "ways"), [(20, 5), (3, 2), (6, 4)])
def test_the_share_of_different_classes(classes, ways):
    """Every sequence of N draws from C, or a large sample of them, counted."""
    draws = torch.cartesian_prod(*[torch.arange(classes)] * min(ways, 4))
    ways = draws.shape[1]
    different = torch.tensor([len(set(row)) for row in draws[:200_000].tolist()])
    formula = classes / ways * (1 - (1 - 1 / classes) ** ways)
    if len(draws) <= 200_000:
        close(different.double().mean() / ways, formula)


@checks("eq-workflow-ridge")
def test_ridge_regression_solves_its_normal_equations():
    x, y, penalty = torch.randn(7, 5), torch.randn(7, 2), torch.tensor(0.3)
    expected = torch.linalg.solve(x.T @ x + penalty * torch.eye(5), x.T @ y)
    close(ridge(x, y, penalty), expected)
    gradient = torch.func.grad(
        lambda w: (x @ w - y).square().sum() + penalty * w.square().sum()
    )
    close(gradient(ridge(x, y, penalty)), torch.zeros(5, 2))


@checks("eq-workflow-optimism")
def test_the_best_of_several_means_is_too_high():
    """Exactly: over all outcomes of three coins with different chances."""
    chances = torch.tensor([0.5, 0.45, 0.3])
    outcomes = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3)
    weights = (outcomes * chances + (1 - outcomes) * (1 - chances)).prod(1)
    close(weights.sum(), 1.0)
    assert (weights * outcomes.amax(1)).sum() > chances.max() + 0.1


# --- 04 -----------------------------------------------------------------------------


@checks("eq-maml-jacobian", "eq-maml-gradient")
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_meta_gradient_is_a_product_of_jacobians(steps):
    """On a network: Hessians at φ_0, …, φ_{K−1} by autograd, one after the other."""
    model = mt.models.mlp(1, 1, hidden=(4,), activation=nn.Tanh)
    learner, rate = mt.MAML(model, mt.mse, 0.2, steps), 0.2
    batch = mt.data.Sinusoid(4).sample(1)
    sx, sy, qx, qy = (tensor[0] for tensor in batch.tensors)
    names = [name for name, _ in model.named_parameters()]
    sizes = [p.numel() for p in model.parameters()]
    shapes = [p.shape for p in model.parameters()]

    def loss(vector, x, y):
        parts = [
            part.view(s) for part, s in zip(vector.split(sizes), shapes, strict=True)
        ]
        named = dict(zip(names, parts, strict=True))
        return mt.mse(torch.func.functional_call(model, named, (x,)), y)

    theta = nn.utils.parameters_to_vector(model.parameters()).detach()

    def descend(vector):
        for _ in range(steps):
            vector = vector - rate * torch.func.grad(loss)(vector, sx, sy)
        return vector

    jacobian, phi, identity = torch.eye(len(theta)), theta, torch.eye(len(theta))
    product = identity
    for _ in range(steps):
        hessian = torch.func.hessian(loss)(phi, sx, sy)
        jacobian = (identity - rate * hessian) @ jacobian
        product = product @ (identity - rate * hessian)
        phi = phi - rate * torch.func.grad(loss)(phi, sx, sy)
    close(jacobian, torch.func.jacrev(descend)(theta), 8)
    slope = torch.func.grad(loss)(phi, qx, qy)
    learner.meta_loss(batch).backward()
    ours = torch.cat([p.grad.flatten() for p in model.parameters()])
    close(ours, jacobian.T @ slope, 8)
    close(ours, product @ slope, 8)


@checks("eq-maml-quadratic")
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_maml_and_its_first_order_on_a_quadratic(steps):
    a, w, theta, rate = 2.0, -1.5, 0.7, 0.3
    batch = task(torch.tensor([[a]]), torch.tensor([w]))
    for first_order, power in ((False, 2 * steps), (True, steps)):
        learner = mt.MAML(Point([theta]), quadratic, rate, steps, first_order)
        found = meta_gradient(learner, batch)
        close(found, torch.tensor([a * (1 - rate * a) ** power * (theta - w)]))


# --- 05 -----------------------------------------------------------------------------


@checks("eq-metric-mean")
def test_distances_to_a_point_split_at_the_mean():
    features, mu = torch.randn(6, 4), torch.randn(4)
    centre = class_means(features, torch.zeros(6, dtype=torch.long))
    spread = squared_distances(features, centre).sum()
    expected = spread + 6 * squared_distances(mu[None], centre).item()
    close(squared_distances(features, mu[None]).sum(), expected)


@checks("eq-metric-linear")
def test_prototypes_are_a_linear_classifier():
    learner = mt.PrototypicalNetwork(nn.Linear(3, 4))
    support, queries = torch.randn(6, 3), torch.randn(5, 3)
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    outputs = learner.adapt(support, labels)(queries)
    with torch.no_grad():
        features = learner.model(queries)
        means = class_means(learner.model(support), labels)
    linear = 2 * features @ means.T - means.square().sum(1)
    close(outputs, linear - features.square().sum(1, keepdim=True))


@checks("eq-metric-cosine")
def test_cosine_similarity_is_a_distance_on_the_sphere():
    """Through matching networks: their votes are a softmax of either."""
    learner = mt.MatchingNetwork(nn.Linear(3, 4), scale=7.0)
    support, queries = torch.randn(3, 3), torch.randn(5, 3)
    outputs = learner.adapt(support, torch.arange(3))(queries)
    with torch.no_grad():
        u = nn.functional.normalize(learner.model(queries), dim=-1)
        v = nn.functional.normalize(learner.model(support), dim=-1)
    by_distance = 7 - 3.5 * squared_distances(u, v)
    close(by_distance, 7 * u @ v.T)
    close(outputs, by_distance.log_softmax(-1))


@checks("eq-zero-shot-closed", "eq-zero-shot-gradient")
def test_eszsl_is_its_formula_and_has_no_gradient_left():
    torch.manual_seed(0)
    x, labels, s = torch.randn(30, 7), torch.randint(5, (30,)), torch.rand(5, 4)
    y = 2 * nn.functional.one_hot(labels, 5).double() - 1
    gamma, lam = 0.7, 3.0
    left, right = x.T @ x + gamma * torch.eye(7), s.T @ s + lam * torch.eye(4)
    v = torch.inverse(left) @ x.T @ y @ s @ torch.inverse(right)
    found = mt.zero_shot.eszsl(x, labels, s, gamma, lam)
    assert (found - v).abs().max() < 1e-8

    def objective(v):
        fit = (x @ v @ s.T - y).square().sum() + lam * (x @ v).square().sum()
        return fit + gamma * ((v @ s.T).square().sum() + lam * v.square().sum())

    gradient = torch.func.grad(objective)
    assert gradient(found).abs().max() < 1e-8
    for other in (found, torch.randn(7, 4)):  # and the gradient is the chapter's
        stated = 2 * (left @ other @ right - x.T @ y @ s)
        torch.testing.assert_close(gradient(other), stated)


@checks("eq-zero-shot-harmonic")
def test_the_harmonic_mean_of_seen_and_unseen():
    for s, u in ((0.9, 0.3), (0.5, 0.5), (0.8, 0.01)):
        found = mt.zero_shot.harmonic_mean(s, u)
        assert found == pytest.approx(1 / ((1 / s + 1 / u) / 2), abs=1e-12)
        assert min(s, u) <= found <= 2 * min(s, u)
    assert mt.zero_shot.harmonic_mean(0.9, 0.0) == 0


# --- 07 -----------------------------------------------------------------------------


class Given(nn.Module):
    """The inputs are the features."""

    def forward(self, x):
        return x


def bayesian(features=3, sigma=0.4, seed=0):
    """A learner with prior N(μ, Σ), and μ, Σ, σ."""
    torch.manual_seed(seed)
    mu, root = torch.randn(features, 1), torch.randn(features, features)
    covariance = root @ root.T + 0.2 * torch.eye(features)
    learner = mt.ALPaCA(Given(), features, noise=sigma)
    precision = torch.linalg.cholesky(sigma**2 * torch.linalg.inv(covariance))
    learner.mean.data = mu
    learner.below.data = precision.tril(-1)
    learner.log_diagonal.data = precision.diagonal().log()
    return learner, mu, covariance, sigma


def by_formula(mu, covariance, sigma, x, y):
    """m and V of the posterior."""
    v = torch.linalg.inv(torch.linalg.inv(covariance) + x.T @ x / sigma**2)
    return mu + v @ x.T @ (y - x @ mu) / sigma**2, v


@checks("eq-bayesian-waves")
def test_every_sine_wave_is_linear_in_two_features():
    batch = mt.data.Sinusoid(shots=9).sample(5)
    a, b = batch.truth["amplitude"], batch.truth["phase"]
    phi = torch.stack([a * b.cos(), -a * b.sin()], 1)[..., None]
    x = batch.support_x
    close(torch.cat([x.sin(), x.cos()], -1) @ phi, batch.support_y, 12)


@checks("eq-bayesian-posterior", "eq-bayesian-predictive", "eq-bayesian-evidence")
def test_bayes_rule_for_linear_features():
    """Formulas, learner, and prior times likelihood over evidence agree."""
    learner, mu, covariance, sigma = bayesian()
    x, y, phi = torch.randn(5, 3), torch.randn(5, 1), torch.randn(3)
    m, v = by_formula(mu, covariance, sigma, x, y)
    evidence = MultivariateNormal(
        (x @ mu)[:, 0], sigma**2 * torch.eye(5) + x @ covariance @ x.T
    ).log_prob(y[:, 0])
    close(learner.log_evidence(x, y), evidence, 8)
    likelihood = torch.distributions.Normal(x @ phi, sigma).log_prob(y[:, 0]).sum()
    by_bayes = MultivariateNormal(mu[:, 0], covariance).log_prob(phi) + likelihood
    close(MultivariateNormal(m[:, 0], v).log_prob(phi), by_bayes - evidence, 8)
    queries = torch.randn(4, 3)
    found = learner.adapt(x, y).distribution(queries)
    close(found.mean, queries @ m, 8)
    variance = sigma**2 + ((queries @ v) * queries).sum(1, keepdim=True)
    close(found.variance, variance, 8)


@checks("eq-bayesian-fisher")
def test_the_evidence_pulls_the_prior_towards_the_posterior():
    learner, mu, covariance, sigma = bayesian()
    x, y = torch.randn(5, 3), torch.randn(5, 1)
    (slope,) = torch.autograd.grad(learner.log_evidence(x, y), learner.mean)
    m, _ = by_formula(mu, covariance, sigma, x, y)
    close(slope, torch.linalg.solve(covariance, m - mu), 8)


@checks("eq-bayesian-chain")
def test_the_evidence_splits_at_the_support_set():
    """The rest is the density of the queries, one after the other."""
    learner, *_ = bayesian()
    x, y = torch.randn(7, 3), torch.randn(7, 1)
    rest = sum(
        learner.adapt(x[:i], y[:i]).distribution(x[i : i + 1]).log_prob(y[i]).sum()
        for i in range(4, 7)
    )
    close(learner.log_evidence(x, y), learner.log_evidence(x[:4], y[:4]) + rest, 8)


@checks("eq-bayesian-elbo")
def test_the_bound_misses_by_the_divergence():
    """For any normal q; at the exact posterior by nothing."""
    learner, mu, covariance, sigma = bayesian()
    x, y = torch.randn(5, 3), torch.randn(5, 1)
    m, v = by_formula(mu, covariance, sigma, x, y)
    exact, prior = (
        MultivariateNormal(m[:, 0], v),
        MultivariateNormal(mu[:, 0], covariance),
    )
    root = torch.randn(3, 3)
    for q in (exact, MultivariateNormal(torch.randn(3), root @ root.T + torch.eye(3))):
        left = (y[:, 0] - x @ q.mean).square().sum()
        unsure = (x @ q.covariance_matrix @ x.T).trace()
        constant = 5 * torch.distributions.Normal(0.0, sigma).log_prob(torch.zeros(()))
        likelihood = constant - (left + unsure) / (2 * sigma**2)
        bound = likelihood - kl_divergence(q, prior)
        gap = learner.log_evidence(x, y) - bound
        close(gap, kl_divergence(q, exact), 8)
        assert (gap.abs() < 1e-8) == (q is exact)


@checks("eq-bayesian-covered")
def test_the_central_interval_by_quantiles():
    normal = torch.distributions.Normal(torch.randn(500), torch.rand(500) + 0.1)
    y = normal.mean + 1.5 * normal.stddev * torch.randn(500)
    for level in (0.5, 0.9):
        low, high = (normal.icdf(torch.tensor((1 + s * level) / 2)) for s in (-1, 1))
        inside = (low <= y) & (y <= high)
        assert 50 < inside.sum() < 450
        assert torch.equal(covered(normal.cdf(y), level), inside.to(y.dtype))


@checks("eq-bayesian-gain")
def test_what_a_label_tells_is_known_beforehand():
    """Whatever the label is, so is the entropy that is left."""
    learner, *_, sigma = bayesian()
    x, new = torch.randn(4, 3), torch.randn(1, 3)
    noise2 = sigma**2
    for y in (torch.randn(4, 1), 9 * torch.randn(4, 1)):
        before = learner.fit(x, y)
        after = learner.fit(torch.cat([x, new]), torch.cat([y, torch.randn(1, 1)]))
        v, smaller = (
            noise2 * torch.linalg.inv(w.root @ w.root.T) for w in (before, after)
        )
        gain = (v.logdet() - smaller.logdet()) / 2
        close(gain, (1 + new @ v @ new.T / noise2).log()[0, 0] / 2, 8)


# --- 08 -----------------------------------------------------------------------------


@checks("eq-proximal-quadratic", "eq-proximal-stationary")
def test_the_proximal_point_of_a_quadratic():
    (a, w), theta, strength = bowl(3), torch.randn(3), 1.7
    learner = mt.ImplicitMAML(Point(theta), quadratic, strength)
    phi = adapted(learner, task(a, w))
    system = a + strength * torch.eye(3)
    close(phi, torch.linalg.solve(system, a @ w + strength * theta), 9)
    assert (a @ (phi - w) + strength * (phi - theta)).abs().max() < 1e-9


@checks("eq-proximal-jacobian", "eq-proximal-implicit")
def test_the_implicit_gradient():
    """The Jacobian by differences of the adapted weights, then the meta-gradient."""
    (a, w), (a_query, w_query) = bowl(3), bowl(3, seed=1)
    theta, strength = torch.randn(3), 1.7
    batch = task(a, w, (a_query, w_query))

    def phi(start):
        return adapted(mt.ImplicitMAML(Point(start), quadratic, strength), batch)

    expected = torch.linalg.inv(torch.eye(3) + a / strength)
    columns = [(phi(theta + h) - phi(theta - h)) / 2e-3 for h in 1e-3 * torch.eye(3)]
    torch.testing.assert_close(torch.stack(columns, 1), expected, rtol=1e-6, atol=1e-7)
    learner = mt.ImplicitMAML(Point(theta), quadratic, strength)
    slope = a_query @ (phi(theta) - w_query)
    close(meta_gradient(learner, batch), expected @ slope, 8)
    solved = conjugate_gradient(
        lambda v: v + a @ v / strength, slope, max_steps=3, tolerance=1e-12
    )
    close(solved.point, expected @ slope, 8)  # exact after as many steps as dimensions


@checks("eq-proximal-envelope-gradient")
def test_the_gradient_of_the_envelope():
    """By differences of the envelope itself, and from the learner."""
    (a, w), theta, strength = bowl(3), torch.randn(3), 1.7
    batch = task(a, w)

    def phi(start):
        return adapted(mt.MinibatchProx(Point(start), quadratic, strength), batch)

    def envelope(start):
        point = phi(start)
        gap = point - w
        return 0.5 * gap @ a @ gap + strength / 2 * (point - start).square().sum()

    found = meta_gradient(mt.MinibatchProx(Point(theta), quadratic, strength), batch)
    close(found, strength * (theta - phi(theta)), 8)
    differences = torch.stack(
        [
            (envelope(theta + h) - envelope(theta - h)) / 2e-4
            for h in 1e-4 * torch.eye(3)
        ]
    )
    torch.testing.assert_close(found, differences, rtol=1e-6, atol=1e-7)


@checks("eq-proximal-shrink")
@pytest.mark.parametrize("a", [0.3, 2.0])
def test_what_is_left_of_the_distance(a):
    theta, w, rate, steps, strength = 0.7, -1.5, 0.2, 4, 1.5
    batch = task(torch.tensor([[a]]), torch.tensor([w]))
    descended = adapted(mt.MAML(Point([theta]), quadratic, rate, steps), batch)
    pulled = adapted(mt.ImplicitMAML(Point([theta]), quadratic, strength), batch)
    close((descended - w) / (theta - w), torch.tensor([(1 - rate * a) ** steps]))
    close((pulled - w) / (theta - w), torch.tensor([strength / (a + strength)]), 8)


@checks("eq-proximal-lands")
def test_where_each_method_lands():
    """At the weighted mean of the optima, the meta-gradients cancel."""
    rate, steps, strength = 0.1, 2, 1.5
    tasks = [(1.0, -1.0), (6.0, 2.0)]
    methods = {
        lambda m: mt.JointPretraining(m, quadratic): lambda a: a,
        lambda m: mt.MAML(m, quadratic, rate, steps): (
            lambda a: a * (1 - rate * a) ** (2 * steps)
        ),
        lambda m: mt.MAML(m, quadratic, rate, steps, True): (
            lambda a: a * (1 - rate * a) ** steps
        ),
        lambda m: mt.Reptile(m, quadratic, rate, steps): (
            lambda a: 1 - (1 - rate * a) ** steps
        ),
        lambda m: mt.ImplicitMAML(m, quadratic, strength): (
            lambda a: a * strength**2 / (a + strength) ** 2
        ),
        lambda m: mt.MinibatchProx(m, quadratic, strength): (
            lambda a: a * strength / (a + strength)
        ),
    }
    for make, weight in methods.items():
        total = sum(weight(a) for a, _ in tasks)
        lands = sum(weight(a) * w for a, w in tasks) / total
        at, off = (
            sum(
                meta_gradient(make(Point([place])), single(a, w)).item()
                for a, w in tasks
            )
            for place in (lands, lands + 0.1)
        )
        assert abs(at) < 1e-8 < abs(off)


def single(a, w):
    """A task of one number, with the same support and query loss."""
    return task(torch.tensor([[a]]), torch.tensor([w]))


@checks("eq-proximal-nonconvex")
def test_a_convex_task_can_have_a_hilly_meta_objective():
    """ℓ = x⁴/4 and one step of rate 1."""

    def quartic(outputs, targets):
        return outputs[0, 0] ** 4 / 4

    def objective(theta):
        learner = mt.MAML(Point([theta]), quartic, 1.0, 1)
        return learner.meta_loss(single(1.0, 0.0)).item()

    for theta in (0.0, 0.3, 0.5, 1.0, 1.2):
        close(objective(theta), (theta - theta**3) ** 4 / 4)
    assert objective(0.0) == objective(1.0) == 0 < objective(0.5)


# --- 09 -----------------------------------------------------------------------------


def mixtures():
    """Two losses of smooth operations that are mixed by α; weights, and α."""
    torch.manual_seed(0)
    x, y = torch.randn(2, 20, 3), torch.randn(2, 20, 3)

    def loss(k):
        def of(weights, alpha):
            a = x[k] @ weights["in"]
            p = alpha.softmax(0)
            mixed = p[0] * a.tanh() + p[1] * a.sin() + p[2] * a
            return (mixed @ weights["out"] - y[k]).square().mean()

        return of

    weights = {"in": torch.randn(3, 4), "out": torch.randn(4, 3)}
    return loss(0), loss(1), weights, torch.tensor([0.3, -0.2, 0.1])


@checks("eq-architecture-pull")
def test_what_pulls_on_alpha():
    edge = MixedOperation(8, [*OPERATIONS])
    x, y = torch.randn(2, 2, 8, 7, 7)
    alpha = torch.randn(5, requires_grad=True)
    m = edge(x, alpha)
    m.retain_grad()
    (m - y).square().mean().backward()
    with torch.no_grad():
        results = torch.stack([o(x) for o in edge.operations.values()])
        pulls = ((results - m) * m.grad).sum((1, 2, 3, 4))
        close(alpha.grad, alpha.softmax(0) * pulls)


@checks("eq-architecture-gradient")
def test_the_two_terms_of_the_architecture_gradient():
    """With the mixed second derivative written down as a matrix."""
    train, validation, weights, alpha = mixtures()
    rate, shapes = 0.3, {n: w.shape for n, w in weights.items()}

    def named(vector):
        parts = vector.split([12, 12])
        return {n: p.view(shapes[n]) for n, p in zip(shapes, parts, strict=True)}

    w = torch.cat([v.flatten() for v in weights.values()])
    by_w = torch.func.grad(lambda w, a: train(named(w), a))
    after = w - rate * by_w(w, alpha)
    v, direct = torch.func.grad(lambda w, a: validation(named(w), a), argnums=(0, 1))(
        after, alpha
    )
    mixed = torch.func.jacrev(by_w, argnums=1)(w, alpha)  # ∂²ℓ/∂w∂α, (24, 3)
    found = architecture_gradient(
        train, validation, weights, alpha, rate=rate, exact=True
    )
    close(found, direct - rate * mixed.T @ v)


@checks("eq-architecture-difference")
def test_the_error_of_the_mixed_product_is_of_second_order():
    """Halving ε quarters it, until rounding takes over."""
    arguments = mixtures()
    exact = architecture_gradient(*arguments, rate=0.3, exact=True)

    def error(epsilon):
        found = architecture_gradient(*arguments, rate=0.3, epsilon=epsilon)
        return (found - exact).norm().item()

    for epsilon in (4e-2, 2e-2, 1e-2, 5e-3):
        assert error(epsilon) / error(epsilon / 2) == pytest.approx(4, rel=0.02)
    assert error(1e-4) < 1e-6 * exact.norm()
    assert error(1e-10) > error(1e-4)


# --- 11 -----------------------------------------------------------------------------


class Guess(nn.Module):
    """A linear model of one weight."""

    def __init__(self, theta):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([float(theta)]))

    def forward(self, x):
        return x @ self.theta


def half_squares(outputs, targets):
    return (outputs - targets).square().mean() / 2


def guesses(a, z, shots):
    """Tasks a/2 (φ − z)² as regressions: x = √a, y = √a z; z is (tasks, examples)."""
    x = a.sqrt()[:, None].expand_as(z)
    x, y = x[..., None], x * z
    return mt.TaskBatch(x[:, :shots], y[:, :shots], x[:, shots:], y[:, shots:])


KINDS = {"a": torch.tensor([0.5, 2.0]), "mu": torch.tensor([-1.0, 2.0])}
SPREAD, NOISE, SHOTS = 0.5, 0.8, 3


def all_tasks():
    """Every task there is when coins ±1 stand for Gaussian noise, also the query's."""
    coin = torch.tensor([-1.0, 1.0])
    rows = torch.cartesian_prod(torch.tensor([0.0, 1.0]), *[coin] * (1 + SHOTS))
    kind = rows[:, 0].long()
    a, c = KINDS["a"].double()[kind], KINDS["mu"].double()[kind] + SPREAD * rows[:, 1]
    error = torch.cat([rows[:, 2:], coin.expand(len(rows), 2)], 1)
    return guesses(a, c[:, None] + NOISE * error, SHOTS)


def on_support(batch):
    sx, sy, _, _ = batch.tensors
    return mt.TaskBatch(sx, sy, sx, sy)


@checks(
    "eq-formulation-quadratic",
    "eq-formulation-closed-steps",
    "eq-formulation-closed-penalty",
)
def test_adaptation_on_one_number():
    a, z, theta, rate, steps, strength = 1.7, torch.randn(1, 6), 0.4, 0.2, 3, 1.5
    batch = guesses(torch.tensor([a]), z, 4)
    seen = z[0, :4]
    phi = torch.tensor(0.9)
    split = a / 2 * ((phi - seen.mean()) ** 2 + seen.var(correction=0))
    still = mt.MAML(Guess(phi), half_squares, rate, 0)
    close(still.meta_loss(on_support(batch)).detach(), split)
    one = torch.ones(1, 1)
    for learner, share, digits in (
        (mt.MAML(Guess(theta), half_squares, rate, steps), (1 - rate * a) ** steps, 10),
        (
            mt.ImplicitMAML(Guess(theta), half_squares, strength),
            strength / (a + strength),
            8,
        ),
    ):
        found = learner.adapt(batch.support_x[0], batch.support_y[0])(one)
        close(found, (seen.mean() + share * (theta - seen.mean()))[None], digits)


@checks("eq-formulation-three-terms", "eq-formulation-optimum", "eq-formulation-leak")
@pytest.mark.parametrize("theta", [-0.7, 0.5, 2.0])
def test_the_meta_loss_of_all_tasks_there_are(theta):
    rate, steps, (a, mu) = 0.3, 2, (k.double() for k in KINDS.values())
    learner, batch = mt.MAML(Guess(theta), half_squares, rate, steps), all_tasks()
    left = (1 - rate * a) ** steps
    start = left**2 * ((theta - mu) ** 2 + SPREAD**2)
    support = (1 - left) ** 2 * NOISE**2 / SHOTS
    close(
        learner.meta_loss(batch).detach(), (a / 2 * (start + support + NOISE**2)).mean()
    )
    leak = left**2 * ((theta - mu) ** 2 + SPREAD**2 + NOISE**2 / SHOTS)
    leak = leak + (1 - 1 / SHOTS) * NOISE**2
    close(learner.meta_loss(on_support(batch)).detach(), (a / 2 * leak).mean())
    weight = a * left**2
    best = mt.MAML(Guess((weight * mu).sum() / weight.sum()), half_squares, rate, steps)
    assert (
        meta_gradient(best, batch).abs() < 1e-12 < meta_gradient(learner, batch).abs()
    )


@checks("eq-formulation-interval")
@pytest.mark.parametrize("n", [30, 100])
def test_the_interval_by_hand(n):
    scores = torch.randn(n)
    mean = scores.sum() / n
    s = ((scores - mean).square().sum() / (n - 1)).sqrt()
    result = mt.Result(scores)
    assert result.mean == pytest.approx(mean.item())
    assert result.ci95 == pytest.approx((1.96 * s / n**0.5).item(), rel=1e-4)


@checks("eq-formulation-erm")
def test_without_steps_it_is_empirical_risk_minimisation():
    model, batch = mt.models.mlp(1, 1, hidden=(4,)), mt.data.Sinusoid(3).sample(5)
    _, _, qx, qy = batch.tensors
    found = []
    for learner, tasks in (
        (mt.MAML(model, mt.mse, 0.1, 0), batch),
        (mt.JointPretraining(model, mt.mse), mt.TaskBatch(qx, qy, qx, qy)),
    ):
        model.zero_grad()
        learner.meta_loss(tasks).backward()
        found.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    close(found[0], found[1])


@checks("eq-formulation-play")
def test_the_meta_loss_of_quiet_tasks():
    a, c = torch.tensor([0.5, 1.0, 2.0]), torch.tensor([-2.0, 0.5, 2.5])
    theta, rate, steps = 0.3, 0.4, 3
    batch = guesses(a, c[:, None].expand(3, 2), 1)
    learner = mt.MAML(Guess(theta), half_squares, rate, steps)
    gap = (1 - rate * a) ** (2 * steps) * (theta - c) ** 2
    close(learner.meta_loss(batch).detach(), (a / 2 * gap).mean())


@checks("eq-formulation-variance")
def test_more_examples_leave_the_variance_between_tasks():
    """Exactly: q = 2 independent coins for queries, all their outcomes, all tasks."""
    rate, steps, theta = 0.3, 2, 0.5
    batch, coin = all_tasks(), torch.tensor([-1.0, 1.0])
    learner = mt.MAML(Guess(theta), half_squares, rate, steps)
    root = batch.support_x[:, :1, 0]
    c = (batch.query_y / root).mean(1)  # its two coins cancel
    losses = []
    for sx, sy, r, centre in zip(
        batch.support_x, batch.support_y, root[:, 0], c, strict=True
    ):
        phi = learner.adapt(sx, sy)(torch.ones(1, 1))
        losses.append(r**2 / 2 * (phi - centre - NOISE * coin) ** 2)
    losses = torch.stack(losses)  # (tasks, outcomes of one query example)
    pairs = (losses[:, :, None] + losses[:, None, :]) / 2  # of two
    between = losses.mean(1).var(correction=0)
    within = losses.var(1, correction=0).mean()
    close(pairs.var(correction=0), between + within / 2)


@checks("eq-formulation-quartic")
@pytest.mark.parametrize("rate", [0.5, 1.0])
def test_three_minima_of_one_convex_task(rate):
    def quartic(outputs, targets):
        return outputs[0, 0] ** 4 / 4

    def objective(theta):
        learner = mt.MAML(Point([theta]), quartic, rate, 1)
        return learner.meta_loss(single(1.0, 0.0)).item()

    for theta in (0.0, 0.3, 1.2):
        close(objective(theta), (theta - rate * theta**3) ** 4 / 4)
    for minimum in (0.0, rate**-0.5, -(rate**-0.5)):
        assert objective(minimum) < 1e-30 < objective(0.5)


# --- 12 -----------------------------------------------------------------------------


class Linear(nn.Module):
    """z = xᵀw."""

    def __init__(self, start):
        super().__init__()
        self.theta = nn.Parameter(start.clone())

    def forward(self, x):
        return x @ self.theta


def logistic(z, y):
    """log(1 + e^z) − y z, the mean."""
    return (softplus(z) - y * z).mean()


def classification(n=8, seed=0):
    """Points with a constant 1, and labels 0 or 1 as numbers."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.cat([torch.randn(n, 2, generator=generator), torch.ones(n, 1)], 1)
    return x, (torch.rand(n, generator=generator) < 0.5).double()


def regression(seed=0, n=6, size=3):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, size, generator=generator)
    return x, torch.randn(n, generator=generator)


def normal_equations(x, y):
    """A = XᵀX/n and b = Xᵀy/n."""
    return x.T @ x / len(x), x.T @ y / len(x)


@checks("eq-derivation-bce", "eq-derivation-bce-gradient", "eq-derivation-bce-hessian")
def test_cross_entropy_its_gradient_and_its_hessian():
    """The gradient as the way of one MAML step, the Hessian in its meta-gradient."""
    (x, y), w, rate = classification(), torch.randn(3), 0.3
    p = torch.sigmoid(x @ w)
    close(logistic(x @ w, y), nn.functional.binary_cross_entropy(p, y))
    gradient = x.T @ (p - y) / len(y)
    hessian = x.T @ ((p * (1 - p))[:, None] * x) / len(y)
    learner = mt.MAML(Linear(w), logistic, rate, 1)
    moved = learner.fit(x, y)["theta"].detach()
    close((w - moved) / rate, gradient, 9)
    query_x, query_y = classification(seed=1)
    p_query = torch.sigmoid(query_x @ moved)
    last = query_x.T @ (p_query - query_y) / len(query_y)
    batch = mt.TaskBatch(x[None], y[None], query_x[None], query_y[None])
    close(meta_gradient(learner, batch), last - rate * hessian @ last, 9)


@checks(
    "eq-derivation-chain",
    "eq-derivation-step",
    "eq-derivation-product",
    "eq-derivation-meta-gradient",
    "eq-derivation-backward",
    "eq-derivation-hvp",
)
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_the_four_lines_of_the_derivation(steps):
    """On classification, whose Hessians differ from step to step."""
    (sx, sy), (qx, qy) = classification(), classification(seed=1)
    theta, rate, identity = torch.randn(3), 2.0, torch.eye(3)

    def support(phi):
        return logistic(sx @ phi, sy)

    def path(start, count):
        return gradient_descent(
            lambda phi: support(phi["w"]), {"w": start}, [rate] * count
        )["w"]

    jacobians = [
        torch.func.jacrev(lambda t, j=j: path(t, j))(theta) for j in range(steps + 1)
    ]
    points = [path(theta, j) for j in range(steps + 1)]
    hessians = [torch.func.hessian(support)(point) for point in points]
    last = torch.func.grad(lambda phi: logistic(qx @ phi, qy))(points[-1])
    batch = mt.TaskBatch(sx[None], sy[None], qx[None], qy[None])
    ours = meta_gradient(mt.MAML(Linear(theta), logistic, rate, steps), batch)
    close(ours, jacobians[-1].T @ last, 9)
    product, forward = identity, identity
    for j in range(steps):
        factor = identity - rate * hessians[j]
        close(jacobians[j + 1], factor @ jacobians[j], 9)
        forward, product = factor @ forward, product @ factor
    close(jacobians[-1], forward, 9)
    close(ours, product @ last, 9)
    v = last
    for j in reversed(range(steps)):
        scalar = torch.func.grad(lambda phi, v=v: torch.func.grad(support)(phi) @ v)(
            points[j]
        )
        close(scalar, hessians[j] @ v, 9)
        v = v - rate * scalar
    close(ours, v, 9)


def three_minibatches():
    """Hessians, gradients at θ, and θ of three least-squares minibatches."""
    pairs = [normal_equations(*regression(seed)) for seed in range(3)]
    theta = torch.ones(3)
    return [a for a, _ in pairs], [a @ theta - b for a, b in pairs], theta


def walk(order, rate):
    """The gradients met on one way through the minibatches, and MAML's, at its end.

    By the package's own inner loop, with another loss in each step.
    """
    data = [regression(seed) for seed in range(3)]
    losses = [lambda phi, x=x, y=y: half_squares(x @ phi, y) for x, y in data]
    met = []

    def along(theta):
        phi = {"w": theta}
        for i in order[:-1]:
            met.append(torch.func.grad(losses[i])(phi["w"]))
            phi = gradient_descent(lambda p, i=i: losses[i](p["w"]), phi, [rate])
        met.append(torch.func.grad(losses[order[-1]])(phi["w"]))
        return losses[order[-1]](phi["w"])

    maml = torch.autograd.functional.jacobian(along, torch.ones(3))
    return maml, [slope.detach() for slope in met[: len(order)]]


@checks("eq-derivation-taylor", "eq-derivation-expansion", "eq-derivation-coefficients")
def test_the_expansions_leave_a_remainder_of_second_order():
    """Halving α divides what is left by four, for each order and for their mean."""
    hessians, start, _ = three_minibatches()
    orders = list(itertools.permutations(range(3)))
    mean = sum(start) / 3
    pairs = list(itertools.permutations(range(3), 2))
    inner = sum(hessians[i] @ start[j] for i, j in pairs) / len(pairs)

    def remainders(rate):
        single, whole = [], []
        for order in orders:
            maml, met = walk(order, rate)
            g = [start[i] for i in order]
            h = [hessians[i] for i in order]
            taylor = [g[i] - rate * h[i] @ sum(g[:i], 0 * g[0]) for i in range(3)]
            first, last = taylor[2], rate * (h[0] + h[1]) @ g[2]
            single += [a - b for a, b in zip(met, taylor, strict=True)]
            single += [maml - (first - last), sum(met) - sum(taylor)]
            whole.append(torch.stack([maml, met[2], sum(met)]))
        claimed = [
            mean - 4 * rate * inner,
            mean - 2 * rate * inner,
            3 * mean - 3 * rate * inner,
        ]
        average = sum(whole) / len(whole) - torch.stack(claimed)
        return torch.stack([*single, *average]).norm(dim=1)

    coarse, fine = remainders(2e-4), remainders(1e-4)
    there = coarse > 1e-12  # the first gradients of a path have no remainder
    assert there.sum() > 20
    close(coarse[there] / fine[there], torch.full_like(coarse[there], 4.0), 2)


@checks("eq-derivation-two-batches", "eq-derivation-inner-product")
def test_two_minibatches_exactly():
    (a, g), rate = three_minibatches()[:2], 0.1
    (x1, y1), (x2, y2) = regression(0), regression(1)
    batch = mt.TaskBatch(x1[None], y1[None], x2[None], y2[None])
    first = g[1] - rate * a[1] @ g[0]
    whole = first - rate * a[0] @ g[1] + rate**2 * a[0] @ a[1] @ g[0]
    for first_order, expected in ((True, first), (False, whole)):
        learner = mt.MAML(Linear(torch.ones(3)), half_squares, rate, 1, first_order)
        close(meta_gradient(learner, batch), expected)

    def product(theta):
        slopes = [
            torch.func.grad(lambda t, x=x, y=y: half_squares(x @ t, y))(theta)
            for x, y in ((x1, y1), (x2, y2))
        ]
        return slopes[0] @ slopes[1]

    close(a[0] @ g[1] + a[1] @ g[0], torch.func.grad(product)(torch.ones(3)))


@checks(
    "eq-derivation-linear-path",
    "eq-derivation-linear-gradient",
    "eq-derivation-linear-optimum",
    "eq-derivation-contraction",
)
def test_linear_regression_in_closed_form():
    rate, steps, tasks = 0.1, 3, 5
    support = [regression(seed) for seed in range(tasks)]
    query = [regression(seed + 50) for seed in range(tasks)]
    columns = [
        torch.stack(column)
        for pairs in (support, query)
        for column in zip(*pairs, strict=True)
    ]
    batch, theta = mt.TaskBatch(*columns), torch.randn(3)
    learner = mt.MAML(Linear(theta), half_squares, rate, steps)
    left, right, gradient = torch.zeros(3, 3), torch.zeros(3), torch.zeros(3)
    for (sx, sy), (qx, qy) in zip(support, query, strict=True):
        (a, b), (a_query, b_query) = normal_equations(sx, sy), normal_equations(qx, qy)
        p = torch.eye(3) - rate * a
        power = torch.linalg.matrix_power(p, steps)
        c = rate * sum(torch.linalg.matrix_power(p, j) @ b for j in range(steps))
        phi = learner.fit(sx, sy)["theta"].detach()
        close(phi, power @ theta + c)
        w = torch.linalg.solve(a, b)
        close(phi - w, power @ (theta - w), 9)
        gradient += power @ (a_query @ phi - b_query) / tasks
        left += power @ a_query @ power
        right += power @ (b_query - a_query @ c)
    close(meta_gradient(learner, batch), gradient)
    best = torch.linalg.solve(left, right)
    at_best = mt.MAML(Linear(best), half_squares, rate, steps)
    assert meta_gradient(at_best, batch).norm() < 1e-10


@checks("eq-derivation-implicit", "eq-derivation-strength")
def test_the_implicit_gradient_and_that_of_the_strength():
    (sx, sy), (qx, qy) = classification(), classification(seed=1)
    theta, strength, identity = torch.randn(3), 0.4, torch.eye(3)
    batch = mt.TaskBatch(sx[None], sy[None], qx[None], qy[None])

    def learner(value):
        return mt.ImplicitMAML(Linear(theta), logistic, value)

    phi = learner(strength).fit(sx, sy).point
    hessian = torch.func.hessian(lambda w: logistic(sx @ w, sy))(phi)
    slope = torch.func.grad(lambda w: logistic(qx @ w, qy))(phi)
    expected = torch.linalg.solve(identity + hessian / strength, slope)
    close(meta_gradient(learner(strength), batch), expected, 7)
    up, down = (learner(strength + h).meta_loss(batch).item() for h in (1e-4, -1e-4))
    system = hessian + strength * identity
    by_strength = -slope @ torch.linalg.solve(system, phi - theta)
    assert (up - down) / 2e-4 == pytest.approx(by_strength.item(), rel=1e-5)


@checks("eq-derivation-hypergradient", "eq-derivation-neumann", "eq-derivation-ridge")
def test_the_hypergradient_of_ridge_regression():
    (x, y), (qx, qy), eta = regression(), regression(1), torch.tensor(-0.5)
    (a, b), (a_query, b_query) = normal_equations(x, y), normal_equations(qx, qy)
    system = a + eta.exp() * torch.eye(3)
    w = torch.linalg.solve(system, b)
    slope = a_query @ w - b_query

    def train(w, eta):
        return half_squares(x @ w, y) + 0.5 * eta.exp() * w.square().sum()

    def validation(w, eta):
        return half_squares(qx @ w, qy)

    expected = -eta.exp() * slope @ torch.linalg.solve(system, w)
    for options in ({}, {"solver": "neumann", "rate": 0.2, "steps": 500}):
        close(hypergradient(train, validation, w, eta, **options), expected, 6)
    series = neumann(lambda v: system @ v, slope, rate=0.2, steps=2000)
    close(series.point, torch.linalg.solve(system, slope), 8)


@checks("eq-derivation-precision")
@pytest.mark.parametrize("steps", [1, 4])
def test_early_stopping_is_a_prior(steps):
    (x, y), theta, identity = regression(), torch.randn(3), torch.eye(3)
    a, b = normal_equations(x, y)
    rate = 0.5 / torch.linalg.eigvalsh(a)[-1].item()
    power = torch.linalg.matrix_power(identity - rate * a, steps)
    precision = a @ power @ torch.linalg.inv(identity - power)
    assert torch.linalg.eigvalsh(precision).min() > 0
    found = mt.MAML(Linear(theta), half_squares, rate, steps).fit(x, y)["theta"]
    expected = torch.linalg.solve(a + precision, b + precision @ theta)
    close(found.detach(), expected, 8)


@checks("eq-derivation-posterior")
def test_the_posterior_mean_is_the_proximal_point():
    (x, y), theta, noise, spread = regression(), torch.randn(3), 0.3, 0.8
    learner = mt.ImplicitMAML(Linear(theta), half_squares, noise / (len(y) * spread))
    posterior = torch.linalg.solve(
        x.T @ x / noise + torch.eye(3) / spread, x.T @ y / noise + theta / spread
    )
    close(learner.fit(x, y).point, posterior, 7)


@checks(
    "eq-derivation-gaussian-evidence",
    "eq-derivation-envelope-evidence",
    "eq-derivation-gls",
)
def test_the_evidence_of_linear_regression_is_an_envelope():
    """By Bayes' rule, then through MinibatchProx, and where its gradient vanishes."""
    noise, spread, tasks, n = 0.3, 0.8, 4, 6
    data = [regression(seed, n) for seed in range(tasks)]
    strength, theta = noise / (n * spread), torch.randn(3)
    half = n // 2
    batch = mt.TaskBatch(
        *(torch.stack([pair[i][:half] for pair in data]) for i in (0, 1)),
        *(torch.stack([pair[i][half:] for pair in data]) for i in (0, 1)),
    )

    def covariance(x):
        return noise * torch.eye(n) + spread * x @ x.T

    def minus_log_evidence(theta):
        return sum(
            -MultivariateNormal(x @ theta, covariance(x)).log_prob(y) for x, y in data
        )

    # the marginal by Bayes' rule: prior times likelihood over posterior, at any φ
    (x, y), phi = data[0], torch.randn(3)
    precision = x.T @ x / noise + torch.eye(3) / spread
    centre = torch.linalg.solve(precision, x.T @ y / noise + theta / spread)
    by_bayes = (
        MultivariateNormal(theta, spread * torch.eye(3)).log_prob(phi)
        + MultivariateNormal(x @ phi, noise * torch.eye(n)).log_prob(y)
        - MultivariateNormal(centre, torch.linalg.inv(precision)).log_prob(phi)
    )
    close(MultivariateNormal(x @ theta, covariance(x)).log_prob(y), by_bayes, 8)

    prox = mt.MinibatchProx(Linear(theta), half_squares, strength)
    gradient = torch.func.grad(minus_log_evidence)(theta)
    close(meta_gradient(prox, batch), noise / n * gradient / tasks, 7)
    inverses = [torch.linalg.inv(covariance(x)) for x, _ in data]
    best = torch.linalg.solve(
        sum(x.T @ c @ x for (x, _), c in zip(data, inverses, strict=True)),
        sum(x.T @ c @ y for (x, y), c in zip(data, inverses, strict=True)),
    )
    at_best = mt.MinibatchProx(Linear(best), half_squares, strength)
    assert meta_gradient(at_best, batch).norm() < 1e-9


@checks("eq-derivation-opposite")
def test_first_order_points_the_wrong_way_between_the_optima():
    """Two tasks whose rates are all safe: signs differ there, and only there."""
    rate, steps = 0.1, 2
    tasks = [(1.0, -1.0), (6.0, 2.0)]
    lands = {}
    for first_order, power in ((False, 2 * steps), (True, steps)):
        weights = [a * (1 - rate * a) ** power for a, _ in tasks]
        pulls = [o * w for o, (_, w) in zip(weights, tasks, strict=True)]
        lands[first_order] = sum(pulls) / sum(weights)
    for theta in torch.linspace(-1.5, 2, 29).tolist():
        slopes = {
            first_order: sum(
                meta_gradient(
                    mt.MAML(Point([theta]), quadratic, rate, steps, first_order),
                    single(a, w),
                ).item()
                for a, w in tasks
            )
            for first_order in (False, True)
        }
        between = (theta - lands[False]) * (theta - lands[True]) < 0
        assert (slopes[False] * slopes[True] < 0) == between


@checks("eq-derivation-rate")
def test_the_largest_rate():
    (x, y), theta = regression(), torch.randn(3)
    a, b = normal_equations(x, y)
    limit = 2 / torch.linalg.eigvalsh(a)[-1].item()
    w = torch.linalg.solve(a, b)
    left = {}
    for share in (0.98, 1.02):
        learner = mt.MAML(Linear(theta), half_squares, share * limit, 2000)
        end = learner.fit(x, y)["theta"].detach()
        left[share] = ((end - w).norm() / (theta - w).norm()).item()
    assert left[0.98] < 1e-6 < 1e6 < left[1.02]


# --- 15-code -----------------------------------------------------------------------


@checks("eq-code-no-steps")
def test_a_loop_without_inner_steps_is_plain_training():
    """With K = 0 the meta-gradient is that of all query examples put together."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    x, y = torch.randn(5, 7, 3), torch.randint(2, (5, 7))
    y[:, :2] = torch.tensor([0, 1])
    batch = mt.TaskBatch(x[:, :2], y[:, :2], x[:, 2:], y[:, 2:])

    def slopes(loss):
        parts = torch.autograd.grad(loss, list(model.parameters()))
        return torch.cat([part.flatten() for part in parts])

    together = batch.query_x.flatten(0, 1), batch.query_y.flatten()
    plain = slopes(mt.cross_entropy(model(together[0]), together[1]))
    for steps in (0, 1):
        learner = mt.MAML(model, mt.cross_entropy, inner_lr=0.5, inner_steps=steps)
        same = torch.allclose(slopes(learner.meta_loss(batch)), plain)
        assert same == (steps == 0)


@checks("eq-project-head")
def test_one_step_of_a_head_from_zero_is_the_class_means():
    """So the decisions after one step do not depend on the rate."""
    torch.manual_seed(0)
    ways, shots, width = 5, 3, 7
    x, y = torch.randn(ways * shots, width), torch.arange(ways).repeat(shots)
    queries = torch.randn(40, width)
    mu = class_means(x, y)
    decisions = []
    for alpha in (1e-3, 0.3, 20.0):
        head = nn.Linear(width, ways)
        for parameter in head.parameters():
            nn.init.zeros_(parameter)
        learner = mt.ANIL(nn.Sequential(nn.Flatten(), head), mt.cross_entropy, alpha)
        fitted = learner.fit(x, y, steps=1)
        right = alpha / ways * (mu - mu.mean(0))
        torch.testing.assert_close(fitted["weight"], right, rtol=1e-10, atol=1e-14)
        assert fitted["bias"].abs().max() < 1e-12 * alpha
        decisions.append(learner.adapt(x, y, steps=1)(queries).argmax(1))
    assert decisions[0].equal(decisions[1]) and decisions[1].equal(decisions[2])
    assert len(decisions[0].unique()) > 1  # they decide something


# --- the list, both ways ------------------------------------------------------------

LISTED = yaml.safe_load((ROOT / "book/data/equations.yml").read_text("utf8"))
IDENTITIES = {
    label: test
    for tests in LISTED["identities"].values()
    for label, test in tests.items()
}
LABEL = re.compile(r"\$\$\s*\((eq-[a-z0-9-]+)\)")


def labels_in_the_book():
    """Where each labelled equation of the book stands."""
    found = {}
    for file in [*(ROOT / "chapters").glob("*.ipynb"), *(ROOT / "book").glob("*.md")]:
        text = file.read_text("utf8")
        if file.suffix == ".ipynb":
            cells = json.loads(text)["cells"]
            text = "\n".join(
                "".join(cell["source"]) for cell in cells if cell["cell_type"] != "code"
            )
        for label in LABEL.findall(text):
            found.setdefault(label, set()).add(file.name)
    return found


@pytest.mark.parametrize("chapter", LISTED["identities"])
def test_an_identity_is_listed_under_its_chapter(chapter):
    book = labels_in_the_book()
    for label in LISTED["identities"][chapter]:
        assert f"{chapter}.ipynb" in book[label]


def test_every_labelled_equation_is_an_identity_with_a_test_or_a_definition():
    listed = [*IDENTITIES, *LISTED["definitions"]]
    assert len(listed) == len(set(listed))
    assert set(listed) == set(labels_in_the_book())


@pytest.mark.parametrize("label", IDENTITIES)
def test_the_test_of_an_identity_exists_and_says_so(label):
    """In its decorator; nothing of what it imports is needed to see that."""
    file, _, name = IDENTITIES[label].partition("::")
    tree = ast.parse((ROOT / file).read_text("utf8"))
    (test,) = (
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name == name
    )
    assert label in equations_of(test)


def test_no_test_checks_an_equation_that_is_gone():
    tree = ast.parse(Path(__file__).read_text("utf8"))
    checked = {
        label: f"tests/test_equations.py::{node.name}"
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        for label in equations_of(node)
    }
    assert checked == IDENTITIES


def equations_of(test):
    """The labels in a test's `checks` decorator."""
    return [
        argument.value
        for decorator in test.decorator_list
        if isinstance(decorator, ast.Call)
        and getattr(decorator.func, "id", None) == "checks"
        for argument in decorator.args
    ]
