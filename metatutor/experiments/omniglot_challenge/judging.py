"""How the challenge's networks are judged, and the baseline beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample

from ...data import Glyphs
from ...data.augment import deformations
from ...data.omniglot import Characters, load_omniglot, refuse_shared_images
from ...data.trials import Recipe, load_recipe, make_recipe, recipe_tasks
from ...evaluation import meta_evaluate
from ...learners import Learner, PrototypicalNetwork
from ...results import Result, accuracy
from ...tasks import Episodes, TaskBatch, TaskSource

RECIPES = Path(__file__).parent


# --- learners --------------------------------------------------------------------


class ManyViews(PrototypicalNetwork):
    """A prototypical network that looks at every image in many slight deformations.

    How the features of the support images move under the deformations shows in which
    directions *these* classes vary: distances are measured after shrinking those
    directions, as in Fisher's linear discriminant with a regularised scatter matrix.
    The distance of a query from a class is then the sum of two: from the nearest
    deformation of the support image, and of the nearest deformation of the query from
    the support image itself. Nothing is trained, and a query's outputs depend on the
    support set and on that query alone.

    Args:
        backbone: f, ``(images, 1, height, width) -> (images, features)``, whose
            prediction for an image depends on that image alone.
        views: deformations of each image, at least 2; always the same ones.
        strength: of the deformations, see `metatutor.data.augment.deformations`.
        shrinkage: the mean variance, times this, is added to the variance of each
            direction: the larger, the less directions differ.
    """

    def __init__(
        self,
        backbone: nn.Module,
        views: int = 24,
        strength: float = 0.8,
        shrinkage: float = 1.0,
    ) -> None:
        super().__init__(backbone)
        generator = torch.Generator().manual_seed(0)
        # fixed: what an image is compared with must not depend on its place in a batch
        self.register_buffer(
            "where", deformations(views, (28, 28), generator, strength)
        )
        self.shrinkage = shrinkage

    def embed(self, images: Tensor) -> Tensor:
        """Features of each image as it is and deformed: (1 + views, images, …)."""
        views, count = len(self.where), len(images)
        where = self.where.repeat_interleave(count, 0)
        deformed = grid_sample(
            images.repeat(views, 1, 1, 1), where, align_corners=False
        )
        everything = torch.cat([images, deformed])
        return self.model(everything).view(1 + views, count, -1)

    def fit(
        self, support_x: Tensor, support_y: Tensor, steps: int | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Directions to shrink, by how much, and the support views in their order."""
        if support_y.bincount().ne(1).any():
            raise ValueError("ManyViews is for one shot: one support image a class")
        features = self.embed(support_x)[:, support_y.argsort()]
        moved = (features - features.mean(0)).flatten(0, 1)
        # by the smaller Gram matrix, of (1 + views) · ways images, not of features
        squares, mixtures = torch.linalg.eigh(moved @ moved.T)
        some = squares > 1e-5 * squares[-1]
        squares, mixtures = squares[some], mixtures[:, some]
        directions = mixtures.T @ moved / squares.sqrt()[:, None]
        variance = squares / len(moved)
        floor = self.shrinkage * variance.sum() / features.shape[-1]
        keep = (floor / (floor + variance)).sqrt()
        return directions, keep, whiten(features, directions, keep)

    def predict(self, fitted: tuple[Tensor, Tensor, Tensor], query_x: Tensor) -> Tensor:
        """Minus the sum of both distances, ``(queries, ways)``."""
        directions, keep, support = fitted
        query = whiten(self.embed(query_x), directions, keep)
        queries, ways = query.shape[1], support.shape[1]
        to_support = torch.cdist(query[0], support.flatten(0, 1)).square()
        from_query = torch.cdist(query.flatten(0, 1), support[0]).square()
        nearest = to_support.view(queries, -1, ways).amin(1)
        return -(nearest + from_query.view(-1, queries, ways).amin(0))


def whiten(features: Tensor, directions: Tensor, keep: Tensor) -> Tensor:
    """``features`` with each of the ``directions`` shrunk to the part to ``keep``."""
    along = features @ directions.T
    return features - (along * (1 - keep)) @ directions


class ModifiedHausdorff(Learner):
    """The nearest support image in the modified Hausdorff distance: nothing is learned.

    The ink of an image is a cloud of points around its centre of mass. From one cloud
    to another it is as far as its points are, on average, from the nearest of the
    other; the distance is the larger of the two ways. This was the baseline of Lake et
    al. 2015, which errs in 38.8 % of the official trials, at 105×105 pixels. Source:
    Dubuisson and Jain 1994, "A modified Hausdorff distance for object matching".
    """

    def __init__(self) -> None:
        super().__init__(nn.Identity(), nn.functional.cross_entropy)
        self.strategy = "loop"

    def fit(
        self, support_x: Tensor, support_y: Tensor, steps: int | None = None
    ) -> list[Tensor]:
        """The points of each support image, in the order of the classes."""
        return [points(image) for image in support_x[support_y.argsort()]]

    def predict(self, clouds: list[Tensor], query_x: Tensor) -> Tensor:
        """Minus the distances, ``(queries, ways)``."""
        rows = [[hausdorff(points(x), cloud) for cloud in clouds] for x in query_x]
        return -torch.tensor(rows)


