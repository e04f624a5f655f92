"""Architecture search: the space, the gradient of α, the two searches, many tasks."""

import json
from random import Random

import pytest
import torch
from torch import nn

import metatutor as mt
from metatutor.architecture import (
    EDGES,
    OPERATIONS,
    CellNetwork,
    MetaNAS,
    MixedOperation,
    architecture_gradient,
    best_of,
    correct,
    darts,
    discretise,
    fit,
    random_architecture,
    share_weights,
)
from metatutor.experiments.__main__ import main
from metatutor.experiments.architecture import again

SKIPS = ("skip_connect",) * 6
LETTERS = mt.data.glyphs.load_letters("val").images[:5]


def split(first, last):
    """The letters of some of the 20 writers: images and labels."""
    images = LETTERS[:, first:last]
    labels = torch.arange(len(images)).repeat_interleave(last - first)
    return images.flatten(0, 1), labels


def network(candidates=None, seed=0):
    torch.manual_seed(seed)
    return CellNetwork(5, channels=8, candidates=candidates)


def smooth_problem():
    """Two losses of a mixture of smooth operations, with weights and α to try."""
    torch.manual_seed(0)
    x, y = torch.randn(2, 20, 3), torch.randn(2, 20, 3)

    def loss(which):
        def of(weights, alpha):
            a = x[which] @ weights["in"]
            p = alpha.softmax(0)
            mixed = p[0] * a.tanh() + p[1] * a.sin() + p[2] * a
            return (mixed @ weights["out"] - y[which]).square().mean()

        return of

    weights = {"in": torch.randn(3, 4), "out": torch.randn(4, 3)}
    return loss(0), loss(1), weights, torch.tensor([0.3, -0.2, 0.1])


# --- the space ------------------------------------------------------------------------


def test_a_mixed_operation_is_the_weighted_sum():
    torch.manual_seed(0)
    edge = MixedOperation(8, ["skip_connect", "none", "nor_conv_3x3"])
    x, alpha = torch.randn(2, 8, 7, 7), torch.tensor([0.5, -1.0, 2.0])
    p = alpha.softmax(0)
    expected = p[0] * x + p[2] * edge.operations["nor_conv_3x3"](x)
    assert torch.allclose(edge(x, alpha), expected)


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_keep_the_shape(name):
    x = torch.randn(2, 8, 7, 7)
    assert OPERATIONS[name](8)(x).shape == x.shape


def test_a_path_is_the_limit_of_the_mixture():
    supernet = network()
    path = random_architecture(Random(3))
    names = [*OPERATIONS]
    with torch.no_grad():
        for k, name in enumerate(path):
            supernet.alpha[k, names.index(name)] = 40.0
    x = split(0, 2)[0]
    assert torch.allclose(supernet(x), supernet(x, path), atol=1e-4)


def test_the_edges_run_forward_through_four_nodes():
    assert EDGES == ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
    stem_only = network([("none",)] * 5 + [("skip_connect",)])
    x = split(0, 2)[0]
    # node 2 receives nothing, so that the last edge carries zeros
    assert torch.equal(stem_only(x), stem_only.head[-1].bias.expand(len(x), 5))
    direct = network([("none",)] * 3 + [("skip_connect",)] + [("none",)] * 2)
    assert torch.allclose(direct(x), direct.head(direct.stem(x)))


def test_a_prediction_does_not_depend_on_other_images():
    net, x = network(), split(0, 4)[0]
    assert torch.allclose(net(x)[:3], net(x[:3]), atol=1e-5)


