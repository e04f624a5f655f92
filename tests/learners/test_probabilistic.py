"""Learners that predict distributions, against Gaussian conditioning and by parts."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal, Normal

import metatutor as mt
from metatutor.learners import linear_gaussian as lg
from metatutor.learners.bmaml import stein


class Given(nn.Module):
    """The inputs are the features."""

    def forward(self, x):
        return x


def alpaca(features=3, outputs=1, seed=0):
    """One with a prior that is nothing special."""
    torch.manual_seed(seed)
    learner = mt.ALPaCA(Given(), features, outputs, noise=0.4)
    for parameter in learner.parameters():
        parameter.data.add_(0.5 * torch.randn_like(parameter))
    return learner


def joint(learner, x, output=0):
    """Mean and covariance of the targets at x before any is seen."""
    noise = learner.noise[output].detach()
    prior = [part.detach() for part in learner.prior]
    weights = noise**2 * torch.linalg.inv(prior[1] @ prior[1].T)
    covariance = x @ weights @ x.T + noise**2 * torch.eye(len(x))
    return x @ prior[0][:, output], covariance


def conditioned(mean, covariance, seen):
    """The last targets given the first: the formula of conditional Gaussians."""
    k = len(seen)
    gain = covariance[k:, :k] @ torch.linalg.inv(covariance[:k, :k])
    return (
        mean[k:] + gain @ (seen - mean[:k]),
        covariance[k:, k:] - gain @ covariance[:k, k:],
    )


@pytest.mark.parametrize("examples", [1, 3, 7])
@pytest.mark.parametrize("outputs", [1, 2])
def test_the_posterior_predictive_is_gaussian_conditioning(float64, examples, outputs):
    learner = alpaca(outputs=outputs)
    x, y = torch.randn(examples + 4, 3), torch.randn(examples, outputs)
    found = learner.adapt(x[:examples], y).distribution(x[examples:])
    for j in range(outputs):
        mean, covariance = conditioned(*joint(learner, x, j), y[:, j])
        assert (found.mean[:, j] - mean).abs().max() < 1e-8
        assert (found.variance[:, j] - covariance.diagonal()).abs().max() < 1e-8


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_evidence_is_a_multivariate_normal(float64, outputs):
    learner = alpaca(outputs=outputs)
    x, y = torch.randn(6, 3), torch.randn(6, outputs)
    expected = sum(
        MultivariateNormal(*joint(learner, x, j)).log_prob(y[:, j])
        for j in range(outputs)
    )
    assert abs(learner.log_evidence(x, y).item() - expected.item()) < 1e-8


def test_the_posterior_of_the_weights_is_bayes_rule(float64):
    """Prior times likelihood over evidence is the posterior density, at any weights."""
    learner = alpaca()
    x, y, w = torch.randn(5, 3), torch.randn(5, 1), torch.randn(3)
    noise, prior = learner.noise, learner.prior

    def density(weights):
        precision = weights.root @ weights.root.T / noise**2
        return MultivariateNormal(weights.mean[:, 0], precision_matrix=precision)

    likelihood = Normal(x @ w, noise).log_prob(y[:, 0]).sum()
    by_bayes = density(prior).log_prob(w) + likelihood - learner.log_evidence(x, y)
    found = density(learner.fit(x, y)).log_prob(w)
    assert abs(found.item() - by_bayes.item()) < 1e-8


def test_examples_one_by_one_give_the_same_posterior(float64):
    learner, x, y = alpaca(), torch.randn(5, 3), torch.randn(5, 1)
    weights = learner.prior
    for i in range(5):
        weights = lg.posterior(weights, x[i : i + 1], y[i : i + 1])
    for found, expected in zip(weights, learner.fit(x, y), strict=True):
        torch.testing.assert_close(found, expected)


def test_more_examples_never_make_it_less_sure(float64):
    learner, x, y = alpaca(), torch.randn(12, 3), torch.randn(12, 1)
    queries = torch.randn(9, 3)
    widths = torch.stack(
        [
            learner.adapt(x[:n], y[:n]).distribution(queries).variance
            for n in range(1, 13)
        ]
    )
    assert (widths.diff(dim=0) <= 1e-12).all()
    assert (widths >= learner.noise.detach() ** 2).all()


def test_a_known_noise_stays():
    learner = mt.ALPaCA(mt.models.mlp(1, 4), 4, noise=0.3, learn_noise=False)
    source = mt.data.Sinusoid(shots=5)
    mt.meta_train(learner, source, iterations=3, lr=0.1, progress=False)
    assert learner.noise.item() == pytest.approx(0.3)
    assert learner.prior.mean.abs().min() > 0  # while the rest was trained


def test_neural_processes_know_no_order(float64):
    torch.manual_seed(0)
    learner = mt.ConditionalNeuralProcess(mt.models.mlp(2, 6), mt.models.mlp(7, 2))
    x, y = torch.randn(5, 1), torch.randn(5, 1)
    queries, order = torch.randn(4, 1), torch.tensor([3, 0, 4, 2, 1])
    one = learner.adapt(x, y).distribution(queries)
    other = learner.adapt(x[order], y[order]).distribution(queries)
    torch.testing.assert_close(one.mean, other.mean)
    torch.testing.assert_close(one.variance, other.variance)
    assert (one.stddev > 1e-3).all()


@pytest.mark.parametrize("targets", [1, 3])
def test_half_of_what_the_decoder_gives_are_means(float64, targets):
    torch.manual_seed(0)
    decoder = mt.models.mlp(5, 2 * targets)
    learner = mt.ConditionalNeuralProcess(mt.models.mlp(1 + targets, 4), decoder, 0.01)
    x, y = torch.randn(5, 1), torch.randn(5, targets)
    phi, queries = learner.fit(x, y), torch.randn(6, 1)
    outputs = decoder(torch.cat([queries, phi.expand(6, 4)], dim=1))
    found = learner.distribution(phi, queries)
    torch.testing.assert_close(found.mean, outputs[:, :targets])
    spread = 0.01 + nn.functional.softplus(outputs[:, targets:])
    torch.testing.assert_close(found.stddev, spread)


@pytest.mark.parametrize("count", [4, 5])
def test_stein_follows_the_definition(float64, count):
    """The sum of Liu and Wang, with the gradient of the kernel by autograd."""
    torch.manual_seed(0)
    particles, slopes = torch.randn(count, 3), torch.randn(count, 3)
    squares = torch.cdist(particles, particles).square()
    median = squares.flatten().sort().values[count**2 // 2]
    width = median / math.log(count + 1)

    def kernel(a, b):
        return (-(a - b).square().sum() / width).exp()

    expected = [
        sum(
            kernel(n, m) * slope + torch.func.grad(kernel)(n, m)
            for n, slope in zip(particles, slopes, strict=True)
        )
        / count
        for m in particles
    ]
    torch.testing.assert_close(stein(particles, slopes), torch.stack(expected))


def test_particles_in_one_place_move_together(float64):
    """Their distances say nothing of a width: they follow the mean of the slopes."""
    particles, slopes = torch.ones(4, 3), torch.randn(4, 3)
    expected = slopes.mean(0).expand(4, 3)
    torch.testing.assert_close(stein(particles, slopes), expected)


def test_stein_particles_come_to_look_like_the_posterior(float64):
    torch.manual_seed(0)
    target = MultivariateNormal(
        torch.tensor([1.0, -1.0]), torch.tensor([[1.0, 0.6], [0.6, 0.8]])
    )
    precision, particles = target.precision_matrix, torch.randn(60, 2)
    for _ in range(1500):
        slopes = -(particles - target.mean) @ precision
        particles = particles + 0.3 * stein(particles, slopes)
    assert (particles.mean(0) - target.mean).abs().max() < 0.05
    assert (torch.cov(particles.T) - target.covariance_matrix).abs().max() < 0.25


def test_particles_predict_their_mixture(float64):
    torch.manual_seed(0)
    learner = mt.BMAML([mt.models.mlp(1, 1) for _ in range(3)], 0.1, 0, noise=0.5)
    x, y = torch.randn(4, 1), torch.randn(4, 1)
    outputs = torch.stack([model(x).detach() for model in learner.model])
    found = learner.adapt(x, y).distribution(x)
    torch.testing.assert_close(found.mean, outputs.mean(0))
    spread = outputs.var(0, correction=0)
    torch.testing.assert_close(found.variance, spread + 0.25)
    densities = Normal(outputs, 0.5).log_prob(y).exp().mean(0)
    torch.testing.assert_close(found.log_prob(y), densities.log())


MAKE = {
    "ALPaCA": lambda: mt.ALPaCA(mt.models.mlp(1, 4), 4),
    "BMAML": lambda: mt.BMAML([mt.models.mlp(1, 1) for _ in range(2)], 0.1),
    "neural process": lambda: mt.ConditionalNeuralProcess(
        mt.models.mlp(2, 4), mt.models.mlp(5, 2)
    ),
}


@pytest.mark.parametrize("method", MAKE)
def test_the_predictor_gives_means_and_more(method):
    learner, x = MAKE[method](), torch.linspace(-1, 1, 5)[:, None]
    predict = learner.adapt(x, x.sin())
    found = predict.distribution(x)
    assert torch.equal(predict(x), found.mean)
    assert found.variance.shape == (5, 1) and (found.variance > 0).all()
    assert not found.mean.requires_grad
    with pytest.raises(ValueError, match="query_x holds 1 values that are NaN"):
        predict.distribution(torch.tensor([[torch.nan]]))


@pytest.mark.parametrize("method", MAKE)
@pytest.mark.parametrize("targets", [torch.zeros(5), torch.zeros(5, 1).long()])
def test_what_is_no_regression_is_refused(method, targets):
    learner, x = MAKE[method](), torch.linspace(-1, 1, 5)[:, None]
    batch = mt.TaskBatch(x[None], targets[None], x[None], targets[None])
    with pytest.raises(ValueError, match=r"values to regress, .* needed|cannot take"):
        learner.meta_loss(batch)


def test_what_does_not_fit_is_refused():
    net = mt.models.mlp(1, 4)
    with pytest.raises(ValueError, match="noise is 0"):
        mt.ALPaCA(net, 4, noise=0)
    with pytest.raises(ValueError, match="noise is 1e-60: beyond the numbers"):
        mt.BMAML([net, net], noise=1e-60)
    with pytest.raises(ValueError, match=r"gives \(3, 4\).* with 5 features"):
        mt.ALPaCA(net, 5).adapt(torch.randn(3, 1), torch.randn(3, 1))
    with pytest.raises(ValueError, match="1 particles of 1 shapes"):
        mt.BMAML([net])
    with pytest.raises(ValueError, match="2 particles of 2 shapes"):
        mt.BMAML([net, mt.models.mlp(1, 3)])
    with pytest.raises(TypeError, match="decoder is a int"):
        mt.ConditionalNeuralProcess(net, 3)
    odd = mt.ConditionalNeuralProcess(mt.models.mlp(2, 4), mt.models.mlp(5, 3))
    with pytest.raises(ValueError, match="decoder gives 3 numbers"):
        odd.adapt(torch.randn(3, 1), torch.randn(3, 1))(torch.randn(3, 1))
