"""Learners, training, evaluation and the engine, called with anything."""

import copy
import math

import torch
from calls import REFUSED, attempt, finite, fuzzed, refusals
from hypothesis import given
from hypothesis import strategies as st
from inputs import (
    anything,
    batch,
    classifications,
    counts,
    either,
    flags,
    junk,
    options,
    rates,
    regressions,
    seeds,
    tensors,
)
from torch import nn

import metatutor as mt
from metatutor.hypergradient import hypergradient

SETTINGS = {
    mt.MAML: {"inner_lr": rates, "inner_steps": counts, "first_order": flags},
    mt.FromScratch: {"inner_lr": rates, "inner_steps": counts},
    mt.JointPretraining: {"inner_lr": rates, "inner_steps": counts},
    mt.NoAdaptation: {"inner_lr": rates},
    mt.ANIL: {"inner_lr": rates, "inner_steps": counts},
    mt.CAVIA: {"inner_lr": rates, "inner_steps": counts, "context": counts},
    mt.MAMLPlusPlus: {"inner_lr": rates, "inner_steps": counts, "anneal_over": counts},
    mt.MetaSGD: {"inner_lr": rates, "inner_steps": counts},
    mt.Reptile: {"inner_lr": rates, "inner_steps": counts, "inner_batch": counts},
    mt.ImplicitMAML: {
        "strength": rates,
        "max_steps": counts,
        "tolerance": rates,
        "exact": flags,
        "cg_steps": counts,
    },
    mt.MinibatchProx: {"strength": rates, "max_steps": counts, "exact": flags},
    mt.R2D2: {"penalty": rates},
    mt.PrototypicalNetwork: {},
    mt.MatchingNetwork: {"scale": rates},
    mt.NearestMean: {},
    mt.LinearProbe: {"lr": rates, "steps": counts, "penalty": rates},
}
EMBEDDING = (
    mt.R2D2, mt.PrototypicalNetwork, mt.MatchingNetwork, mt.NearestMean, mt.LinearProbe,
)  # fmt: skip


def network(inputs, outputs):
    return mt.models.mlp(inputs, outputs, hidden=(3,), activation=nn.Tanh)


@st.composite
def made(draw, wrong=0):
    """A learner of tasks to classify or to regress, and four tensors of such tasks."""
    kind = draw(st.sampled_from(list(SETTINGS)))
    classifies = kind in EMBEDDING or draw(st.booleans())
    parts = draw(classifications() if classifies else regressions())
    loss = mt.cross_entropy if classifies else mt.mse
    inputs, outputs = (3, 2) if classifies else (1, 1)
    if kind is mt.CAVIA:
        inputs += 4
    named = draw(options(**SETTINGS[kind])) if draw(st.booleans()) else {}
    torch.manual_seed(0)
    model = draw(either(st.just(network(inputs, outputs)))) if wrong else network(
        inputs, outputs
    )  # fmt: skip
    positional = [model] if kind is mt.NearestMean else [model, loss]
    if wrong and len(positional) == 2:
        positional[1] = draw(either(st.just(loss)))
    return kind, positional, named, parts


@fuzzed(0.06)
@given(made(wrong=1))
def test_making_a_learner(given_):
    kind, positional, named, _ = given_
    learner = attempt(kind, *positional, **named)
    if learner is not REFUSED:
        assert isinstance(learner, mt.Learner)
        finite(*(p.detach() for p in learner.parameters()))


def learner_of(given_):
    kind, positional, named, parts = given_
    try:
        return kind(*positional, **named), parts
    except (TypeError, ValueError):
        return None, parts


@fuzzed(0.12)
@given(made(), st.one_of(st.none(), counts, junk), st.booleans())
def test_adapting(given_, steps, cut):
    learner, parts = learner_of(given_)
    if learner is None:
        return
    if cut:  # one task of several
        parts = [
            p[0] if isinstance(p, torch.Tensor) and p.shape[:1] > (0,) else p
            for p in parts
        ]
    predict = attempt(learner.adapt, *parts[:2], steps, keep=[learner])
    if predict is not REFUSED:
        outputs = attempt(predict, parts[2], keep=[learner])
        if outputs is not REFUSED:
            finite(outputs)
            assert len(outputs) == len(parts[2])


@fuzzed(0.08)
@given(made(), st.sampled_from(["auto", "auto", "vmap", "loop"]), either(st.none()))
def test_meta_losses(given_, strategy, wrong):
    learner, parts = learner_of(given_)
    tasks = batch(parts) if wrong is None else wrong
    if learner is None or tasks is None:
        return
    learner.strategy = strategy
    draws = learner.stochastic
    loss = attempt(learner.meta_loss, tasks, keep=[learner], draws=draws)
    if loss is not REFUSED:
        assert loss.shape == () and loss.requires_grad
        loss.backward()  # no error is left for later


