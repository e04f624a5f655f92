"""Whatever the strategy, the numbers are the same, for every learner there is."""

import warnings
from threading import Thread

import pytest
import torch
from torch import nn

import metatutor as mt
from metatutor.engine import compiled
from metatutor.engine import engine as engine_file
from metatutor.engine.compiled import compiler_at_hand


def dense(inputs=1):
    return mt.models.mlp(inputs, 1, hidden=(6, 5), activation=nn.Tanh)


def convolutional():
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1),
        nn.GroupNorm(1, 3),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(3 * 2 * 2, 3),
    )


def waves(tasks=5):
    return mt.data.Sinusoid(shots=4, queries=6).sample(tasks)


def episodes(tasks=5):
    images = torch.randn(6, 5, 1, 4, 4)
    return mt.Episodes(images, ways=3, shots=2, queries=3).sample(tasks)


METHODS = {
    "MAML": lambda model, loss: mt.MAML(model, loss, 0.2, 3),
    "FOMAML": lambda model, loss: mt.MAML(model, loss, 0.2, 3, first_order=True),
    "joint pre-training": mt.JointPretraining,
    "no adaptation": mt.NoAdaptation,
    "ANIL": lambda model, loss: mt.ANIL(model, loss, 0.2, 3),
    "Meta-SGD": lambda model, loss: mt.MetaSGD(model, loss, 0.2, 2),
    "MAML++": lambda model, loss: mt.MAMLPlusPlus(model, loss, 0.2, 3),
    "Reptile": lambda model, loss: mt.Reptile(model, loss, 0.2, 3),
    "implicit MAML": lambda model, loss: mt.ImplicitMAML(model, loss, 20.0),
    "MinibatchProx": lambda model, loss: mt.MinibatchProx(model, loss, 20.0),
    "R2D2": mt.R2D2,
}
PROBLEMS = {
    **{
        f"{name}, sines": (make, dense, mt.mse, waves)
        for name, make in METHODS.items()
    },
    **{
        f"{name}, images": (make, convolutional, mt.cross_entropy, episodes)
        for name, make in METHODS.items()
    },
    "CAVIA, sines": (
        lambda model, loss: mt.CAVIA(model, loss, 4, 0.5, 3),
        lambda: dense(1 + 4),
        mt.mse,
        waves,
    ),
    "ALPaCA, sines": (
        lambda model, loss: mt.ALPaCA(model, 6, noise=0.5),
        lambda: mt.models.mlp(1, 6, hidden=(6,), activation=nn.Tanh),
        mt.mse,
        waves,
    ),
    "BMAML, sines": (
        lambda model, loss: mt.BMAML(model, 0.2, 2, noise=0.5),
        lambda: [dense() for _ in range(3)],
        mt.mse,
        waves,
    ),
    "neural process, sines": (
        lambda model, loss: mt.ConditionalNeuralProcess(*model),
        lambda: (mt.models.mlp(2, 5, hidden=(6,)), mt.models.mlp(6, 2, hidden=(6,))),
        mt.mse,
        waves,
    ),
    "prototypes, images": (
        mt.PrototypicalNetwork, convolutional, mt.cross_entropy, episodes,
    ),
    "matching, images": (
        mt.MatchingNetwork, convolutional, mt.cross_entropy, episodes,
    ),
}  # fmt: skip
# baselines that say that they have no meta-gradient
UNTRAINED = {"FromScratch", "NearestMean", "LinearProbe"}
ABSTRACT = {"Learner", "ProbabilisticLearner"}

# compiling takes many seconds a graph: every learner once
COMPILED = [
    *(name for name in PROBLEMS if "sines" in name),
    "prototypes, images",
    "matching, images",
    "R2D2, images",
]


def meta_gradient(learner, batch, strategy, **options):
    """The engine, its meta-loss, and all of its meta-gradient in one vector."""
    for parameter in learner.parameters():
        parameter.grad = torch.full_like(parameter, torch.nan)  # to be replaced
    engine = mt.Engine(learner, strategy, **options)
    loss = engine(batch)
    slopes = [
        torch.zeros_like(p) if p.grad is None else p.grad for p in learner.parameters()
    ]
    return engine, loss, torch.cat([slope.flatten() for slope in slopes])


