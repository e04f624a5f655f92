"""The outer loop: the same seed the same numbers, whatever happens in between."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

import metatutor as mt
from metatutor.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from metatutor.run import MetaLossError
from metatutor.tasks import TaskSource

SOURCE = mt.data.Sinusoid(shots=3, queries=4)


def small(seed=0, dropout=False):
    """A small learner; ``seed`` also sets the state that dropout goes on from."""
    torch.manual_seed(seed)
    model = mt.models.mlp(1, 1, hidden=(6,), activation=nn.Tanh)
    if dropout:
        model.insert(2, nn.Dropout(0.3))
    return mt.MAML(model, mt.mse, inner_lr=0.05, inner_steps=2)


def train(learner, source=SOURCE, **options):
    options = {"iterations": 6, "meta_batch": 3, "lr": 0.01} | options
    return mt.meta_train(learner, source, progress=False, **options)


def weights(learner):
    return nn.utils.parameters_to_vector(learner.parameters()).detach().clone()


def same(first, second):
    """Equal to the last bit, however deep the containers."""
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(
            same(value, second[key]) for key, value in first.items()
        )
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second


class Interrupted(Exception):
    """What stops a run in these tests."""


class StopsAfter(TaskSource):
    """A source that gives out at one call more than ``calls``."""

    def __init__(self, source, calls):
        self.source, self.calls = source, calls

    def sample(self, n, generator=None):
        batch = self.source.sample(n, generator)  # the generator has moved on
        self.calls -= 1
        if self.calls < 0:
            raise Interrupted
        return batch


class Steady(nn.Module):
    """A model that is one number θ, starting from 0."""

    def __init__(self):
        super().__init__()
        self.theta = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return self.theta.expand(x.shape)


def climber(loss=lambda outputs, targets: -outputs.mean()):
    """A learner whose θ grows by ``lr`` = 1 in every iteration of plain descent."""
    return mt.NoAdaptation(Steady(), loss)


def climb(learner, iterations, **options):
    options = {"lr": 1.0, "optimizer": torch.optim.SGD} | options
    return train(learner, iterations=iterations, **options)


def test_the_same_seed_gives_the_same_numbers():
    first, second, third = small(), small(), small()
    runs = []
    for learner, seed in ((first, 5), (second, 5), (third, 6)):
        torch.manual_seed(len(runs))  # the global state is nobody's business
        runs.append(train(learner, seed=seed))
    assert runs[0].loss == runs[1].loss != runs[2].loss
    assert torch.equal(weights(first), weights(second))
    assert not torch.equal(weights(first), weights(third))


def test_the_same_seed_gives_the_same_dropout():
    runs = []
    for state in (1, 2):
        learner = small(dropout=True)
        torch.manual_seed(state)
        runs.append(train(learner, seed=5).loss)
    assert runs[0] == runs[1]


def test_training_lowers_the_loss_after_adaptation():
    learner = small()
    before = mt.meta_evaluate(learner, SOURCE, tasks=200)
    train(learner, iterations=60, meta_batch=10)
    gain = before - mt.meta_evaluate(learner, SOURCE, tasks=200)
    assert gain.mean > gain.ci95


def test_one_iteration_is_one_step_of_the_optimizer_on_the_meta_loss():
    learner, by_hand = small(), small()
    history = train(learner, iterations=1, optimizer=torch.optim.SGD, lr=0.3, seed=4)
    batch = SOURCE.sample(3, generator=torch.Generator().manual_seed(4))
    loss = by_hand.meta_loss(batch)
    loss.backward()
    for p in by_hand.parameters():
        p.data -= 0.3 * p.grad
    assert history.loss == [loss.item()]
    torch.testing.assert_close(weights(learner), weights(by_hand))


def test_the_meta_loss_is_the_mean_over_tasks(float64):
    learner = small()
    batch = SOURCE.sample(7)
    single = [learner.meta_loss(batch[i : i + 1]) for i in range(7)]
    torch.testing.assert_close(learner.meta_loss(batch), torch.stack(single).mean())


# --- interruption ------------------------------------------------------------------

ITERATIONS = 9


def whole_run(learner, file, source=SOURCE, validation=SOURCE, **options):
    """Checkpoints after 3, 6 and 9 iterations; validations after 2, 4, 6, 8, 9."""
    return train(
        learner, source, iterations=ITERATIONS, checkpoint=file, checkpoint_every=3,
        validate_on=validation, validate_every=2, validation_tasks=5, seed=11,
        **options,
    )  # fmt: skip


def outcome(learner, history, file):
    """All that a run leaves behind, but for the time that it took."""
    state = load_checkpoint(file)
    del state["history"]["seconds"]
    kept = [history.loss, history.validation, history.best, weights(learner)]
    return {"kept": kept, "state": state}


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "dropout"])
def uninterrupted(request, tmp_path_factory):
    file = tmp_path_factory.mktemp("whole") / "run.ckpt"
    learner = small(dropout=request.param)
    history = whole_run(learner, file)
    assert history.iterations == ITERATIONS
    return request.param, outcome(learner, history, file)


def resumed(file, dropout):
    """What a new process does: another learner, another global state."""
    learner = small(seed=99, dropout=dropout)
    return learner, whole_run(learner, file, resume=True)


@pytest.mark.parametrize("calls", range(ITERATIONS))
def test_a_run_resumed_is_bit_identical(uninterrupted, tmp_path, calls):
    """Stopped before, at and between checkpoints, while drawing training tasks."""
    dropout, expected = uninterrupted
    file = tmp_path / "run.ckpt"
    with pytest.raises(Interrupted):
        whole_run(small(dropout=dropout), file, StopsAfter(SOURCE, calls))
    assert file.exists()  # one is written before the first iteration
    learner, history = resumed(file, dropout)
    assert same(outcome(learner, history, file), expected)


@pytest.mark.parametrize("calls", range(5))
def test_a_run_stopped_while_validating_resumes_bit_identical(
    uninterrupted, tmp_path, calls
):
    dropout, expected = uninterrupted
    file = tmp_path / "run.ckpt"
    validation = StopsAfter(SOURCE, calls)
    with pytest.raises(Interrupted):
        whole_run(small(dropout=dropout), file, validation=validation)
    learner, history = resumed(file, dropout)
    assert same(outcome(learner, history, file), expected)


def test_a_run_stopped_while_writing_resumes_bit_identical(
    uninterrupted, tmp_path, monkeypatch
):
    dropout, expected = uninterrupted
    file = tmp_path / "run.ckpt"
    rename, written = os.replace, []

    def second_fails(*paths):
        written.append(paths)
        if len(written) == 3:
            raise KeyboardInterrupt
        rename(*paths)

    monkeypatch.setattr(os, "replace", second_fails)
    with pytest.raises(KeyboardInterrupt):
        whole_run(small(dropout=dropout), file)
    assert len(load_checkpoint(file)["history"]["loss"]) == 3
    learner, history = resumed(file, dropout)
    assert same(outcome(learner, history, file), expected)


def test_a_run_stopped_again_and_again_is_bit_identical(uninterrupted, tmp_path):
    dropout, expected = uninterrupted
    file = tmp_path / "run.ckpt"
    for calls in (4, 5, 2):
        learner = small(seed=calls if file.exists() else 0, dropout=dropout)
        with pytest.raises(Interrupted):
            whole_run(learner, file, StopsAfter(SOURCE, calls), resume=True)
    learner, history = resumed(file, dropout)
    assert same(outcome(learner, history, file), expected)


def test_a_finished_run_is_not_trained_further(uninterrupted, tmp_path):
    dropout, expected = uninterrupted
    file = tmp_path / "run.ckpt"
    whole_run(small(dropout=dropout), file)
    learner = small(seed=99, dropout=dropout)
    history = whole_run(learner, file, StopsAfter(SOURCE, 0), resume=True)
    assert same(outcome(learner, history, file), expected)


def test_a_run_can_be_made_longer(tmp_path):
    long, short, file = small(), small(), tmp_path / "run.ckpt"
    whole = train(long, iterations=7)
    train(short, iterations=4, checkpoint=file)
    again = small(seed=3)
    history = train(again, iterations=7, checkpoint=file, resume=True)
    assert history.loss == whole.loss
    assert torch.equal(weights(again), weights(long))


def test_an_annealed_rate_falls_along_half_a_cosine_to_zero():
    learner = climber()
    climb(learner, 4, anneal=True)
    # the rates of the four steps: 1, cos²(π/8), cos²(π/4), cos²(3π/8)
    total = sum(math.cos(math.pi * i / 8) ** 2 for i in range(4))
    assert learner.model.theta.item() == pytest.approx(total, rel=1e-6)


def test_an_annealed_run_resumes_with_its_rate(tmp_path):
    whole, stopped, file = climber(), climber(), tmp_path / "run.ckpt"
    climb(whole, 6, anneal=True)
    with pytest.raises(Interrupted):
        source = StopsAfter(SOURCE, 3)
        options = {"checkpoint": file, "checkpoint_every": 1, "source": source}
        climb(stopped, 6, anneal=True, **options)
    again = climber()
    climb(again, 6, anneal=True, checkpoint=file, resume=True)
    assert torch.equal(weights(again), weights(whole))
    # over more iterations the rate would have been another from the start
    with pytest.raises(CheckpointError, match=r"annealed over = 6, this one has 7"):
        climb(climber(), 7, anneal=True, checkpoint=file, resume=True)


def test_a_longer_run_does_not_pass_for_a_shorter_one(tmp_path):
    file = tmp_path / "run.ckpt"
    train(small(), iterations=4, checkpoint=file)
    with pytest.raises(ValueError, match=r"4 .*2"):
        train(small(), iterations=2, checkpoint=file, resume=True)


def test_resume_without_a_file_yet_starts_a_run(tmp_path):
    plain, asked = small(), small()
    file = tmp_path / "a" / "b" / "run.ckpt"
    assert train(plain).loss == train(asked, checkpoint=file, resume=True).loss
    assert file.exists()


def test_an_existing_checkpoint_is_never_overwritten_unasked(tmp_path):
    file = tmp_path / "run.ckpt"
    train(small(), checkpoint=file)
    before = file.read_bytes()
    with pytest.raises(FileExistsError, match=r"run\.ckpt exists: pass resume=True"):
        train(small(), checkpoint=file)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"meta_batch": 4}, "meta_batch = 3, this one has 4"),
        ({"lr": 0.02}, r"lr = 0\.01, this one has 0\.02"),
        ({"seed": 1}, "seed = 0, this one has 1"),
        ({"optimizer": torch.optim.SGD}, "optimizer = 'Adam', this one has 'SGD'"),
        ({"validate_on": SOURCE}, "validates = False, this one has True"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(tmp_path, changed, message):
    file = tmp_path / "run.ckpt"
    train(small(), checkpoint=file)
    before, learner = file.read_bytes(), small(seed=1)
    untouched = weights(learner)
    with pytest.raises(CheckpointError, match=f"{message}: resume with the same"):
        train(learner, checkpoint=file, resume=True, **changed)
    assert file.read_bytes() == before
    assert torch.equal(weights(learner), untouched)


def test_a_checkpoint_of_another_learner_is_refused(tmp_path):
    file = tmp_path / "run.ckpt"
    train(small(), checkpoint=file)
    other = mt.JointPretraining(small().model, mt.mse)
    with pytest.raises(
        CheckpointError, match=r"learner = 'MAML', .*'JointPretraining'"
    ):
        train(other, checkpoint=file, resume=True)
    wider = mt.MAML(mt.models.mlp(1, 1, hidden=(7,)), mt.mse, 0.05, 2)
    with pytest.raises(CheckpointError, match=r"parameters = \[\[6, 1\]"):
        train(wider, checkpoint=file, resume=True)


@pytest.mark.parametrize(
    "changed", [{"inner_lr": 0.5}, {"inner_steps": 3}, {"first_order": True}]
)
def test_a_checkpoint_of_another_inner_loop_is_refused(tmp_path, changed):
    file = tmp_path / "run.ckpt"
    train(small(), checkpoint=file, iterations=2)
    other = small()
    vars(other).update(changed)
    with pytest.raises(CheckpointError, match=next(iter(changed))):
        train(other, checkpoint=file, resume=True, iterations=3)


def test_a_checkpoint_that_is_not_of_a_run_is_refused_by_name(tmp_path):
    file = tmp_path / "weights.ckpt"
    save_checkpoint(file, small().state_dict())
    with pytest.raises(CheckpointError, match=r"weights\.ckpt"):
        train(small(), checkpoint=file, resume=True)


def test_numbers_from_numpy_can_be_resumed(tmp_path):
    def numbers():
        learner = small()
        learner.inner_lr = np.float64(0.05)
        return learner

    options = {"seed": np.int64(3), "meta_batch": np.int64(3), "anneal": True}
    options |= {"iterations": np.int64(2), "checkpoint": tmp_path / "run.ckpt"}
    train(numbers(), **options)
    assert train(numbers(), resume=True, **options).iterations == 2


def test_a_rate_from_numpy_can_be_resumed(tmp_path):
    np = pytest.importorskip("numpy")
    file, lr = tmp_path / "run.ckpt", np.float64(0.01)
    train(small(), checkpoint=file, iterations=2, lr=lr)
    train(small(), checkpoint=file, iterations=3, lr=lr, resume=True)


def test_a_damaged_checkpoint_is_refused_and_left_as_it_is(tmp_path):
    file = tmp_path / "run.ckpt"
    train(small(), checkpoint=file)
    damaged = bytearray(file.read_bytes())
    damaged[-100] ^= 1
    file.write_bytes(damaged)
    with pytest.raises(CheckpointError, match="truncated or altered"):
        train(small(), checkpoint=file, resume=True)
    assert file.read_bytes() == damaged


# --- a meta-loss that stops being a number -----------------------------------------


def undefined_from(limit, value=math.nan):
    """The climber's loss, but ``value`` where θ exceeds ``limit``."""

    def loss(outputs, targets):
        bad = outputs.mean() > limit
        return torch.where(bad, torch.tensor(value), -outputs.mean())

    return loss


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_meta_loss_that_is_no_number_names_iteration_and_checkpoint(tmp_path, value):
    file = tmp_path / "run.ckpt"
    learner = climber(undefined_from(4.5, value))
    with pytest.raises(
        MetaLossError,
        match=rf"became {value} at iteration 5.*checkpoint is .*run\.ckpt "
        r"\(iteration 4\)",
    ):
        climb(learner, 10, checkpoint=file, checkpoint_every=2)
    before = file.read_bytes()
    with pytest.raises(MetaLossError, match=r"\(iteration 4\)"):
        climb(climber(undefined_from(4.5)), 10, checkpoint=file, resume=True)
    assert file.read_bytes() == before
    cured = climber()
    assert climb(cured, 10, checkpoint=file, resume=True).iterations == 10
    assert cured.model.theta.item() == 10


