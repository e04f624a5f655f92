"""Coverage and density are what they should be where the truth is known."""

import pytest
import torch
from torch import nn

import metatutor as mt
from metatutor.calibration import covered


class Waves(nn.Module):
    """sin x and cos x, in which every sine wave is linear."""

    def forward(self, x):
        return torch.cat([x.sin(), x.cos()], dim=1)


class Lines(mt.TaskSource):
    """Tasks from the very prior that ALPaCA starts with: weights N(0, 1)."""

    def sample(self, n, generator=None):
        x = 3 * torch.randn(n, 24, 1, generator=generator)
        weights = torch.randn(n, 2, 1, generator=generator)
        y = torch.cat([x.sin(), x.cos()], dim=2) @ weights
        y = y + 0.3 * torch.randn(y.shape, generator=generator)
        return mt.TaskBatch(x[:, :4], y[:, :4], x[:, 4:], y[:, 4:])


def exact(noise=0.3):
    return mt.ALPaCA(Waves(), 2, noise=noise)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_the_true_model_covers_what_it_says(level):
    found = mt.measure_calibration(exact(), Lines(), level=level, tasks=2000)
    coverage = found["coverage"]
    assert abs(coverage.mean - level) < 2 * coverage.ci95  # 0.99 has the narrowest


def test_the_true_model_has_the_best_density_and_others_say_so():
    best = mt.measure_calibration(exact(), Lines())
    for noise, sign in ((0.1, -1), (0.9, 1)):
        other = mt.measure_calibration(exact(noise), Lines())
        worse = other["nll"] - best["nll"]
        assert worse.mean > worse.ci95
        off = other["coverage"] - best["coverage"]
        assert sign * off.mean > off.ci95
    # the error of the mean and the stated deviation agree
    ratio = best["mse"].mean / best["stddev"].per_task.square().mean().item()
    assert ratio == pytest.approx(1, abs=0.1)


def test_the_scores_are_those_of_the_predictor():
    learner, source = exact(), Lines()
    found = mt.measure_calibration(learner, source, tasks=3, level=0.8)
    for i, task in enumerate(source.sample(3, torch.Generator().manual_seed(1))):
        dist = learner.adapt(task.support_x, task.support_y).distribution(task.query_x)
        y = task.query_y
        inside = (y - dist.mean).abs() <= 1.2815516 * dist.stddev
        expected = {
            "nll": -dist.log_prob(y).mean(),
            "mse": (y - dist.mean).square().mean(),
            "coverage": inside.float().mean(),
            "stddev": dist.stddev.mean(),
        }
        for name, value in expected.items():
            torch.testing.assert_close(found[name].per_task[i], value)
            assert found[name].metric == name


def test_covered_is_the_central_part():
    below = torch.tensor([0.0, 0.04, 0.06, 0.5, 0.94, 0.96, 1.0])
    assert covered(below, 0.9).tolist() == [0, 0, 1, 1, 1, 0, 0]


@pytest.mark.parametrize("level", [0, 1, 90, "0.9", True])
def test_a_level_that_is_none_is_refused(level):
    with pytest.raises(ValueError, match="a number between 0 and 1"):
        mt.measure_calibration(exact(), Lines(), level=level)


def test_learners_without_distributions_are_refused():
    learner = mt.MAML(mt.models.mlp(1, 1), mt.mse)
    with pytest.raises(TypeError, match="MAML predicts values and no distribution"):
        mt.measure_calibration(learner, Lines())
    with pytest.raises(ValueError, match="at least 2"):
        mt.measure_calibration(exact(), Lines(), tasks=1)