@fuzzed(0.05)
@given(
    made(),
    either(st.sampled_from(["auto", "vmap", "loop", "workers"])),
    options(memory=st.sampled_from([0.001, 1, 100.0]), workers=counts),
    either(st.none()),
)
def test_engines(given_, strategy, named, wrong):
    learner, parts = learner_of(given_)
    tasks = batch(parts) if wrong is None else wrong
    if learner is None:
        learner = wrong
    elif isinstance(strategy, str) and strategy == "auto":
        learner.strategy = "loop"  # a compiler would take minutes
    engine = attempt(mt.Engine, learner, strategy, **named)
    if engine is not REFUSED and engine.strategy != "compiled":
        loss = attempt(engine, tasks, draws=learner.stochastic)
        if loss is not REFUSED:
            assert loss.shape == () and not loss.requires_grad


class Fixed(mt.TaskSource):
    """A source of one batch, again and again, or of something else."""

    def __init__(self, tasks):
        self.tasks = tasks

    def sample(self, n, generator=None):
        return self.tasks


def one(outputs, targets):
    return 1


metrics = st.sampled_from([mt.mse, mt.accuracy, mt.cross_entropy, anything, one])


@fuzzed(0.07)
@given(
    made(),
    options(tasks=st.integers(2, 3), steps=counts, seed=seeds, metric=metrics,
            chunk=counts),
    either(st.none()),
)  # fmt: skip
def test_evaluating(given_, named, wrong):
    learner, parts = learner_of(given_)
    if learner is None:
        return
    tasks = batch(parts)
    source = Fixed(tasks) if wrong is None else wrong
    named = {"tasks": 2} | named
    found = attempt(mt.meta_evaluate, learner, source, keep=[learner], **named)
    if found is not REFUSED:
        assert not math.isnan(found.mean) and found.n == len(tasks)


@fuzzed(0.06)
@given(
    made(),
    options(
        iterations=counts,
        meta_batch=counts,
        lr=rates,
        anneal=flags,
        seed=seeds,
        optimizer=st.sampled_from([torch.optim.SGD, torch.optim.AdamW]),
        validate_every=counts,
        validation_tasks=st.just(2),
        metric=metrics,
        patience=counts,
        checkpoint=st.none(),
        resume=flags,
        engine=st.sampled_from(["vmap", "loop"]),
    ),
    st.booleans(),
    either(st.none()),
)
def test_training(given_, named, validates, wrong):
    learner, parts = learner_of(given_)
    if learner is None:
        return
    source = Fixed(batch(parts)) if wrong is None else wrong
    if validates:
        named["validate_on"] = source
    if isinstance(named.get("checkpoint"), (str, bytes)):
        del named["checkpoint"]  # would be a file
    named = {"iterations": 2} | named
    before = [p.detach().clone() for p in learner.parameters()]
    global_state = torch.get_rng_state()
    history = attempt(
        lambda: mt.meta_train(learner, source, progress=False, **named), keep=[named]
    )
    assert torch.equal(torch.get_rng_state(), global_state)
    if history is not REFUSED:
        assert all(map(math.isfinite, history.loss))
        finite(*(p.detach() for p in learner.parameters()))
    elif isinstance(refusals[0], (TypeError, ValueError)) and not validates:
        # refused at the door, or on the first tasks
        assert all(map(torch.equal, before, learner.parameters()))


embeddings = st.sampled_from(
    [
        nn.Sequential(nn.Flatten(), nn.Linear(3, 2)),
        nn.Linear(3, 2),
        nn.Conv2d(1, 2, 3),
        nn.Flatten(),
    ]
)


@fuzzed(0.04)
@given(
    either(embeddings),
    either(tensors(2, 3, 3)),
    options(iterations=counts, batch=counts, lr=rates, seed=seeds,
            augment=st.just(lambda x, g: x)),
)  # fmt: skip
def test_pretraining(backbone, examples, named):
    named = {"iterations": 2} | named
    if isinstance(backbone, nn.Module):
        backbone = copy.deepcopy(backbone)
    history = attempt(
        lambda: mt.pretrain(backbone, examples, progress=False, **named),
        keep=[examples],
    )
    if history is not REFUSED:
        assert all(map(math.isfinite, history.loss))


def ridge(w, eta):
    return (w - 1).square().sum() + eta.exp().sum() * w.square().sum()


def apart(w, eta):
    return (w - 2).square().sum()


objectives = st.sampled_from([ridge, ridge, apart, lambda w, eta: w, lambda w, e: 3.0])


@fuzzed(0.05)
@given(
    either(objectives),
    either(objectives),
    either(st.one_of(st.just(torch.full((3,), 0.5)), tensors(3))),
    either(st.one_of(st.just(torch.tensor(0.0)), tensors(1))),
    options(solver=st.sampled_from(["cg", "neumann"]), steps=counts, rate=rates,
            tolerance=rates),
)  # fmt: skip
def test_hypergradients(train, validation, weights, hyper, named):
    found = attempt(hypergradient, train, validation, weights, hyper, **named)
    if found is not REFUSED:
        finite(found)
        assert found.shape == hyper.shape