def test_discretise_takes_the_largest_and_can_leave_out():
    alpha = torch.tensor([[3.0, 1.0, 2.0], [0.0, 0.0, 5.0]])
    assert discretise(alpha, "abc") == ("a", "c")
    assert discretise(alpha, "abc", never="a") == ("c", "c")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CellNetwork(5, candidates=[SKIPS] * 5), "each of the 6 edges"),
        (lambda: CellNetwork(5, candidates=SKIPS), "a list of names for each"),
        (lambda: CellNetwork(5, candidates=[("conv",)] * 6), r"\['conv'\]: one of"),
        (lambda: CellNetwork(5, candidates=[SKIPS] * 5 + [("none",)]), "as many"),
        (lambda: CellNetwork(5, candidates=[()] * 6), "at least 1"),
        (lambda: CellNetwork(0), "outputs"),
        (lambda: discretise(torch.zeros(6, 4)), r"\(edges, 5\) is needed"),
        (lambda: discretise(torch.zeros(5)), r"\(edges, 5\) is needed"),
        (lambda: discretise(torch.zeros(6, 2), "ab", never="ab"), "no operation"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# --- the gradient of α ----------------------------------------------------------------


def test_the_gradient_agrees_with_finite_differences_of_the_unrolled_loss(float64):
    train, validation, weights, alpha = smooth_problem()

    def unrolled(alpha):
        slope = torch.func.grad(train)(weights, alpha)
        return validation({n: w - 0.3 * slope[n] for n, w in weights.items()}, alpha)

    found = architecture_gradient(
        train, validation, weights, alpha, rate=0.3, exact=True
    )
    for k, unit in enumerate(torch.eye(3)):
        numeric = (unrolled(alpha + 1e-5 * unit) - unrolled(alpha - 1e-5 * unit)) / 2e-5
        assert abs(numeric - found[k]) < 1e-8


def test_first_order_leaves_out_what_the_weights_do(float64):
    train, validation, weights, alpha = smooth_problem()
    first = architecture_gradient(train, validation, weights, alpha)
    assert torch.allclose(first, torch.func.grad(validation, argnums=1)(weights, alpha))
    second = architecture_gradient(train, validation, weights, alpha, rate=0.3)
    assert (second - first).norm() > 0.1 * first.norm()


def test_the_step_of_the_paper_is_good_to_three_digits(float64):
    train, validation, weights, alpha = smooth_problem()
    arguments = (train, validation, weights, alpha)
    exact = architecture_gradient(*arguments, rate=0.3, exact=True)
    found = architecture_gradient(*arguments, rate=0.3)
    assert 0 < (found - exact).norm() < 1e-3 * exact.norm()


def test_a_validation_loss_without_slope_gives_no_nan():
    train, _, weights, alpha = smooth_problem()
    flat = lambda weights, alpha: 0 * weights["in"].sum() + alpha.sum()  # noqa: E731
    found = architecture_gradient(train, flat, weights, alpha, rate=0.3)
    assert torch.equal(found, torch.ones(3))


@pytest.mark.parametrize("wrong", [{"rate": -1.0}, {"rate": 0.1, "epsilon": 0.0}])
def test_rates_and_steps_are_above_zero(wrong):
    with pytest.raises(ValueError, match="above 0 is needed"):
        architecture_gradient(*smooth_problem(), **wrong)


# --- the searches ---------------------------------------------------------------------


@pytest.mark.parametrize("second_order", [False, True])
def test_a_search_is_reproducible_and_moves_alpha(second_order):
    def run(seed):
        options = {"steps": 3, "second_order": second_order, "seed": seed}
        return darts(network(), split(0, 4), split(4, 8), **options)

    path = run(1)
    assert path.shape == (3, 6, 5)
    assert torch.equal(path, run(1))
    assert not torch.equal(path, run(2))
    assert (path[0] != 0).all()


def test_second_order_is_another_search():
    paths = [
        darts(network(), split(0, 4), split(4, 8), steps=3, second_order=order)
        for order in (False, True)
    ]
    assert not torch.equal(*paths)


def test_fit_learns_what_it_is_shown():
    net = fit(network([("nor_conv_3x3",)] * 6), split(0, 8), steps=60)
    assert correct(net, split(0, 8)).mean() > 0.9
    assert correct(net, split(8, 16)).mean() > 0.4  # chance is 0.2


def test_shared_weights_are_trained_by_random_paths():
    """With one path only, this is training; with several, other weights stay."""
    only = network([("nor_conv_3x3",)] * 6)
    share_weights(only, split(0, 8), steps=60)
    assert correct(only, split(0, 8), ("nor_conv_3x3",) * 6).mean() > 0.9
    supernet, before = network(), network()
    share_weights(supernet, split(0, 8), steps=1, seed=3)
    path = random_architecture(Random(3))
    for k, edge in enumerate(supernet.cells[0]):
        for name, operation in edge.operations.items():
            old = before.cells[0][k].operations[name].parameters()
            same = all(map(torch.equal, operation.parameters(), old))
            assert same or name == path[k]
    assert not torch.equal(supernet.stem[1].weight, before.stem[1].weight)


def test_the_best_by_validation_is_chosen():
    supernet = network()
    chosen = best_of(supernet, split(8, 16), samples=10, seed=0)
    random = Random(0)
    drawn = [random_architecture(random) for _ in range(10)]
    scores = {path: correct(supernet, split(8, 16), path).mean() for path in drawn}
    assert scores[chosen] == max(scores.values())


def test_data_that_do_not_pair_up_are_refused():
    images, labels = split(0, 4)
    with pytest.raises(ValueError, match="20 images and 19 labels"):
        fit(network(), (images, labels[:-1]), steps=1)


# --- across tasks ---------------------------------------------------------------------


def tasks():
    return mt.data.Glyphs("train", ways=5, shots=1, queries=2)


def test_the_inner_loop_adapts_alpha_at_its_own_rate():
    batch = tasks().sample(1, generator=torch.Generator().manual_seed(0))
    sx, sy, *_ = batch[0]
    net = network()
    still = MetaNAS(net, mt.cross_entropy, 0.1, 2, alpha_lr=0.0).fit(sx, sy)
    moved = MetaNAS(net, mt.cross_entropy, 0.1, 1, alpha_lr=2.0).fit(sx, sy)
    assert torch.equal(still["alpha"], net.alpha)
    slope = torch.autograd.grad(mt.cross_entropy(net(sx), sy), net.alpha)[0]
    assert torch.allclose(moved["alpha"], net.alpha - 2.0 * slope, atol=1e-6)


def test_at_equal_rates_it_is_maml():
    batch = tasks().sample(2, generator=torch.Generator().manual_seed(0))
    losses = [
        learner.meta_loss(batch).item()
        for learner in (
            MetaNAS(network(), mt.cross_entropy, 0.1, 2, alpha_lr=0.1),
            mt.MAML(network(), mt.cross_entropy, 0.1, 2),
        )
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


def test_a_model_without_alpha_is_refused():
    with pytest.raises(ValueError, match="no parameter alpha"):
        MetaNAS(nn.Linear(2, 2), mt.mse)
    with pytest.raises(ValueError, match="alpha_lr"):
        MetaNAS(network(), mt.mse, alpha_lr=-1.0)


# --- the experiment -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "method", "size", "n"),
    [
        ("one task", "DARTS, second order", ["--search-steps", "1"], 100),
        ("one task", "random search, shared weights", ["--search-steps", "1"], 100),
        ("across tasks", "α adapted to each task", ["--iterations", "1"], 3),
    ],
)
def test_the_experiment_records_its_figures(tmp_path, problem, method, size, n):
    file = tmp_path / "ledger.json"
    words = [
        "architecture",
        "--problem",
        problem,
        "--only",
        method,
        "--seeds",
        "0",
        "1",
    ]
    small = ["--fit-steps", "2", "--tasks", "3", *size]
    assert main(["--ledger", str(file), *words, *small]) == 0
    (row,) = json.loads(file.read_text("utf8"))
    assert (row["experiment"], row["method"]) == (f"architecture, {problem}", method)
    assert (row["n"], row["seeds"]) == (n, [0, 1])
    assert 0 <= row["value"] <= 1 and row["ci95"] >= 0
    quick = method.startswith("random search")
    assert again(row) == (["--only", method] if quick else None)