def same(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def same_direction(found, expected):
    """The same vector: single entries may be mere rounding of their sums."""
    assert (found - expected).norm() < 1e-10 * expected.norm()


@pytest.fixture
def problem(request, float64):
    make, model, loss, tasks = PROBLEMS[request.param]
    torch.manual_seed(0)
    return make(model(), loss), tasks()


@pytest.mark.parametrize("problem", PROBLEMS, indirect=True)
def test_loop_vmap_workers_and_the_meta_loss_itself_agree(problem):
    learner, batch = problem
    value = learner.meta_loss(batch)
    slopes = torch.autograd.grad(value, [*learner.parameters()], allow_unused=True)
    expected = torch.cat(
        [
            (torch.zeros_like(p) if slope is None else slope).flatten()
            for p, slope in zip(learner.parameters(), slopes, strict=True)
        ]
    )
    assert expected.norm() > 1e-4
    for strategy in ("loop", "vmap", "workers"):
        engine, loss, gradient = meta_gradient(learner, batch, strategy, workers=2)
        assert engine.strategy == strategy
        assert not loss.requires_grad
        same(loss, value.detach())
        same_direction(gradient, expected)


@pytest.mark.skipif(not compiler_at_hand(), reason="needs a C++ compiler")
@pytest.mark.parametrize("problem", COMPILED, indirect=True)
def test_compiled_agrees_with_the_loop(problem):
    learner, batch = problem
    proximal = isinstance(learner, (mt.ImplicitMAML, mt.MinibatchProx))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        engine, loss, gradient = meta_gradient(learner, batch, "compiled")
    _, expected_loss, expected = meta_gradient(learner, batch, "loop")
    ours = [w for w in told if "is not compiled" in str(w.message)]
    if (
        proximal
    ):  # its solvers look at how far they are: told once, computed all the same
        assert engine.strategy == "vmap"
        assert len(ours) == 1
    else:
        assert engine.strategy == "compiled"
        assert not ours
    same_direction(gradient, expected)
    same(loss, expected_loss)


def test_every_learner_is_in_the_list():
    learners = {
        name
        for name, value in vars(mt).items()
        if isinstance(value, type) and issubclass(value, mt.Learner)
    }
    torch.manual_seed(0)
    listed = {
        type(make(model(), loss)).__name__ for make, model, loss, _ in PROBLEMS.values()
    }
    assert listed | UNTRAINED | ABSTRACT == learners


@pytest.mark.parametrize("strategy", ["auto", "vmap", "loop", "workers"])
def test_baselines_without_a_meta_gradient_say_so(strategy):
    learner = mt.FromScratch(dense(), mt.mse)
    with pytest.raises(TypeError, match="nothing to meta-train"):
        mt.Engine(learner, strategy)(waves())


# --- what "auto" picks --------------------------------------------------------------


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("compiler", "picked"), [(True, "compiled"), (False, "vmap")]
)  # fmt: skip
def test_dense_models_are_compiled_where_that_can_be_done(
    monkeypatch, compiler, picked
):
    monkeypatch.setattr(engine_file, "compiler_at_hand", lambda: compiler)
    engine = mt.Engine(mt.MAML(dense(), mt.mse))
    assert engine.strategy == picked
    assert ("compiler" in engine.reason) == (not compiler)
    assert engine.reason in repr(engine)


@pytest.mark.parametrize(
    ("model", "threads", "picked"),
    [
        (convolutional(), 2, "workers"),
        (convolutional(), 1, "loop"),
        (nn.Sequential(nn.LayerNorm(1), nn.Linear(1, 1)), 2, "workers"),
        (nn.Sequential(nn.Conv2d(1, 1, 1), nn.Dropout(0.5)), 2, "loop"),
        (nn.Sequential(nn.Conv2d(1, 1, 1), nn.Dropout(0.5)).eval(), 2, "workers"),
    ],
)
def test_convolutions_go_to_threads(model, threads, picked):
    engine = mt.Engine(mt.MAML(model, mt.mse), workers=threads)
    assert engine.strategy == picked


