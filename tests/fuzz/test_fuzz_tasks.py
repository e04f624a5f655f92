"""Tasks, their sources, losses and results, called with anything."""

import math

import torch
from calls import REFUSED, attempt, finite, fuzzed
from hypothesis import given
from hypothesis import strategies as st
from inputs import (
    anything,
    batch,
    classifications,
    counts,
    either,
    flags,
    generators,
    junk,
    labels,
    options,
    regressions,
    tensors,
)

import metatutor as mt


def is_sound(found, tasks):
    """That a batch is what its docstring says."""
    assert len(found) == tasks
    assert found.support_x.shape[:2] == found.support_y.shape[:2]
    assert found.query_x.shape[:2] == found.query_y.shape[:2]
    finite(*found.tensors)


@fuzzed(0.07)
@given(st.one_of(regressions(), classifications()), either(st.just({})))
def test_batches(parts, truth):
    found = attempt(mt.TaskBatch, *parts, truth)
    if found is not REFUSED:
        is_sound(found, len(parts[0]))


chosen = st.one_of(
    st.integers(-4, 4), st.slices(3), st.slices(9), junk, st.lists(st.integers(0, 1))
)


@fuzzed(0.03)
@given(classifications(tasks=3).map(batch), chosen)
def test_choosing_from_a_batch(tasks, index):
    if tasks is None:
        return
    found = attempt(tasks.__getitem__, index, keep=[tasks], allowed=[IndexError])
    if found is not REFUSED:
        assert isinstance(found, mt.TaskBatch if isinstance(index, slice) else mt.Task)
        if isinstance(found, mt.Task):
            assert found.support_x.shape == tasks.support_x.shape[1:]


groups = st.lists(st.sampled_from(["a", "b"]), min_size=4, max_size=5)


@fuzzed(0.08)
@given(
    either(tensors(4, 5, 2)),
    st.tuples(*[either(counts)] * 3),
    options(
        groups=groups,
        augment=st.sampled_from([anything, [anything, anything], [None]]),
        aligned=flags,
    ),
    either(counts),
    generators,
)
def test_episodes(examples, sizes, named, n, generator):
    source = attempt(mt.Episodes, examples, *sizes, **named)
    if source is REFUSED:
        return
    found = attempt(source.sample, n, generator, keep=[examples])
    if found is not REFUSED:
        is_sound(found, n)
        assert found.support_y.shape == (n, sizes[0] * sizes[1])


sources = st.sampled_from(
    [
        mt.data.Sinusoid(2),
        mt.data.Sinusoid(3, 2),
        mt.data.Sinusoid(3, 2, noise=0.1),
        mt.Episodes(torch.zeros(3, 4, 1), 2, 1, 1),
    ]
)


@fuzzed(0.04)
@given(
    either(st.lists(either(sources), max_size=3)),
    st.one_of(st.none(), either(st.lists(either(st.floats()), max_size=3))),
    either(counts),
    st.integers(0, 9),
)
def test_mixtures(several, weights, n, seed):
    source = attempt(mt.Mixture, several, weights)
    if source is not REFUSED:
        generator = torch.Generator().manual_seed(seed)
        found = attempt(source.sample, n, generator)
        if found is not REFUSED:
            is_sound(found, n)


numbers = st.one_of(st.floats(width=32), st.floats(), st.integers(-9, 9))
ends = st.one_of(st.tuples(numbers, numbers), st.tuples(st.just(-1.0), st.just(1.0)))


@fuzzed(0.05)
@given(
    options(shots=counts, queries=counts, amplitude=ends, phase=ends, x=ends,
            noise=numbers),
    either(counts),
    generators,
)  # fmt: skip
def test_sinusoids(named, n, generator):
    source = attempt(mt.data.Sinusoid, **named)
    if source is not REFUSED:
        found = attempt(source.sample, n, generator)
        if found is not REFUSED:
            is_sound(found, n)
            assert found.support_x.shape == (n, source.shots, 1)


@fuzzed(0.04)
@given(either(tensors(4)), junk, either(tensors(4)))
def test_results(scores, metric, others):
    first = attempt(mt.Result, scores, metric)
    second = attempt(mt.Result, others, metric)
    if first is REFUSED:
        return
    assert not math.isnan(first.mean) and not math.isnan(first.ci95)
    assert not math.isnan(first.std) and str(first) and "nan" not in str(first)
    if second is not REFUSED:
        difference = attempt(lambda: first - second)
        if difference is not REFUSED:
            assert not math.isnan(difference.mean)


@fuzzed(0.04)
@given(either(tensors(4, 2)), either(labels(4)))
def test_accuracy(outputs, targets):
    share = attempt(mt.accuracy, outputs, targets)
    if share is not REFUSED:
        assert 0 <= share <= 1 and share.shape == ()


@fuzzed(0.03)
@given(either(tensors(4, 1)), either(tensors(4, 1)))
def test_the_mean_squared_error(outputs, targets):
    loss = attempt(mt.mse, outputs, targets)
    if loss is not REFUSED:
        assert loss.shape == () and (loss >= 0 or not outputs.isfinite().all()
                                     or not targets.isfinite().all())  # fmt: skip
