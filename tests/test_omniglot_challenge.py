"""The Omniglot challenge from end to end, and the trick that it trains with."""

import io
import re

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import metatutor as mt
from metatutor import pretrained
from metatutor.data.trials import load_recipe, make_recipe, write_trials
from metatutor.experiments.__main__ import main
from metatutor.experiments.omniglot_challenge import commands
from metatutor.experiments.omniglot_challenge.judging import (
    RECIPES,
    ManyViews,
    ModifiedHausdorff,
    hausdorff,
    judge,
    whiten,
)
from metatutor.experiments.omniglot_challenge.training import EveryWriter, train


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A tiny network, trained for two iterations by the command."""
    file = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    options = "train --data glyphs --iterations 2 --widths 8 8 --out"
    main(["omniglot_challenge", *options.split(), str(file)])
    return file


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    """Three trials of an alphabet that is easy: bars in 20 places."""
    names = [f"character{i:02d}" for i in range(1, 21)]
    drawings = {}
    for i, name in enumerate(names):
        for drawer in (1, 2, 3):
            page = np.full((105, 105), 255, np.uint8)
            page[5 + 4 * i : 9 + 4 * i, 20 + drawer : 80 - 2 * i] = 0
            page[10:95, 10 + 4 * i : 13 + 4 * i] = 0
            buffer = io.BytesIO()
            Image.fromarray(page).save(buffer, "PNG")
            drawings["Bars", name, drawer] = buffer.getvalue()
    recipe = [
        trial
        for trial in make_recipe({"Bars": names}, trials=400, seed=0)
        if {trial.training_drawer, trial.test_drawer} <= {1, 2, 3}
    ]
    folder = tmp_path_factory.mktemp("trials") / "all_runs"
    write_trials(drawings, recipe[:3], folder)
    return folder


def test_every_writer_takes_a_turn(float64):
    torch.manual_seed(0)
    learner = EveryWriter(nn.Sequential(nn.Flatten(), nn.Linear(6, 3)))
    examples = torch.randn(4, 3, 1, 2, 3)  # 4 classes by 3 writers
    source = mt.Episodes(examples, 4, 1, 2, aligned=True)
    batch = source.sample(1, torch.Generator().manual_seed(0))
    letters = examples[batch.truth["classes"][0]]
    by_hand = mt.PrototypicalNetwork(learner.model)
    labels = torch.arange(4)
    pairs = [
        by_hand.task_loss(letters[:, i], labels, letters[:, j], labels)
        for i in range(3)
        for j in range(3)
        if i != j
    ]
    torch.testing.assert_close(learner.meta_loss(batch), torch.stack(pairs).mean())


def test_a_network_is_trained_once_and_says_how(weights, capsys):
    before = weights.read_bytes()
    options = "train --data glyphs --iterations 2 --widths 8 8 --out"
    main(["omniglot_challenge", *options.split(), str(weights)])
    assert weights.read_bytes() == before
    with pytest.raises(SystemExit, match="was trained with other settings"):
        options = options.replace("iterations 2", "iterations 3")
        main(["omniglot_challenge", *options.split(), str(weights)])
    notes = pretrained.notes(weights)
    assert (notes["data"], notes["iterations"], notes["split"]) == (
        "glyphs",
        2,
        "train",
    )


def test_the_same_seed_trains_the_same_network(weights):
    backbone, _ = train("glyphs", 2, 0, widths=(8, 8))
    for name, value in pretrained.load(weights).state_dict().items():
        torch.testing.assert_close(value, backbone.state_dict()[name], msg=name)


def test_scoring_ends_with_the_error(weights, trials, monkeypatch, capsys):
    monkeypatch.setattr(commands, "RUNS", 3)
    words = ["--weights", str(weights), "--trials", str(trials)]
    main(["omniglot_challenge", "score", *words])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    number = r"\d+\.\d"
    last = rf"error ({number}) % ± ({number}) % \(95 % CI, 3 trials\)"
    mean = float(re.fullmatch(last, lines[-1])[1])
    runs = [float(re.fullmatch(r"run\d\d +([\d.]+) %", line)[1]) for line in lines[:3]]
    assert mean == pytest.approx(sum(runs) / 3, abs=0.06)
    assert mean < 50  # even these two iterations tell bars apart better than chance: 95


def test_scoring_needs_all_twenty_trials(weights, trials):
    words = ["--weights", str(weights), "--trials", str(trials)]
    with pytest.raises(mt.DataError, match="3 runs, not 20"):
        main(["omniglot_challenge", "score", *words])


def test_what_is_scored_changes_nothing(weights, trials):
    """Scores are the same one trial at a time: nothing is tuned on trials."""
    tasks = mt.data.read_trials(trials, runs=3)
    backbone = pretrained.load(weights)
    together = judge(backbone, tasks).per_task
    reverse = judge(backbone, mt.TaskBatch(*(t.flip(0) for t in tasks.tensors)))
    assert torch.equal(together, reverse.per_task.flip(0))
    # and each item by itself
    learner = mt.PrototypicalNetwork(backbone)
    task = tasks[0]
    predict = learner.adapt(task.support_x, task.support_y)
    alone = torch.cat([predict(x[None]) for x in task.query_x])
    torch.testing.assert_close(alone, predict(task.query_x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("recipe", ["small2-new", "small2-all"])
def test_the_recipes_make_twenty_trials_of_small2(recipe, small_sets):
    small2 = mt.data.load_omniglot("small2", small_sets)
    trials = load_recipe(RECIPES / f"{recipe}.json")
    tasks = mt.data.trials.recipe_tasks(small2, trials)
    assert tasks.support_x.shape == tasks.query_x.shape == (20, 20, 1, 28, 28)
    alphabets = {trial.alphabet for trial in trials}
    new = {"Japanese_(katakana)", "Sanskrit"}
    assert alphabets == (new if recipe == "small2-new" else new | {"Greek", "Latin"})


def test_what_has_seen_small1_is_not_judged_on_its_drawings(small_sets):
    small1, small2 = (mt.data.load_omniglot(f"small{i}", small_sets) for i in (1, 2))
    with pytest.raises(ValueError, match=r"Greek \(480\), Latin \(520\)"):
        mt.data.omniglot.refuse_shared_images(small1, small2)
    rest = small2.without(["Greek", "Latin"])
    mt.data.omniglot.refuse_shared_images(small1, rest)


def test_shipped_weights_beat_those_that_saw_little(monkeypatch, small_sets):
    """The published networks with this background err in over 20 % (Lake 2019)."""
    small2 = mt.data.load_omniglot("small2", small_sets)
    trials = load_recipe(RECIPES / "small2-new.json")
    tasks = mt.data.trials.recipe_tasks(small2, trials)
    result = judge(pretrained.load("glyphs+small1"), tasks)
    assert result.mean + result.ci95 < 20


# --- the learners ----------------------------------------------------------------


@pytest.fixture
def task():
    """A one-shot task of glyphs, its classes out of order in the support set."""
    source = mt.data.Glyphs("val", 5, 1, 3, within_script=True)
    sx, sy, qx, qy = source.sample(1, torch.Generator().manual_seed(2))[0]
    order = torch.tensor([3, 0, 4, 1, 2])
    return sx[order], sy[order], qx, qy


def test_many_views_depend_on_the_support_set_and_the_query_alone(task):
    torch.manual_seed(0)
    learner = ManyViews(mt.models.conv4(norm="group"), views=4)
    sx, sy, qx, _ = task
    together = learner.adapt(sx, sy)(qx)
    alone = torch.cat([learner.adapt(sx, sy)(x[None]) for x in qx])
    torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-4)
    order = torch.tensor([4, 3, 2, 1, 0])
    torch.testing.assert_close(learner.adapt(sx[order], sy[order])(qx), together)


def test_without_shrinking_and_deforming_many_views_are_prototypes(task):
    torch.manual_seed(0)
    backbone = mt.models.conv4(norm="group")
    plain = mt.PrototypicalNetwork(backbone)
    still = ManyViews(backbone, views=2, strength=0.0, shrinkage=1e9)
    sx, sy, qx, _ = task
    expected = 2 * plain.adapt(sx, sy)(qx)  # the sum of two equal distances
    torch.testing.assert_close(still.adapt(sx, sy)(qx), expected, rtol=1e-3, atol=1e-3)


def test_many_views_want_one_shot(task):
    sx, _, _, _ = task
    learner = ManyViews(mt.models.conv4(), views=2)
    with pytest.raises(ValueError, match="one support image a class"):
        learner.adapt(sx, torch.tensor([0, 0, 1, 2, 3]))


def test_directions_that_vary_within_classes_count_less():
    """Two features, one of which the deformations shake."""

    class Shaken(ManyViews):
        def embed(self, images):
            noise = torch.tensor([-3.0, 0.0, 3.0])[:, None].expand(-1, len(images))
            return images.flatten(1)[None].repeat(3, 1, 1) + torch.stack(
                [noise, torch.zeros_like(noise)], -1
            )

    learner = Shaken(nn.Identity(), views=2)
    support = torch.tensor([[0.0, 0.0], [1.0, 1.0]]).view(2, 1, 1, 2)
    directions, keep, _ = learner.fit(support, torch.arange(2), None)
    shaken, steady = whiten(torch.eye(2), directions, keep).norm(dim=1)
    # floor = mean variance: 3 of (6 + 0) / 2, so √(3 / (3 + 6)) is kept
    assert shaken.item() == pytest.approx((1 / 3) ** 0.5, rel=1e-4)
    assert steady.item() == pytest.approx(1, rel=1e-4)


def test_the_hausdorff_distance_by_hand(task):
    a = torch.tensor([[0.0, 0.0], [0.0, 2.0]])
    b = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 1.0]])
    # from a: 0 and 1; from b: 0, 3 and 1
    assert hausdorff(a, b) == hausdorff(b, a) == pytest.approx(4 / 3)
    sx, sy, _, _ = task
    assert ModifiedHausdorff().adapt(sx, sy)(sx).argmax(-1).tolist() == sy.tolist()
