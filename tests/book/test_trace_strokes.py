"""From pictures to strokes: `book/trace_strokes.py`."""

from itertools import pairwise

import numpy as np
import pytest
from trace_strokes import connections, length, trace, walks

from metatutor.data.glyphs import load_letters


def picture(*rows: str) -> np.ndarray:
    return np.array([[letter == "#" for letter in row] for row in rows])


def test_a_cross_is_two_strokes_that_cross():
    image = np.zeros((15, 15))
    image[7, 2:13] = image[2:13, 7] = 1
    strokes = trace(image)
    assert [len(stroke) for stroke in strokes] == [2, 2]
    assert [length(stroke) for stroke in strokes] == pytest.approx([10, 10])
    ends = sorted(tuple(point) for stroke in strokes for point in stroke)
    assert ends == [(2, 7), (7, 2), (7, 12), (12, 7)]  # x before y


def test_a_ring_is_one_closed_stroke():
    image = np.ones((16, 16))
    image[0], image[-1], image[:, 0], image[:, -1] = 0, 0, 0, 0
    image[4:12, 4:12] = 0
    (stroke,) = trace(image)
    assert (stroke[0] == stroke[-1]).all() and len(stroke) > 4


def test_a_dot_is_a_stroke_of_one_point():
    image = np.zeros((9, 9))
    image[1, 1:8] = image[6, 4] = 1
    line, dot = trace(image)
    assert len(line) == 2 and dot.tolist() == [[4, 6]]


def test_a_bend_is_no_triangle():
    graph = connections(picture("##...", ".#...", ".####"))
    assert sorted(degree for _, degree in graph.degree) == [1, 1, 2, 2, 2, 2, 2]
    assert len(walks(graph)) == 1


def test_strokes_stay_on_the_ink_and_cover_it():
    """Letters by several writers: no ink is far from a stroke, nor the reverse."""
    images = load_letters("test").images[::40, ::7, 0].flatten(0, 1).numpy()
    for image in images:
        points = np.concatenate([_dense(stroke) for stroke in trace(image)])
        ink = np.argwhere(image > 0)[:, ::-1]
        far = np.linalg.norm(points[:, None] - ink[None], axis=-1)
        assert far.min(1).max() < 1.1 and far.min(0).max() < 3.2


def _dense(stroke: np.ndarray) -> np.ndarray:
    """Points at most half a pixel apart."""
    if len(stroke) == 1:
        return stroke
    shares = np.linspace(0, 1, 60)[:, None]
    return np.concatenate([a + shares * (b - a) for a, b in pairwise(stroke)])


def test_fewer_points_lie_near_more():
    image = load_letters("test").images[5, 3, 0].numpy()
    coarse, fine = trace(image, 0.5), trace(image, 0.05)
    assert sum(map(len, coarse)) < sum(map(len, fine))
    for few, many in zip(coarse, fine, strict=True):
        far = np.linalg.norm(_dense(few)[:, None] - _dense(many)[None], axis=-1)
        assert far.min(0).max() < 0.6


@pytest.mark.parametrize(
    "image, complaint",
    [(np.zeros((5, 5)), "no ink"), (np.ones((1, 5, 5)), r"not \(1, 5, 5\)")],
)
def test_nothing_and_other_shapes_are_refused(image, complaint):
    with pytest.raises(ValueError, match=complaint):
        trace(image)
