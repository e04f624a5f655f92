"""Sinusoid tasks: y = A sin(x − b), with every range kept."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import metatutor as mt

ranges = st.tuples(st.floats(-20, 20), st.floats(0, 10)).map(
    lambda pair: (pair[0], pair[0] + pair[1])
)


@settings(max_examples=40, deadline=None)
@given(
    shots=st.integers(1, 6),
    queries=st.integers(1, 6),
    amplitude=ranges,
    phase=ranges,
    x=ranges,
    seed=st.integers(0, 2**31),
)
def test_all_examples_lie_on_the_stated_curve(
    shots, queries, amplitude, phase, x, seed
):
    torch.set_default_dtype(torch.float64)
    source = mt.data.Sinusoid(shots, queries, amplitude=amplitude, phase=phase, x=x)
    batch = source.sample(3, generator=torch.Generator().manual_seed(seed))
    assert batch.support_x.shape == batch.support_y.shape == (3, shots, 1)
    assert batch.query_x.shape == batch.query_y.shape == (3, queries, 1)
    a, b = (batch.truth[name][:, None, None] for name in ("amplitude", "phase"))
    for inputs, targets in (
        (batch.support_x, batch.support_y),
        (batch.query_x, batch.query_y),
    ):
        torch.testing.assert_close(targets, a * torch.sin(inputs - b))
    drawn = torch.cat([batch.support_x, batch.query_x], dim=1)
    for values, (low, high) in ((a, amplitude), (b, phase), (drawn, x)):
        assert low - 1e-9 <= values.min()
        assert values.max() <= high + 1e-9


def test_the_defaults_are_the_papers_distribution(float64):
    """A in [0.1, 5], b in [0, π], x in [−5, 5], all uniform."""
    batch = mt.data.Sinusoid(shots=1).sample(20_000)
    for values, low, high in (
        (batch.truth["amplitude"], 0.1, 5.0),
        (batch.truth["phase"], 0.0, math.pi),
        (batch.support_x.flatten(), -5.0, 5.0),
    ):
        deciles = torch.quantile(values, torch.arange(0, 1.01, 0.1).double())
        expected = torch.linspace(low, high, 11)
        # a decile of 20,000 draws is off by at most 0.35 % of the width, one in 68 %
        assert (deciles - expected).abs().max() < 0.02 * (high - low)


def test_support_and_query_share_no_input(float64):
    batch = mt.data.Sinusoid(shots=10).sample(100)
    for task in batch:
        assert not set(task.support_x.flatten().tolist()) & set(
            task.query_x.flatten().tolist()
        )


def test_there_are_as_many_queries_as_shots_unless_told_otherwise():
    assert mt.data.Sinusoid(shots=7).sample(2).query_x.shape == (2, 7, 1)
    assert mt.data.Sinusoid(shots=7, queries=3).sample(2).query_x.shape == (2, 3, 1)


def test_noise_has_the_stated_standard_deviation_in_both_sets(float64):
    batch = mt.data.Sinusoid(shots=10, noise=0.3).sample(1000)
    a, b = (batch.truth[name][:, None, None] for name in ("amplitude", "phase"))
    for x, y in (
        (batch.support_x, batch.support_y),
        (batch.query_x, batch.query_y),
    ):
        residual = y - a * torch.sin(x - b)
        assert residual.std().item() == pytest.approx(0.3, rel=0.04)
        assert residual.mean().item() == pytest.approx(0, abs=0.015)


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_the_generator_is_the_only_randomness(noise):
    source = mt.data.Sinusoid(shots=5, noise=noise)

    def draw(global_seed, seed=7):
        torch.manual_seed(global_seed)
        state = torch.get_rng_state()
        batch = source.sample(4, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(torch.get_rng_state(), state)
        return torch.cat([tensor.flatten() for tensor in batch.tensors])

    assert torch.equal(draw(0), draw(1))
    assert not torch.equal(draw(0), draw(0, seed=8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shots": 0}, "shots is 0: a whole number of at least 1"),
        ({"shots": 2.0}, r"shots is 2\.0: a whole number"),
        ({"shots": True}, "shots is True: a whole number"),
        ({"queries": 0}, "queries is 0: a whole number of at least 1"),
        ({"queries": -1}, "queries is -1"),
        ({"amplitude": (5.0, 0.1)}, r"amplitude is \(5\.0, 0\.1\): a finite \(low, hi"),
        ({"phase": (0.0, math.inf)}, r"phase is \(0\.0, inf\): a finite"),
        ({"x": (math.nan, 1.0)}, r"x is \(nan, 1\.0\): a finite"),
        ({"noise": -0.1}, r"noise is -0\.1: a standard deviation is at least 0"),
        ({"noise": math.nan}, "noise is nan: a standard deviation"),
        ({"noise": math.inf}, "noise is inf: a standard deviation"),
    ],
)
def test_settings_that_make_no_sense_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        mt.data.Sinusoid(**options)
