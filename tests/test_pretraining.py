"""Training a backbone as an ordinary classifier: what is learned, kept and refused."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

import metatutor as mt

CLASSES, EACH = 6, 8


def examples(seed=0):
    """Six classes of 8×8 images that differ by what is in each quarter."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(CLASSES, 1, 1, 8, 8, generator=generator)
    noise = torch.randn(CLASSES, EACH, 1, 8, 8, generator=generator)
    return centres + 0.5 * noise


def backbone(seed=0, dropout=False):
    """A small one; ``seed`` also sets the state that dropout would go on from."""
    torch.manual_seed(seed)
    drop = [nn.Dropout(0.3)] if dropout else []
    return nn.Sequential(nn.Flatten(), *drop, mt.models.mlp(64, 5, hidden=(12,)))


def weights(model):
    return nn.utils.parameters_to_vector(model.parameters()).detach().clone()


def pretrain(model, images=None, **options):
    options = {"iterations": 8, "batch": 16, "lr": 0.01, "progress": False} | options
    return mt.pretrain(model, examples() if images is None else images, **options)


@pytest.mark.parametrize("dropout", [False, True])
def test_the_same_seed_gives_the_same_weights(dropout):
    """Whatever the global random state."""
    augment = mt.data.augment.warp

    def trained(global_seed, seed=7):
        model = backbone(dropout=dropout)
        torch.manual_seed(global_seed)
        history = pretrain(model, seed=seed, augment=augment)
        return weights(model), history.loss

    first, losses = trained(0)
    second, again = trained(1)
    assert torch.equal(first, second)
    assert losses == again
    other, _ = trained(0, seed=8)
    assert not torch.allclose(first, other)


@pytest.mark.parametrize("dropout", [False, True])
def test_the_global_random_state_is_left_as_it_was(dropout):
    model = backbone(dropout=dropout)
    state = torch.get_rng_state()
    pretrain(model, augment=mt.data.augment.turn)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_loss_falls_from_that_of_guessing():
    history = pretrain(backbone(), iterations=150)
    assert history.loss[0] == pytest.approx(math.log(CLASSES), abs=0.5)
    assert sum(history.loss[-10:]) / 10 < 0.1
    assert history.iterations == 150
    assert history.seconds > 0


def test_the_embedding_tells_the_classes_apart():
    """Images belong to the labels they are trained with."""
    images = examples()
    images[:, 4:] = torch.roll(images[:, 4:], 1, 0)  # not what is trained on
    model = backbone()
    pretrain(model, images[:, :4], iterations=150)
    learner = mt.NearestMean(model)
    support = images[:, 0], torch.arange(CLASSES)
    queries = images[:, 1:4].flatten(0, 1), torch.arange(CLASSES).repeat_interleave(3)
    assert mt.accuracy(learner.adapt(*support)(queries[0]), queries[1]) == 1


def test_it_trains_in_place_and_keeps_no_classifier():
    model = backbone()
    before, names = weights(model), list(model.state_dict())
    pretrain(model)
    assert not torch.equal(weights(model), before)
    assert list(model.state_dict()) == names
    assert model(examples()[0]).shape == (EACH, 5)


def test_one_iteration_is_one_step_of_adam():
    model = backbone()
    before = weights(model)
    pretrain(model, iterations=1, lr=0.02)
    moved = (weights(model) - before).abs()
    assert moved.max().item() == pytest.approx(0.02, rel=1e-3)


def test_the_rate_falls_to_nothing():
    """As steps of Adam show: the last moves much less than the first."""
    model, seen = backbone(), []

    def watch(images, generator):
        seen.append(weights(model))
        return images

    pretrain(model, iterations=40, augment=watch)
    seen.append(weights(model))
    moved = [(after - before).abs().max() for before, after in pairwise(seen)]
    assert len(moved) == 40
    assert moved[-1] < 0.02 * moved[0]
    assert 0.05 * moved[0] < moved[25]


# --- augmentation ----------------------------------------------------------------


def test_what_augment_returns_is_what_is_trained_on():
    """Blank images tell nothing: the loss stays that of guessing, or above."""
    history = pretrain(
        backbone(), iterations=150, augment=lambda images, _: torch.zeros_like(images)
    )
    assert min(history.loss[-50:]) > math.log(CLASSES) - 0.3