def points(image: Tensor) -> Tensor:
    """Where ink is, from its centre: ``(1, height, width) -> (points, 2)``."""
    found = (image[0] > 0.3).nonzero().float()
    return found - found.mean(0)


def hausdorff(a: Tensor, b: Tensor) -> float:
    """The modified Hausdorff distance of two clouds, ``(points, 2)``, in pixels."""
    apart = torch.cdist(a, b)
    return max(apart.amin(1).mean(), apart.amin(0).mean()).item()


# --- figures ---------------------------------------------------------------------


class Fixed(TaskSource):
    """Tasks that are given, not drawn."""

    def __init__(self, tasks: TaskBatch) -> None:
        self.tasks = tasks

    def sample(self, n: int, generator: torch.Generator | None = None) -> TaskBatch:
        return self.tasks[:n]


def error(outputs: Tensor, targets: Tensor) -> Tensor:
    """The percentage of examples whose largest output is not the target's."""
    return 100 * (outputs.argmax(-1) != targets).to(outputs.dtype).mean()


def judge(
    backbone: nn.Module,
    tasks: TaskBatch,
    learner: Callable[[nn.Module], Learner] = ManyViews,
) -> Result:
    """The error in each trial. Every item is classified by itself."""
    learner = learner(backbone)
    return meta_evaluate(learner, Fixed(tasks), tasks=len(tasks), metric=error)


def figures(backbone: nn.Module, data: str, root: str) -> dict[str, Result]:
    """Everything that the plan measures of a backbone, by the name of the figure."""
    return on_glyphs(backbone) | on_small2(backbone, data, root)


def accuracy_on(backbone: nn.Module, source: TaskSource, tasks: int) -> Result:
    """The backbone's prototypes on tasks of a source."""
    learner = PrototypicalNetwork(backbone)
    return meta_evaluate(learner, source, tasks=tasks, metric=accuracy, chunk=50)


def on_glyphs(backbone: nn.Module) -> dict[str, Result]:
    """What can be measured with what the package ships."""
    within = Glyphs("test", 20, 1, 2, within_script=True)
    return {
        "accuracy, glyph test scripts, 5-way 1-shot": accuracy_on(
            backbone, Glyphs("test", 5, 1, 5), tasks=300
        ),
        "accuracy, glyph test scripts, 20-way 1-shot within script": accuracy_on(
            backbone, within, tasks=200
        ),
    }


def on_small2(backbone: nn.Module, data: str, root: str) -> dict[str, Result]:
    """What needs the small sets of Omniglot.

    Raises:
        DataError: they are not in ``root``.
    """
    small2 = load_omniglot("small2", root)
    if data != "glyphs":  # Greek and Latin are in small1 too, drawing by drawing
        small2 = small2.without(["Greek", "Latin"])
        refuse_shared_images(load_omniglot("small1", root), small2)
    found = {
        f"accuracy, {named(small2)}, 5-way 1-shot": accuracy_on(
            backbone, Episodes(small2.images, 5, 1, 5), tasks=300
        ),
    }
    for recipe in ("small2-new", "small2-all"):
        if recipe == "small2-all" and data != "glyphs":
            continue  # half of its trials were trained on
        trials = load_recipe(RECIPES / f"{recipe}.json")
        tasks = recipe_tasks(small2, trials)
        found[f"error %, 20 trials of {recipe}"] = judge(backbone, tasks)
        found[f"error %, 20 trials of {recipe}, one view"] = judge(
            backbone, tasks, PrototypicalNetwork
        )
        more = make_recipe(letters_of(small2, trials), trials=200, seed=1)
        found[f"error %, 200 more trials like {recipe}, one view"] = judge(
            backbone, recipe_tasks(small2, more), PrototypicalNetwork
        )
    return found


def letters_of(characters: Characters, recipe: Recipe) -> dict[str, list[str]]:
    """All characters of the alphabets that a recipe uses."""
    used: dict[str, list[str]] = {trial.alphabet: [] for trial in recipe}
    for alphabet, name in zip(characters.alphabets, characters.characters, strict=True):
        if alphabet in used:
            used[alphabet].append(name)
    return used


def named(characters: Characters) -> str:
    """The set in words."""
    full = "Greek" in characters.alphabets
    return "Omniglot small2" if full else "Omniglot small2 without Greek and Latin"