def test_without_a_good_checkpoint_the_message_says_so(tmp_path):
    with pytest.raises(MetaLossError, match="no checkpoint was asked for"):
        climb(climber(undefined_from(1.5)), 10)
    file = tmp_path / "run.ckpt"
    with pytest.raises(MetaLossError, match=r"run\.ckpt \(iteration 0\)"):
        climb(climber(undefined_from(1.5)), 10, checkpoint=file, checkpoint_every=5)


def infinite_slope_at(limit):
    """The climber's loss, finite everywhere, with a NaN for gradient at ``limit``."""
    return lambda outputs, targets: (
        (outputs.mean() - limit).square().sqrt() * 0 - outputs.mean()
    )


def test_parameters_that_are_no_numbers_are_never_saved(tmp_path):
    file = tmp_path / "run.ckpt"
    with pytest.raises(MetaLossError, match=r"\(iteration 2\)"):
        climb(climber(infinite_slope_at(3)), 4, checkpoint=file, checkpoint_every=2)
    assert load_checkpoint(file)["learner"]["model.theta"].item() == 2


def test_a_run_never_ends_with_parameters_that_are_no_numbers():
    with pytest.raises(MetaLossError):
        climb(climber(infinite_slope_at(3)), 4)


# --- validation --------------------------------------------------------------------


