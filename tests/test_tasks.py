"""What a task promises, and how episodes are drawn."""

from collections import Counter
from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import metatutor as mt
from metatutor.tasks import TaskBatch


def parts(**changed):
    """The tensors of two sound tasks, 3 support and 4 query examples of width 5."""
    sound = {
        "support_x": torch.randn(2, 3, 5),
        "support_y": torch.randn(2, 3),
        "query_x": torch.randn(2, 4, 5),
        "query_y": torch.randn(2, 4),
    }
    return sound | changed


def with_value(value, at, *shape):
    tensor = torch.zeros(*shape)
    tensor[at] = value
    return tensor


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        (
            {"support_y": torch.zeros(2, 4)},
            ValueError,
            r"support_x has shape \(2, 3, 5\) and support_y \(2, 4\): .*must agree",
        ),
        (
            {"query_y": torch.zeros(1, 4)},
            ValueError,
            r"query_x has shape \(2, 4, 5\) and query_y \(1, 4\)",
        ),
        (
            {"query_x": torch.zeros(3, 4, 5), "query_y": torch.zeros(3, 4)},
            ValueError,
            "support holds 2 tasks and query holds 3: both need the same tasks",
        ),
        (
            {"query_x": torch.zeros(2, 4, 6)},
            ValueError,
            r"support_x has examples of shape \(5,\) and query_x of \(6,\)",
        ),
        (
            {"query_y": torch.zeros(2, 4, 1)},
            ValueError,
            r"support_y has examples of shape \(\) and query_y of \(1,\)",
        ),
        (
            {"support_x": with_value(torch.nan, (1, 2, 0), 2, 3, 5)},
            ValueError,
            r"support_x holds 1 values .*NaN or infinite.* index \(1, 2, 0\)",
        ),
        (
            {"query_y": with_value(-torch.inf, (0, 3), 2, 4)},
            ValueError,
            r"query_y holds 1 values .*first at index \(0, 3\): clean the data",
        ),
        (
            {"support_x": torch.zeros(2, 0, 5), "support_y": torch.zeros(2, 0)},
            ValueError,
            r"support_x has shape \(2, 0, 5\): it holds no example",
        ),
        (
            {name: tensor[:0] for name, tensor in parts().items()},
            ValueError,
            "holds no example",
        ),
        (
            {"support_y": torch.zeros(2)},
            ValueError,
            r"support_y has shape \(2,\): \(tasks, examples, …\) is needed",
        ),
        (
            {"query_x": [[0.0]]},
            TypeError,
            r"query_x is a list: a torch\.Tensor is needed",
        ),
        (
            {"truth": {"slope": torch.zeros(3)}},
            ValueError,
            r"truth\['slope'\] has shape \(3,\): one row for each of the 2 tasks",
        ),
    ],
)
def test_tensors_that_do_not_make_tasks_are_refused(changed, error, message):
    with pytest.raises(error, match=message):
        TaskBatch(**parts(**changed))


def test_a_batch_is_its_tasks_in_order():
    batch = TaskBatch(**parts(), truth={"slope": torch.tensor([1.0, 2.0])})
    assert len(batch) == 2
    for i, task in enumerate(batch):
        assert torch.equal(task.support_x, batch.support_x[i])
        assert torch.equal(task.support_y, batch.support_y[i])
        assert torch.equal(batch[i].query_x, batch.query_x[i])
        assert torch.equal(batch[i].query_y, batch.query_y[i])
    second = batch[1:]
    assert len(second) == 1
    assert torch.equal(second.query_x, batch.query_x[1:])
    assert second.truth["slope"].tolist() == [2.0]
    assert batch.to("cpu") is batch


@pytest.mark.parametrize(("support", "query"), [(1, 2), (2, 1)])
def test_support_and_query_hold_the_same_tasks(support, query):
    one, other = torch.zeros(support, 3, 1), torch.zeros(query, 3, 1)
    message = f"support holds {support} tasks and query holds {query}"
    with pytest.raises(ValueError, match=message):
        TaskBatch(one, one, other, other)


def test_labels_and_values_to_regress_do_not_mix():
    x = torch.zeros(2, 3, 1)
    labels, values = torch.zeros(2, 3).long(), torch.zeros(2, 3)
    for support, query in ((labels, values), (values, labels)):
        with pytest.raises(ValueError, match=r"support_y holds .* one kind of number"):
            TaskBatch(x, support, x, query)