def test_reptiles_minibatches_keep_their_order():
    model = convolutional()
    whole = mt.Reptile(model, mt.cross_entropy)
    parts = mt.Reptile(model, mt.cross_entropy, inner_batch=2)
    assert mt.Engine(whole, workers=2).strategy == "workers"
    assert mt.Engine(parts, workers=2).strategy == "loop"


# --- what is left behind ------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["vmap", "loop", "workers"])
def test_the_gradient_replaces_what_was_there(float64, strategy):
    learner, batch = mt.MAML(dense(), mt.mse, 0.1, 2), waves()
    engine = mt.Engine(learner, strategy)
    engine(batch)
    first = [p.grad.clone() for p in learner.parameters()]
    engine(batch)
    assert all(map(torch.equal, first, [p.grad for p in learner.parameters()]))


@pytest.mark.parametrize("strategy", ["vmap", "loop", "workers"])
def test_the_learner_is_as_it_was(strategy):
    learner = mt.MAML(dense(), mt.mse, 0.1, 2)
    before = {k: v.clone() for k, v in learner.state_dict().items()}
    threads = torch.get_num_threads()
    mt.Engine(learner, strategy)(waves())
    assert learner.strategy == "auto"
    assert torch.get_num_threads() == threads
    assert all(torch.equal(v, before[k]) for k, v in learner.state_dict().items())


@pytest.mark.parametrize("strategy", ["vmap", "loop", "workers"])
def test_frozen_and_unused_parameters_are_left_alone(float64, strategy):
    class WithSpare(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.spare = nn.Linear(1, 1), nn.Linear(1, 1)

        def forward(self, x):
            return self.used(x)

    model = WithSpare()
    model.used.bias.requires_grad_(False)
    learner = mt.JointPretraining(model, mt.mse)
    mt.Engine(learner, strategy)(waves())
    assert model.used.weight.grad is not None
    assert model.used.bias.grad is None
    assert model.spare.weight.grad is None


@pytest.mark.parametrize("strategy", ["vmap", "loop", "workers"])
def test_it_follows_the_learners_settings(float64, strategy):
    learner, batch = mt.MAML(dense(), mt.mse, 0.1, 1), waves()
    engine = mt.Engine(learner, strategy)
    first = engine(batch)
    learner.inner_lr = 0.3
    with torch.no_grad():
        learner.model[0].bias += 1
    second = engine(batch)
    same(second, learner.meta_loss(batch).detach())
    assert second != first


def test_threads_started_later_have_as_many_threads_as_before(two_threads):
    """PyTorch gives new threads the number that was set last, by any thread."""
    learner, later = mt.MAML(dense(), mt.mse, 0.1, 1), []
    engine = mt.Engine(learner, "workers", workers=4)
    engine(waves(1))  # makes the pool; a single task keeps one of four busy
    engine(waves(8))
    thread = Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [torch.get_num_threads()] == [2]


def test_an_error_in_a_worker_is_the_users_error():
    def loss(outputs, targets):
        raise ZeroDivisionError("the user's own")

    engine = mt.Engine(mt.MAML(dense(), loss), "workers", workers=2)
    with pytest.raises(ZeroDivisionError, match="user's own"):
        engine(waves())
    assert engine.learner.strategy == "auto"


# --- bad input ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "threads"}, "'threads'.*'auto', 'vmap', 'compiled', 'loop'"),
        ({"memory": 0}, "above 0 MiB"),
        ({"memory": float("nan")}, "above 0 MiB"),
        ({"workers": 0}, "at least 1"),
    ],
)
def test_bad_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        mt.Engine(mt.MAML(dense(), mt.mse), **options)


@pytest.mark.parametrize("strategy", ["loop", "vmap", "workers"])
def test_a_class_without_an_example_is_refused_by_all(strategy):
    batch = episodes()
    batch.support_y[3][batch.support_y[3] == 1] = 0
    learner = mt.PrototypicalNetwork(convolutional())
    with pytest.raises(ValueError, match="class 1 has no support example"):
        mt.Engine(learner, strategy)(batch)