def distance(outputs, targets):
    """How far θ is from 6."""
    return (outputs - 6).abs().mean()


@pytest.mark.parametrize("higher", [False, True])
def test_validation_keeps_the_best_parameters(higher):
    metric = (lambda o, t: -distance(o, t)) if higher else distance
    learner = climber()
    history = climb(
        learner, 10, validate_on=SOURCE, validate_every=2, validation_tasks=3,
        metric=metric, higher_is_better=higher,
    )  # fmt: skip
    assert [at for at, _, _ in history.validation] == [2, 4, 6, 8, 10]
    assert [abs(mean) for _, mean, _ in history.validation] == [4, 2, 0, 2, 4]
    assert history.best == 6
    assert learner.model.theta.item() == 6
    assert not history.stopped_early


@pytest.mark.parametrize(("patience", "end"), [(1, 8), (2, 10), (3, 12), (9, 20)])
def test_early_stopping_leaves_the_best_parameters(tmp_path, patience, end):
    options = {
        "validate_on": SOURCE,
        "validate_every": 2,
        "validation_tasks": 3,
        "metric": distance,
        "patience": patience,
        "checkpoint": tmp_path / "run.ckpt",
    }
    learner = climber()
    history = climb(learner, 20, **options)
    assert history.iterations == end
    assert history.stopped_early == (end < 20)
    assert history.best == 6
    assert learner.model.theta.item() == 6
    again = climber()
    assert climb(again, 20, resume=True, **options).iterations == end
    assert again.model.theta.item() == 6