def test_a_slice_runs_forwards():
    batch = TaskBatch(**parts())
    assert torch.equal(batch[::1].query_x, batch.query_x)
    assert torch.equal(batch[::2].query_x, batch.query_x[:1])
    for step in (0, -1):
        with pytest.raises(ValueError, match=f"a step of {step} is refused"):
            batch[::step]


@pytest.mark.parametrize("index", [2, 3, 9, -3, -9])
def test_a_task_that_is_not_there_is_named(index):
    batch = TaskBatch(**parts())
    assert torch.equal(batch[-2].query_x, batch.query_x[0])
    with pytest.raises(IndexError, match=f"there is no task {index} among 2"):
        batch[index]


def numbered(classes, per_class):
    """Example e of class c is the number 1000 c + e: every draw can be traced."""
    return 1000 * torch.arange(classes)[:, None] + torch.arange(per_class)


@settings(max_examples=60, deadline=None)
@given(
    ways=st.integers(1, 6),
    shots=st.integers(1, 4),
    queries=st.integers(1, 4),
    spare_classes=st.integers(0, 3),
    spare_examples=st.integers(0, 3),
    tasks=st.integers(1, 4),
    seed=st.integers(0, 2**31),
)
def test_every_episode_is_sound(
    ways, shots, queries, spare_classes, spare_examples, tasks, seed
):
    """N different classes, no example twice, and one label for each class."""
    examples = numbered(ways + spare_classes, shots + queries + spare_examples)
    source = mt.Episodes(examples, ways, shots, queries)
    batch = source.sample(tasks, generator=torch.Generator().manual_seed(seed))
    assert len(batch) == tasks
    for classes, task in zip(batch.truth["classes"], batch, strict=True):
        assert len(set(classes.tolist())) == ways
        drawn = task.support_x.tolist() + task.query_x.tolist()
        assert len(set(drawn)) == len(drawn) == ways * (shots + queries)
        for x, y, count in (
            (task.support_x, task.support_y, shots),
            (task.query_x, task.query_y, queries),
        ):
            assert Counter(y.tolist()) == dict.fromkeys(range(ways), count)
            assert torch.equal(x // 1000, classes[y])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), other=st.integers(0, 2**31))
def test_the_generator_is_the_only_randomness(seed, other):
    source = mt.Episodes(numbered(20, 20), ways=5, shots=2, queries=3)

    def draw(global_seed):
        torch.manual_seed(global_seed)
        state = torch.get_rng_state()
        batch = source.sample(3, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(torch.get_rng_state(), state)
        return batch.tensors

    again = zip(draw(seed), draw(other), strict=True)
    assert all(torch.equal(first, second) for first, second in again)


def test_another_seed_draws_another_episode():
    source = mt.Episodes(numbered(20, 20), ways=5, shots=2, queries=3)
    draws = [
        tuple(source.sample(1, torch.Generator().manual_seed(s)).support_x[0].tolist())
        for s in range(20)
    ]
    assert len(set(draws)) == 20


def test_without_a_generator_the_global_seed_decides():
    source = mt.Episodes(numbered(20, 20), ways=5, shots=2, queries=3)
    torch.manual_seed(3)
    first = source.sample(2).support_x
    assert not torch.equal(source.sample(2).support_x, first)
    torch.manual_seed(3)
    assert torch.equal(source.sample(2).support_x, first)


def test_every_order_of_the_labels_is_as_likely():
    """A class has no label of its own: all 3! orders come up, equally often."""
    classes = mt.Episodes(numbered(3, 2), 3, 1, 1).sample(1200).truth["classes"]
    counts = Counter(tuple(order) for order in classes.tolist())
    assert set(counts) == set(permutations(range(3)))
    # 200 expected, standard deviation 13
    assert all(140 < count < 260 for count in counts.values())


def test_every_class_and_every_example_is_as_likely():
    batch = mt.Episodes(numbered(5, 4), ways=2, shots=1, queries=2).sample(2000)
    counts = Counter(batch.support_x.flatten().tolist())
    assert len(counts) == 20
    # 4000 draws of 20 examples: 200 expected, standard deviation 14
    assert all(130 < count < 270 for count in counts.values())


def test_each_class_of_an_episode_draws_its_own_examples():
    """Not one set of example numbers, used for every class of the episode."""
    drawn = mt.Episodes(numbered(2, 10), 2, 1, 1).sample(1000).support_x % 1000
    same = (drawn[:, 0] == drawn[:, 1]).double().mean().item()
    assert same == pytest.approx(1 / 10, abs=0.04)


def test_examples_of_any_shape_and_type_are_kept_as_they_are():
    images = torch.randint(0, 255, (4, 6, 1, 8, 9), dtype=torch.uint8)
    batch = mt.Episodes(images, ways=3, shots=2, queries=1).sample(2)
    assert batch.support_x.shape == (2, 6, 1, 8, 9)
    assert batch.support_x.dtype == torch.uint8
    of_class = images[batch.truth["classes"][0, 1]]  # what episode 0 calls class 1
    second = batch[0].support_x[batch[0].support_y == 1]
    assert all((of_class == image).flatten(1).all(1).any() for image in second)


@pytest.mark.parametrize(
    ("ways", "shots", "queries", "message"),
    [
        (5, 1, 1, "5 ways asked for, but there are 4 classes"),
        (2, 3, 4, r"3 shots \+ 4 queries need 7 examples a class, .* there are 6"),
        (0, 1, 1, "ways is 0: a whole number of at least 1"),
        (2, -1, 1, "shots is -1: a whole number of at least 1"),
        (2, 1, 1.0, r"queries is 1\.0: a whole number of at least 1"),
        (True, 1, 1, "ways is True: a whole number of at least 1"),
    ],
)
def test_episodes_that_cannot_be_drawn_are_refused(ways, shots, queries, message):
    with pytest.raises(ValueError, match=message):
        mt.Episodes(numbered(4, 6), ways, shots, queries)


def test_examples_that_cannot_be_drawn_from_are_refused():
    with pytest.raises(ValueError, match=r"\(classes, examples per class, …\), not"):
        mt.Episodes(torch.zeros(9), 2, 1, 1)
    with pytest.raises(ValueError, match=r"examples holds 1 .*index \(2, 1, 3\)"):
        mt.Episodes(with_value(torch.nan, (2, 1, 3), 4, 6, 5), 2, 1, 1)


def test_examples_that_are_no_tensor_are_refused():
    with pytest.raises(TypeError, match=r"torch\.Tensor is needed"):
        mt.Episodes([[0.0, 1.0], [2.0, 3.0]], 2, 1, 1)


# --- groups ------------------------------------------------------------------------


def grouped():
    """Ten classes in three groups of unequal size, not in the order of the groups."""
    return mt.Episodes(numbered(10, 5), 2, 1, 2, groups=list("abcacbcccc"))


@settings(max_examples=30, deadline=None)
@given(
    groups=st.lists(st.sampled_from("abc"), min_size=1, max_size=12),
    ways=st.integers(1, 3),
    seed=st.integers(0, 2**31),
)
def test_every_episode_stays_within_one_group(groups, ways, seed):
    kept = [name for name in groups if groups.count(name) >= ways]
    if not kept:
        return
    source = mt.Episodes(numbered(len(kept), 4), ways, 1, 2, groups=kept)
    batch = source.sample(5, generator=torch.Generator().manual_seed(seed))
    for classes, task in zip(batch.truth["classes"].tolist(), batch, strict=True):
        assert len(set(classes)) == ways
        assert len({kept[c] for c in classes}) == 1
        x = torch.cat([task.support_x, task.query_x])
        y = torch.cat([task.support_y, task.query_y])
        assert len(set(x.tolist())) == 3 * ways
        assert (x // 1000).tolist() == [classes[label] for label in y.tolist()]


def test_every_group_is_as_likely_whatever_its_size():
    """And within a group every order of every pair of classes."""
    classes = grouped().sample(1800).truth["classes"]
    drawn = ["abcacbcccc"[first] for first in classes[:, 0].tolist()]
    # 600 expected, standard deviation 20
    assert all(520 < drawn.count(group) < 680 for group in "abc")
    pairs = Counter(tuple(row) for row in classes.tolist() if row[0] in (0, 3))
    # the group a: 300 each expected, standard deviation 16
    assert set(pairs) == {(0, 3), (3, 0)}
    assert all(240 < count < 360 for count in pairs.values())


def test_the_generator_is_the_only_randomness_within_groups():
    source = grouped()

    def draw(global_seed, seed=7):
        torch.manual_seed(global_seed)
        state = torch.get_rng_state()
        batch = source.sample(6, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(torch.get_rng_state(), state)
        return batch.support_x

    assert torch.equal(draw(0), draw(1))
    assert not torch.equal(draw(0), draw(0, seed=8))


def test_one_group_of_all_classes_is_no_restriction():
    source = mt.Episodes(numbered(4, 3), 4, 1, 1, groups=["all"] * 4)
    assert sorted(source.sample(1).truth["classes"][0].tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("groups", "ways", "message"),
    [
        (["a", "a", "b"], 2, "groups names 3 classes, but there are 4: one group for"),
        ([], 2, "groups names 0 classes, but there are 4"),
        (["a"] * 5, 2, "groups names 5 classes, but there are 4"),
        (
            ["Latin", "Latin", "Latin", "Greek"],
            2,
            "2 ways within one group asked for, but Greek has 1 classes: .*fewer ways",
        ),
    ],
)
def test_groups_that_cannot_be_drawn_from_are_refused(groups, ways, message):
    with pytest.raises(ValueError, match=message):
        mt.Episodes(numbered(4, 6), ways, 1, 1, groups=groups)


# --- augment -----------------------------------------------------------------------


def test_augment_changes_what_is_drawn_and_nothing_else():
    examples = numbered(6, 5)
    plain = mt.Episodes(examples, 3, 1, 2)
    changed = mt.Episodes(examples, 3, 1, 2, augment=lambda x, _: -x)
    first, second = (
        source.sample(4, generator=torch.Generator().manual_seed(0))
        for source in (plain, changed)
    )
    assert torch.equal(second.support_x, -first.support_x)
    assert torch.equal(second.query_x, -first.query_x)
    assert torch.equal(second.support_y, first.support_y)
    assert torch.equal(second.query_y, first.query_y)
    assert torch.equal(second.truth["classes"], first.truth["classes"])


def test_augment_gets_all_examples_of_a_task_and_the_generator():
    """Support and query together: ``(tasks, ways, shots + queries, …)``."""
    seen = []

    def spy(x, generator):
        seen.append((tuple(x.shape), generator))
        return x

    generator = torch.Generator()
    source = mt.Episodes(torch.zeros(6, 5, 1, 8, 8), 3, 1, 2, augment=spy)
    source.sample(4, generator=generator)
    source.sample(4)
    assert seen == [((4, 3, 3, 1, 8, 8), generator), ((4, 3, 3, 1, 8, 8), None)]


def test_several_are_applied_in_their_order():
    def plus_one(x, _):
        return x + 1

    def double(x, _):
        return 2 * x

    examples = torch.zeros(3, 2)
    for augment, expected in (
        ([plus_one, double], 2),
        ((double, plus_one), 1),
        ([plus_one, None, plus_one], 2),
        ([], 0),
        (None, 0),
    ):
        batch = mt.Episodes(examples, 3, 1, 1, augment=augment).sample(2)
        assert set(batch.support_x.flatten().tolist()) == {expected}


def test_an_augment_that_works_in_place_leaves_the_stored_examples():
    examples = torch.randn(6, 5, 2)
    before = examples.clone()
    source = mt.Episodes(examples, 3, 1, 2, augment=lambda x, _: x.zero_())
    assert source.sample(4).support_x.abs().sum() == 0
    assert torch.equal(source.examples, before)
    assert torch.equal(examples, before)


def test_an_augment_that_makes_nan_is_refused():
    source = mt.Episodes(torch.ones(6, 5), 3, 1, 2, augment=lambda x, _: x / 0 - x / 0)
    with pytest.raises(ValueError, match=r"support_x holds .* NaN or infinite"):
        source.sample(1)


# --- aligned -----------------------------------------------------------------------


def test_aligned_classes_give_the_same_examples_by_number():
    source = mt.Episodes(numbered(6, 9), 3, 1, 2, aligned=True)
    batch = source.sample(200, generator=torch.Generator().manual_seed(0))
    for classes, task in zip(batch.truth["classes"], batch, strict=True):
        hands = [
            [(x % 1000).item() for x in task.support_x[task.support_y == k]]
            + [(x % 1000).item() for x in task.query_x[task.query_y == k]]
            for k in range(3)
        ]
        assert hands[0] == hands[1] == hands[2]
        assert len(set(hands[0])) == 3
        assert torch.equal(task.query_x // 1000, classes[task.query_y])
    # tasks draw their numbers independently: 9 of them, each about as often
    first = Counter((batch.support_x[:, 0] % 1000).tolist())
    assert set(first) == set(range(9))


# --- mixtures ----------------------------------------------------------------------


def test_each_task_of_a_mixture_is_of_one_source_as_often_as_weighted():
    """Whole tasks: no source gives a part of another's."""
    sources = [mt.Episodes(numbered(4, 5) + at, 2, 1, 2) for at in (0, 10**6)]
    mixture = mt.Mixture(sources, [1.0, 3.0])
    batch = mixture.sample(1000, generator=torch.Generator().manual_seed(0))
    assert len(batch) == 1000
    drawn = torch.cat([batch.support_x, batch.query_x], 1) // 10**6
    assert torch.equal(drawn.amin(1), drawn.amax(1))
    # standard deviation 0.014
    assert drawn[:, 0].double().mean().item() == pytest.approx(0.75, abs=0.05)


def test_a_mixture_draws_from_its_generator_alone():
    mixture = mt.Mixture([mt.Episodes(numbered(9, 5), 2, 1, 2), grouped()])

    def draw(global_seed, seed=7):
        torch.manual_seed(global_seed)
        state = torch.get_rng_state()
        batch = mixture.sample(5, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(torch.get_rng_state(), state)
        return batch.query_x

    assert torch.equal(draw(0), draw(1))
    assert not torch.equal(draw(0), draw(0, seed=8))


@pytest.mark.parametrize(
    ("count", "weights", "message"),
    [
        (0, None, "0 sources and 0 weights: at least one source is needed"),
        (2, [1.0], "2 sources and 1 weights: .* a weight for each"),
        (2, [1.0, 0.0], r"weights are \[1\.0, 0\.0\]: finite numbers above 0"),
        (2, [1.0, 1e-60], r"weights are .*1e-60\]: beyond what a tensor holds"),
        (2, [3e38, 3e38], r"weights are .*3e\+38\]: beyond what a tensor holds"),
        (2, [1.0, float("nan")], "finite numbers above 0 are needed"),
        (2, [1.0, float("inf")], "finite numbers above 0 are needed"),
    ],
)
def test_mixtures_that_cannot_be_drawn_from_are_refused(count, weights, message):
    with pytest.raises(ValueError, match=message):
        mt.Mixture([grouped()] * count, weights)


@pytest.mark.parametrize("sources", [mt.data.Sinusoid(), {mt.data.Sinusoid()}, ["x"]])
def test_a_mixture_is_of_a_list_of_sources(sources):
    with pytest.raises(TypeError, match="a list of TaskSource is needed"):
        mt.Mixture(sources)


# --- what is refused -----------------------------------------------------------------


@pytest.mark.parametrize("n", [0, -3, 2.0, True, None])
def test_a_number_of_tasks_that_is_none_is_refused(n):
    for source in (mt.Episodes(numbered(4, 6), 2, 1, 1), mt.data.Sinusoid()):
        with pytest.raises(ValueError, match=f"n is {n!r}: a whole number of at least"):
            source.sample(n)


def test_a_query_label_that_no_support_example_has_is_refused():
    x = torch.zeros(2, 3, 1)
    support, query = torch.tensor([[0, 1, 2]] * 2), torch.tensor([[0, 1, 3]] * 2)
    with pytest.raises(ValueError, match=r"query_y holds .* 3: a task has 0 to 2"):
        mt.TaskBatch(x, support, x, query)
    with pytest.raises(ValueError, match="support_y holds labels -1 to 1"):
        mt.TaskBatch(x, support - 1, x, support)
    learner = mt.MAML(mt.models.mlp(1, 3), mt.cross_entropy)
    with pytest.raises(ValueError, match="support_y holds labels -100 to 2"):
        learner.adapt(x[0], torch.tensor([0, 2, -100]))


def test_targets_without_a_number_are_refused():
    x, y = torch.zeros(2, 3, 1), torch.zeros(2, 3, 0)
    with pytest.raises(ValueError, match=r"shape \(2, 3, 0\): it holds no target"):
        mt.TaskBatch(x, torch.zeros(2, 3, 1), x, y)