def test_augment_gets_one_task_of_one_way_and_the_generator():
    shapes, generators = [], []

    def spy(images, generator):
        shapes.append(tuple(images.shape))
        generators.append(generator)
        return images

    pretrain(backbone(), iterations=3, batch=9, augment=[spy, None, spy])
    assert shapes == [(1, 9, 1, 1, 8, 8)] * 6
    assert len({id(generator) for generator in generators}) == 1
    assert isinstance(generators[0], torch.Generator)


def test_several_are_applied_in_their_order():
    seen = []

    def plus(images, generator):
        return torch.ones_like(images)

    def watch(images, generator):
        seen.append(images.unique().tolist())
        return images

    pretrain(backbone(), iterations=2, augment=[plus, watch])
    assert seen == [[1.0], [1.0]]


def test_an_augment_that_works_in_place_leaves_the_examples():
    images = examples()
    pretrain(backbone(), images, augment=lambda drawn, _: drawn.zero_())
    assert torch.equal(images, examples())


# --- what is refused -------------------------------------------------------------


def test_a_loss_that_is_no_number_names_the_iteration():
    calls = []

    def breaks(images, generator):
        calls.append(1)
        return images if len(calls) <= 3 else images * torch.nan

    with pytest.raises(mt.MetaLossError, match="became nan at iteration 3: try a sm"):
        pretrain(backbone(), augment=breaks)


class InfiniteSlope(nn.Module):
    """√|w| x at w = 0: a number, with a gradient that is none."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return x + self.w.abs().sqrt()


def test_parameters_that_are_no_numbers_are_refused_at_the_end():
    """One iteration: no later loss would show it."""
    model = nn.Sequential(nn.Flatten(), InfiniteSlope())
    with pytest.raises(mt.MetaLossError, match="a parameter became NaN or infinite"):
        pretrain(model, iterations=1)


def test_an_error_leaves_the_global_random_state_too():
    model = backbone(dropout=True)
    state = torch.get_rng_state()
    with pytest.raises(mt.MetaLossError):
        pretrain(model, augment=lambda images, _: images * torch.nan)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"iterations": 0}, "iterations is 0: a whole number of at least 1"),
        ({"iterations": 1.5}, r"iterations is 1\.5: a whole number"),
        ({"batch": 0}, "batch is 0: a whole number of at least 1"),
        ({"batch": True}, "batch is True: a whole number"),
        ({"lr": 0.0}, r"lr is 0\.0: a finite number above 0"),
        ({"lr": math.nan}, "lr is nan: a finite number above 0"),
    ],
)
def test_settings_that_make_no_sense_are_named(options, message):
    model = backbone()
    before = weights(model)
    with pytest.raises(ValueError, match=message):
        pretrain(model, **options)
    assert torch.equal(weights(model), before)


def test_examples_that_hold_nan_are_refused_before_training():
    images = examples()
    images[2, 3, 0, 1, 1] = torch.nan
    with pytest.raises(ValueError, match=r"examples holds 1 .* \(2, 3, 0, 1, 1\)"):
        pretrain(backbone(), images)


# --- with what the package has -----------------------------------------------------


@pytest.mark.parametrize("norm", ["group", "batch"])
def test_letters_are_learned(norm):
    images = mt.data.Glyphs("val").examples[:10]
    model = mt.models.conv4(channels=16, norm=norm)
    history = pretrain(
        model, images, iterations=80, batch=32, augment=mt.data.augment.warp
    )
    assert sum(history.loss[-5:]) / 5 < 0.8 * math.log(10)


@pytest.mark.parametrize(
    ("progress", "asked"), [(True, {}), (False, {"disable": True})]
)
def test_the_progress_bar_is_only_ever_switched_off(monkeypatch, progress, asked):
    """An explicit ``disable=False`` would overrule the TQDM_DISABLE variable."""
    options = {}

    def spy(n, **given):
        options.update(given)
        return range(n)

    monkeypatch.setattr("metatutor.pretraining.trange", spy)
    pretrain(backbone(), progress=progress)
    assert options == {"desc": "pretrain", **asked}