@pytest.mark.parametrize("calls", range(1, 9))
def test_patience_is_counted_across_an_interruption(tmp_path, calls):
    """θ is best after 6 iterations: with a patience of 3, the end is 9 either way."""
    options = {
        "validate_on": SOURCE,
        "validate_every": 1,
        "validation_tasks": 3,
        "metric": distance,
        "patience": 3,
        "checkpoint": tmp_path / "run.ckpt",
        "checkpoint_every": 1,
    }
    with pytest.raises(Interrupted):
        train(climber(), StopsAfter(SOURCE, calls), iterations=20, lr=1.0,
              optimizer=torch.optim.SGD, **options)  # fmt: skip
    learner = climber()
    history = climb(learner, 20, resume=True, **options)
    assert (history.iterations, history.best) == (9, 6)
    assert learner.model.theta.item() == 6


def test_the_end_is_always_validated():
    history = climb(climber(), 5, validate_on=SOURCE, validate_every=3, metric=distance)
    assert [at for at, _, _ in history.validation] == [3, 5]


def level(outputs, targets):
    """A score of the tasks alone, whatever the learner."""
    return targets.mean()


def test_every_validation_is_on_the_same_tasks():
    """Tasks that training never draws, and a draw that training never feels."""
    history = train(small(), validate_on=SOURCE, validate_every=2, metric=level)
    means = [mean for _, mean, _ in history.validation]
    assert len(means) == 3
    assert len(set(means)) == 1
    assert history.loss == train(small()).loss
    trained_on = SOURCE.sample(200, torch.Generator().manual_seed(0)).query_y.mean()
    assert means[0] != pytest.approx(trained_on.item())