def test_workers_are_refused_off_the_cpu():
    learner = mt.MAML(dense().to("meta"), mt.mse)  # a device that every machine has
    with pytest.raises(ValueError, match=r"threads of the CPU, .* is on meta"):
        mt.Engine(learner, "workers")


def test_vmap_is_refused_where_it_would_be_wrong():
    learner = mt.MAML(nn.Sequential(nn.LayerNorm(1), nn.Linear(1, 1)), mt.mse)
    with pytest.raises(ValueError, match=r"layer '0' are wrong under vmap"):
        mt.Engine(learner, "vmap")


def test_a_learner_that_learns_nothing_is_refused():
    learner = mt.MAML(dense().requires_grad_(False), mt.mse)
    with pytest.raises(ValueError, match="no parameter that wants a gradient"):
        mt.Engine(learner, "vmap")(waves())


def test_meta_train_refuses_the_engine_of_another_learner():
    first, second = mt.MAML(dense(), mt.mse), mt.MAML(dense(), mt.mse)
    with pytest.raises(ValueError, match="another learner"):
        mt.meta_train(first, mt.data.Sinusoid(), iterations=1, engine=mt.Engine(second))


@pytest.mark.parametrize("strategy", ["vmap", "loop", "workers"])
def test_training_is_the_same_with_every_engine(float64, strategy):
    def trained(engine):
        torch.manual_seed(0)
        learner = mt.MAML(dense(), mt.mse, 0.1, 2)
        source = mt.data.Sinusoid(4)
        options = {"iterations": 5, "meta_batch": 6, "progress": False}
        mt.meta_train(learner, source, engine=engine, **options)
        return nn.utils.parameters_to_vector(learner.parameters())

    same(trained(strategy), trained(None))


# --- compiled -----------------------------------------------------------------------


def test_where_nothing_compiles_it_warns_once_and_computes(float64, monkeypatch):
    def no_compiler(*args, **options):
        raise RuntimeError("No C++ compiler found")

    monkeypatch.setattr(torch, "compile", no_compiler)
    learner, batch = mt.MAML(dense(), mt.mse, 0.1, 2), waves()
    engine = mt.Engine(learner, "compiled")
    with pytest.warns(UserWarning, match=r'is not compiled: .*"vmap" computes instead'):
        loss = engine(batch)
    same(loss, learner.meta_loss(batch).detach())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        engine(batch)  # not told again
    assert engine.strategy == "vmap"


def test_auto_falls_back_without_a_warning(float64, monkeypatch):
    monkeypatch.setattr(engine_file, "compiler_at_hand", lambda: True)
    learner = mt.ImplicitMAML(dense(), mt.mse, 20.0)
    engine = mt.Engine(learner)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        engine(waves())
    assert engine.strategy == "vmap"
    assert (
        "looks at the values" in engine.reason or "look at the values" in engine.reason
    )


def test_graphs_too_large_are_not_compiled(monkeypatch):
    monkeypatch.setattr(compiled, "LARGEST", 100)
    engine = mt.Engine(mt.MAML(dense(), mt.mse, 0.1, 3), "compiled")
    with pytest.warns(UserWarning, match=r"graph has \d+ operations, more than 100"):
        engine(waves())


@pytest.mark.skipif(not compiler_at_hand(), reason="needs a C++ compiler")
def test_compiled_sees_a_class_that_is_missing_later_on(float64):
    learner = mt.PrototypicalNetwork(nn.Sequential(nn.Flatten(), nn.Linear(16, 2)))
    learner.strategy = "vmap"
    engine, batch = mt.Engine(learner, "compiled"), episodes()
    engine(batch)
    assert engine.strategy == "compiled"
    batch.support_y[3][batch.support_y[3] == 1] = 0
    with (
        pytest.warns(UserWarning, match="is not compiled"),
        pytest.raises(ValueError, match="class 1 has no support example"),
    ):
        engine(batch)


