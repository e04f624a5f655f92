"""What holds for every method that adapts by solving something."""

import copy
from pathlib import Path

import pytest
import torch
from problems import central_differences, meta_gradient
from torch import nn

import metatutor as mt


def tanh_network(inputs=1):
    return mt.models.mlp(inputs, 1, hidden=(5,), activation=nn.Tanh)


def solving(kind):
    """A proximal method, in the loop: there it stops when it is done."""
    learner = kind(tanh_network(), mt.mse, strength=5.0, max_steps=500)
    learner.strategy = "loop"
    return learner


# every method whose meta-loss is the function that it descends on, with its network
METHODS = {
    "MAML": lambda: mt.MAML(tanh_network(), mt.mse, 0.1, 3),
    "ANIL": lambda: mt.ANIL(tanh_network(), mt.mse, 0.1, 3),
    "Meta-SGD": lambda: mt.MetaSGD(tanh_network(), mt.mse, 0.1, 2),
    "MAML++": lambda: mt.MAMLPlusPlus(tanh_network(), mt.mse, 0.1, 3),
    "CAVIA": lambda: mt.CAVIA(tanh_network(3), mt.mse, 2, 0.5, 2),
    "implicit MAML": lambda: solving(mt.ImplicitMAML),
    "MinibatchProx": lambda: solving(mt.MinibatchProx),
    "R2D2": lambda: mt.R2D2(
        mt.models.mlp(1, 6, hidden=(5,), activation=nn.Tanh), mt.mse, 0.5
    ),
    "ALPaCA": lambda: mt.ALPaCA(
        mt.models.mlp(1, 6, hidden=(5,), activation=nn.Tanh), 6, noise=0.5
    ),
    "BMAML": lambda: mt.BMAML([tanh_network() for _ in range(3)], 0.1, 2, noise=0.5),
    "neural process": lambda: mt.ConditionalNeuralProcess(
        mt.models.mlp(2, 4, hidden=(5,), activation=nn.Tanh),
        mt.models.mlp(1 + 4, 2, hidden=(5,), activation=nn.Tanh),
    ),
}
OTHERS = {
    "FOMAML": lambda: mt.MAML(tanh_network(), mt.mse, 0.1, 3, first_order=True),
    "Reptile": lambda: mt.Reptile(tanh_network(), mt.mse, 0.1, 3),
}


@pytest.mark.parametrize("method", METHODS)
def test_meta_gradient_agrees_with_central_differences(float64, method):
    torch.manual_seed(3)
    learner = METHODS[method]()
    batch = mt.data.Sinusoid(shots=4).sample(2)
    ours = meta_gradient(learner, batch)
    reference = central_differences(learner, batch, h=1e-4)
    assert (ours - reference).norm() / reference.norm() < 1e-6


@pytest.mark.parametrize("method", METHODS | OTHERS)
def test_adaptation_leaves_the_learner_as_it_was(method):
    torch.manual_seed(0)
    learner = (METHODS | OTHERS)[method]()
    before = copy.deepcopy(learner.state_dict())
    x = torch.linspace(-1, 1, 6)[:, None]
    predict = learner.adapt(x, x.sin())
    assert predict(x).shape == (6, 1)
    assert not predict(x).requires_grad
    again = learner.adapt(x, -x.sin())
    assert not torch.equal(predict(x), again(x))
    assert all(torch.equal(v, before[k]) for k, v in learner.state_dict().items())
    assert all(p.grad is None for p in learner.parameters())


@pytest.mark.parametrize("method", METHODS | OTHERS)
def test_a_short_training_helps(method):
    torch.manual_seed(0)
    learner = (METHODS | OTHERS)[method]()
    source = mt.data.Sinusoid(shots=5, queries=5)
    untrained = mt.meta_evaluate(learner, source, tasks=100)
    iterations = 40 if learner.strategy == "loop" else 150
    mt.meta_train(learner, source, iterations=iterations, meta_batch=8, lr=0.01,
                  progress=False)  # fmt: skip
    gain = untrained - mt.meta_evaluate(learner, source, tasks=100)
    assert gain.mean > gain.ci95


KINDS = ["MAML", "ANIL", "MetaSGD", "MAMLPlusPlus", "Reptile"]


@pytest.mark.parametrize("kind", [*KINDS, "CAVIA"])
@pytest.mark.parametrize("rate", [-0.1, 0.0, float("nan"), float("inf"), "fast"])
def test_a_rate_that_is_none_is_refused(kind, rate):
    with pytest.raises(ValueError, match=r"inner_lr is .*: a finite number above 0"):
        getattr(mt, kind)(tanh_network(), mt.mse, inner_lr=rate)


@pytest.mark.parametrize("kind", ["ImplicitMAML", "MinibatchProx"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strength": -1.0}, r"strength is -1\.0: a finite number above 0"),
        ({"tolerance": 0}, "tolerance is 0: a finite number above 0"),
        ({"max_steps": 0}, "max_steps is 0: a whole number of at least 1"),
    ],
)
def test_a_pull_that_is_none_is_refused(kind, options, message):
    with pytest.raises(ValueError, match=message):
        getattr(mt, kind)(tanh_network(), mt.mse, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_a_diverging_inner_loop_is_reported_with_the_numbers(kind):
    learner = getattr(mt, kind)(tanh_network(), mt.mse, inner_lr=1e30, inner_steps=4)
    x = torch.linspace(-5, 5, 10)[:, None]
    message = r"adaptation diverged: \d+ of \d+ fitted values .*inner_lr = 1e\+30"
    with pytest.raises(mt.AdaptationError, match=message):
        learner.adapt(x, x.sin())
    source = mt.data.Sinusoid(shots=5)
    with pytest.raises(mt.MetaLossError, match=r"at iteration 0 \(.*inner_lr = 1e\+30"):
        mt.meta_train(learner, source, iterations=2, progress=False)
    # without a metric the diverged tasks are counted; a metric would score NaN
    assert mt.meta_evaluate(learner, source, tasks=20).diverged > 0

    def hits(outputs, targets):
        return (outputs > targets).float().mean()

    with pytest.raises(mt.AdaptationError, match=r"diverged on \d+ of 20 tasks"):
        mt.meta_evaluate(learner, source, tasks=20, metric=hits)


def test_every_learner_is_short_enough_to_read():
    for file in Path(mt.learners.__file__).parent.glob("*.py"):
        assert len(file.read_text("utf8").splitlines()) < 150, file.name