@pytest.mark.parametrize("seed", [0, 4])
def test_validation_can_be_repeated_after_training(seed):
    """Chapter 16 does: the validation tasks of a seed are those of another."""
    learner = small()
    history = train(
        learner, seed=seed, validate_on=SOURCE, validate_every=6, validation_tasks=5
    )
    again = mt.meta_evaluate(learner, SOURCE, tasks=5, seed=seed + 1_000_003)
    assert history.validation[-1][1] == pytest.approx(again.mean)


# --- evaluation --------------------------------------------------------------------


def test_evaluation_leaves_the_learner_as_it_was():
    learner = small()
    before = weights(learner)
    mt.meta_evaluate(learner, SOURCE, tasks=10, steps=5)
    assert torch.equal(weights(learner), before)
    assert all(p.grad is None and p.requires_grad for p in learner.parameters())
    assert learner.training


def test_the_same_seed_gives_every_learner_the_same_tasks():
    other = mt.FromScratch(mt.models.mlp(1, 1), mt.mse, inner_lr=0.3, inner_steps=4)

    def drawn(learner, seed):
        torch.manual_seed(id(learner) % 1000)
        return mt.meta_evaluate(learner, SOURCE, tasks=9, seed=seed, metric=level)

    assert torch.equal(drawn(small(), 1).per_task, drawn(other, 1).per_task)
    assert not torch.equal(drawn(small(), 1).per_task, drawn(small(), 2).per_task)


