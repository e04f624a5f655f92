"""Changed images: what is drawn, what is kept, and what is never touched."""

import math

import pytest
import torch

import metatutor as mt
from metatutor.data.augment import turn, warp

BOTH = pytest.mark.parametrize("augment", [turn, warp])


def images(tasks=3, ways=4, each=2):
    """Noise in [0, 1]: no image looks like another, nor like itself turned."""
    return torch.rand(tasks, ways, each, 1, 28, 28)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def blobs(n):
    """A soft round blob in the middle of each image: ``(1, 1, n, 1, 28, 28)``."""
    at = torch.arange(28) - 13.5
    blob = torch.exp(-(at[:, None] ** 2 + at[None] ** 2) / 18)
    return blob.expand(1, 1, n, 1, 28, 28)


@BOTH
def test_the_generator_is_the_only_randomness(augment):
    x = images()

    def draw(global_seed, seed=7):
        torch.manual_seed(global_seed)
        state = torch.get_rng_state()
        changed = augment(x, seeded(seed))
        assert torch.equal(torch.get_rng_state(), state)
        return changed

    assert torch.equal(draw(0), draw(1))
    assert not all(torch.equal(draw(0), draw(0, seed)) for seed in (8, 9, 10))


@BOTH
def test_without_a_generator_the_global_seed_decides(augment):
    x = images(tasks=8)
    torch.manual_seed(3)
    first = augment(x)
    assert not torch.equal(augment(x), first)
    torch.manual_seed(3)
    assert torch.equal(augment(x), first)


@BOTH
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shape_type_and_range_are_kept(augment, dtype):
    for shape in [(3, 4, 2, 1, 28, 28), (1, 1, 1, 1, 28, 28), (2, 3, 1, 3, 12, 12)]:
        changed = augment(torch.rand(shape, dtype=dtype), seeded())
        assert changed.shape == shape
        assert changed.dtype == dtype
        assert changed.min() >= 0
        assert changed.max() <= 1 + 1e-6


@BOTH
def test_the_images_given_are_not_changed(augment):
    x = images()
    before = x.clone()
    changed = augment(x, seeded())
    assert torch.equal(x, before)
    changed.zero_()  # nor are they changed through what was returned
    assert torch.equal(x, before)


@BOTH
def test_images_in_any_layout_of_memory_are_taken(augment):
    x = images()
    flipped = x.transpose(0, 1).contiguous().transpose(0, 1)
    assert not flipped.is_contiguous()
    assert torch.equal(augment(flipped, seeded()), augment(x, seeded()))


# --- turn ------------------------------------------------------------------------


def quarter(before, after):
    """By how many quarters a task was turned, if all its images were."""
    fits = [k for k in range(4) if torch.equal(torch.rot90(before, k, (-2, -1)), after)]
    assert len(fits) == 1
    return fits[0]


def test_a_task_is_turned_as_a_whole_and_each_quarter_is_as_likely():
    x = images(tasks=1200, ways=2, each=2)[..., ::4, ::4]
    turned = turn(x, seeded())
    quarters = [quarter(*pair) for pair in zip(x, turned, strict=True)]
    # 300 expected, standard deviation 15
    assert all(240 < quarters.count(k) < 360 for k in range(4))


def test_support_and_query_are_turned_alike():
    """Letters that look the same still do: turning is of the task, not of a set."""
    twice = images(tasks=1, ways=5, each=1).expand(1, 5, 4, 1, 28, 28)[0]
    source = mt.Episodes(twice, ways=5, shots=1, queries=3, augment=turn)
    batch = source.sample(20, seeded())
    for task in batch:
        for x, y in zip(task.query_x, task.query_y, strict=True):
            assert torch.equal(x, task.support_x[task.support_y == y][0])


# --- warp ------------------------------------------------------------------------


def test_a_warp_of_no_strength_changes_nothing(float64):
    x = images()
    torch.testing.assert_close(warp(x, seeded(), strength=0.0), x, rtol=0, atol=1e-12)
    single = x.float()
    torch.testing.assert_close(
        warp(single, seeded(), strength=0.0), single, rtol=0, atol=1e-5
    )


def test_a_weak_warp_changes_little_and_a_strong_one_more():
    x = blobs(200)
    moved = [
        (warp(x, seeded(), strength=s) - x).abs().mean().item() for s in (0.1, 0.5, 1.0)
    ]
    assert 0 < moved[0] < moved[1] < moved[2]
    assert moved[0] < 0.25 * moved[2]


def test_each_image_is_warped_in_its_own_way():
    warped = warp(blobs(30), seeded())[0, 0]
    assert len({tuple(image.flatten().tolist()) for image in warped}) == 30


def test_one_image_alone_is_warped_too():
    x = blobs(1)
    assert (warp(x, seeded()) - x).abs().max() > 0.05


def test_warps_are_as_large_as_stated_and_lean_nowhere(float64):
    """How a blob moves: shift 8 % and bend 6 % of half the image, in both axes."""
    warped = warp(blobs(4000), seeded())[0, 0, :, 0]
    at = (torch.arange(28) - 13.5) / 14  # in halves of the image
    mass = warped.sum((1, 2))
    for axis in (1, 2):
        middle = (warped.sum(3 - axis) * at).sum(1) / mass
        assert abs(middle.mean().item()) < 0.01
        assert middle.std().item() == pytest.approx(math.hypot(0.08, 0.06), rel=0.15)


def test_what_is_moved_in_from_outside_is_paper():
    warped = warp(torch.ones(1, 1, 500, 1, 28, 28), seeded())
    corners = warped[..., [0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.min() == 0  # not the edge's ink, repeated
    assert warped[..., 13:15, 13:15].min() > 1 - 1e-5


# --- in a source -----------------------------------------------------------------


def test_a_source_changes_what_it_draws_and_never_what_it_holds():
    source = mt.data.Glyphs("val", augment=[turn, warp])
    plain = mt.data.Glyphs("val")
    before = source.examples.clone()
    changed = source.sample(20, seeded())
    assert torch.equal(source.examples, before)
    drawn = plain.sample(20, seeded())
    assert torch.equal(changed.truth["classes"], drawn.truth["classes"])
    assert torch.equal(changed.support_y, drawn.support_y)
    assert not torch.equal(changed.support_x, drawn.support_x)
    assert changed.support_x.shape == drawn.support_x.shape