@pytest.mark.skipif(not compiler_at_hand(), reason="needs a C++ compiler")
def test_compiled_follows_settings_weights_shapes_and_progress(float64, monkeypatch):
    """One learner whose meta-loss changes in every way that it can."""
    learner = mt.MAMLPlusPlus(dense(), mt.mse, 0.1, 2, anneal_over=10)
    engine = mt.Engine(learner, "compiled")

    def agree(batch):
        same(engine(batch), learner.meta_loss(batch).detach())

    agree(waves())
    agree(waves())  # other tasks
    with torch.no_grad():
        learner.model[0].bias += 1
    agree(waves())
    for iteration in (3, 6):  # weights of the steps are inputs of the graph
        learner.at_iteration(iteration)
        agree(waves())
    assert len(engine.compiled.graphs) == 1
    learner.inner_lr = 0.3
    agree(waves())
    assert len(engine.compiled.graphs) == 2
    monkeypatch.setattr(compiled, "MOST", 2)
    learner.inner_lr = 0.2
    with pytest.warns(UserWarning, match="have changed 2 times already"):
        agree(waves())
    assert engine.strategy == "vmap"


@pytest.mark.skipif(not compiler_at_hand(), reason="needs a C++ compiler")
def test_compiled_random_numbers_follow_the_seed(float64):
    class Noise(nn.Module):
        def forward(self, x):
            return x + torch.randn_like(x)

    model = nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.5), Noise(), nn.Linear(8, 1))
    learner, batch = mt.MAML(model, mt.mse, 0.1), waves()
    engine, eager = mt.Engine(learner, "compiled"), mt.Engine(learner, "vmap")

    def loss(engine, seed):
        torch.manual_seed(seed)
        return engine(batch)

    for seed in (1, 2):  # the very numbers that would be drawn without compiling
        same(loss(engine, seed), loss(eager, seed))
    assert engine.strategy == "compiled"
    assert loss(engine, 1) == loss(engine, 1) != loss(engine, 2)


# --- memory -------------------------------------------------------------------------


@pytest.mark.parametrize("tasks", [1, 2, 7, 64])
def test_a_limit_of_memory_changes_nothing_else(float64, tasks):
    learner, batch = mt.MAML(dense(), mt.mse, 0.1, 2), waves(tasks)
    _, whole, expected = meta_gradient(learner, batch, "vmap")
    for limit in (0.06, 0.2, 5.0):
        engine, loss, gradient = meta_gradient(learner, batch, "vmap", memory=limit)
        same(loss, whole)
        same(gradient, expected)
    assert engine.at_once(batch) == tasks


def test_less_memory_means_fewer_tasks_at_once():
    learner, batch = mt.MAML(dense(), mt.mse, 0.1, 2), waves(64)
    at_once = [
        mt.Engine(learner, "vmap", memory=limit).at_once(batch)
        for limit in (0.05, 0.1, 0.2)
    ]
    assert 1 <= at_once[0] < at_once[1] < at_once[2] < 64


def test_a_task_that_does_not_fit_is_refused_with_the_numbers():
    learner = mt.MAML(dense(), mt.mse, 0.1, 2)
    for strategy in ("vmap", "workers", "loop"):
        engine = mt.Engine(learner, strategy, memory=0.001)
        with pytest.raises(
            ValueError, match=r"0\.001 MiB, but a single task takes 0\.0"
        ):
            engine(waves())


def test_workers_that_do_not_fit_side_by_side_are_not_used():
    learner, batch = mt.MAML(convolutional(), mt.cross_entropy, 0.1, 1), episodes()
    engine = mt.Engine(learner, "workers", workers=4, memory=100)
    engine(batch)
    assert engine.side_by_side == 4
    one = mt.Engine(learner, "workers", workers=4, memory=0.05)
    one(batch)
    assert one.side_by_side < 4


@pytest.mark.parametrize("strategy", ["loop", "vmap", "workers"])
def test_maml_does_not_mind_a_class_without_a_support_example(float64, strategy):
    batch = episodes()
    batch.support_y[3][batch.support_y[3] == 1] = 0
    learner = mt.MAML(convolutional(), mt.cross_entropy, 0.2, 1)
    same(mt.Engine(learner, strategy)(batch), learner.meta_loss(batch).detach())
