"""From the picture of a letter to pen strokes: what a hand might have drawn.

`trace` thins the ink to a line one pixel wide and walks along it. A walk goes on
where it turns least, so that strokes cross each other as they do in writing.
"""

from __future__ import annotations

import networkx as nx
import numpy as np
from skimage.graph import pixel_graph
from skimage.measure import approximate_polygon
from skimage.morphology import skeletonize

Pixel = tuple[int, int]  # row, column


def trace(image: np.ndarray, tolerance: float = 0.25) -> list[np.ndarray]:
    """The strokes of a letter, longest first.

    Args:
        image: ``(height, width)``, ink above 0.5 on paper.
        tolerance: how far, in pixels, points that are left out may lie from a stroke.

    Returns:
        one array ``(points, 2)`` a stroke: x and y in pixels, the centre of the
        first pixel being 0, 0. A dot is a stroke of one point.

    Raises:
        ValueError: an image of another shape, or one without ink.
    """
    image = np.asarray(image)
    if image.ndim != 2:
        raise ValueError(f"one image (height, width) is needed, not {image.shape}")
    line = skeletonize(image > 0.5)
    if not line.any():
        raise ValueError("the image has no ink above 0.5: there is nothing to trace")
    strokes = [smooth(walk, tolerance) for walk in walks(connections(line))]
    return sorted(strokes, key=length, reverse=True)


def connections(line: np.ndarray) -> nx.Graph:
    """Pixels of a line as nodes, joined with neighbours, without shortcuts.

    Two pixels that touch at a corner are not joined where a third one has an edge
    with both: otherwise such a bend would be a small triangle.
    """
    matrix, _ = pixel_graph(line, connectivity=2)
    places = map(tuple, np.argwhere(line).tolist())  # in the order of the nodes
    graph = nx.relabel_nodes(
        nx.from_scipy_sparse_array(matrix), dict(enumerate(places))
    )
    for (r, c), (s, d) in list(graph.edges):
        if r != s and c != d and (line[r, d] or line[s, c]):
            graph.remove_edge((r, c), (s, d))
    return graph


def walks(graph: nx.Graph) -> list[list[Pixel]]:
    """Paths that pass every edge once, each from an end where there is one."""
    left = graph.copy()
    found = [[node] for node in graph if graph.degree(node) == 0]
    while left.number_of_edges():
        ends = [node for node in left if left.degree(node) == 1]
        walk = [min(ends or [node for node in left if left.degree(node)])]
        while left.degree(walk[-1]):
            step = min(left[walk[-1]], key=lambda node: (turn(walk, node), node))
            left.remove_edge(walk[-1], step)
            walk.append(step)
        found.append(walk)
    return found


def turn(walk: list[Pixel], step: Pixel) -> float:
    """By how much the walk would turn there: −1 straight on, 1 back."""
    before = np.subtract(walk[-1], walk[max(0, len(walk) - 4)])
    after = np.subtract(step, walk[-1])
    size = np.linalg.norm(before) * np.linalg.norm(after)
    return -float(before @ after / size) if size else 0.0


def smooth(walk: list[Pixel], tolerance: float) -> np.ndarray:
    """The walk as few points x, y, without the stairs of the pixels."""
    points = np.array(walk, float)[:, ::-1]
    for _ in range(3):
        points[1:-1] = (points[:-2] + 2 * points[1:-1] + points[2:]) / 4
    return approximate_polygon(points, tolerance)


def length(stroke: np.ndarray) -> float:
    """In pixels."""
    return float(np.linalg.norm(np.diff(stroke, axis=0), axis=1).sum())