def test_evaluation_is_adapting_to_each_task_and_scoring_its_queries(float64):
    learner = small()
    found = mt.meta_evaluate(learner, SOURCE, tasks=6, steps=3, seed=8, chunk=4)
    batch = SOURCE.sample(6, torch.Generator().manual_seed(8))
    by_hand = [
        mt.mse(learner.adapt(sx, sy, steps=3)(qx), qy) for sx, sy, qx, qy in batch
    ]
    torch.testing.assert_close(found.per_task, torch.stack(by_hand))
    assert found.metric == "mse_loss"


def test_evaluation_is_the_same_every_time_with_dropout_too():
    learner = small(dropout=True)
    first, second = (mt.meta_evaluate(learner, SOURCE, tasks=9) for _ in range(2))
    assert torch.equal(first.per_task, second.per_task)


def test_a_task_on_which_adaptation_diverges_scores_infinite():
    learner = small()
    learner.inner_lr = 1e30
    result = mt.meta_evaluate(learner, SOURCE, tasks=5, steps=8)
    assert result.mean == math.inf
    assert result.diverged >= 1


def test_a_metric_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="5 of 5 tasks scored NaN"):
        mt.meta_evaluate(
            small(), SOURCE, tasks=5, metric=lambda o, t: (o * math.nan).mean()
        )


# --- bad settings ------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, -1, 2.0, True, "3", None])
@pytest.mark.parametrize(
    "name",
    ["iterations", "meta_batch", "validate_every", "validation_tasks",
     "checkpoint_every"],
)  # fmt: skip
def test_counts_below_one_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=rf"^{name} is {value!r}: a whole number"):
        train(small(), **{name: value})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": 0.0}, r"lr is 0\.0: a finite number above 0"),
        ({"lr": -0.1}, r"lr is -0\.1"),
        ({"lr": math.nan}, "lr is nan"),
        ({"lr": math.inf}, "lr is inf"),
        ({"patience": 0, "validate_on": SOURCE}, "patience is 0"),
        ({"patience": 2}, "patience counts validations: give validate_on too"),
        ({"resume": True}, "resume needs the checkpoint to resume from"),
    ],
)
def test_settings_that_make_no_sense_are_named(options, message):
    learner = small()
    before = weights(learner)
    with pytest.raises(ValueError, match=message):
        train(learner, **options)
    assert torch.equal(weights(learner), before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tasks": 1}, "tasks is 1: an interval over tasks needs at least 2"),
        ({"tasks": 0}, "tasks is 0: a whole number"),
        ({"tasks": True}, "tasks is True: a whole number"),
        ({"steps": -1}, "steps is -1: a whole number of at least 0"),
        ({"chunk": 0}, "chunk is 0: a whole number"),
    ],
)
def test_evaluations_that_make_no_sense_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        mt.meta_evaluate(small(), SOURCE, **options)


# --- what is seen ------------------------------------------------------------------


def printed(options="", **environment):
    """What a short run prints, in a process of its own: tqdm reads variables once."""
    program = f"""
import metatutor as mt
learner = mt.NoAdaptation(mt.models.mlp(1, 1), mt.mse)
mt.meta_train(learner, mt.data.Sinusoid(), iterations=2, {options})
"""
    around = {k: v for k, v in os.environ.items() if k != "TQDM_DISABLE"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, env=around | environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_the_progress_bar_is_there_by_default():
    assert "meta-train" in printed()


def test_without_progress_nothing_is_printed():
    assert printed("progress=False") == ""


def test_the_progress_bar_can_be_switched_off_from_outside():
    """As the book does, so that no bar is stored in a notebook."""
    assert printed(TQDM_DISABLE="1") == ""


def test_a_history_says_how_far_it_came():
    history = train(small())
    assert history.iterations == len(history.loss) == 6
    assert repr(history).startswith("History(6 iterations, last meta-loss ")
    assert history.seconds > 0
    assert repr(mt.History()) == "History(0 iterations)"
