"""The Omniglot challenge: learn a character from one example, as people do.

Lake et al. 2015 set 20 trials, each 20-way one-shot classification within one
alphabet; people err in 4.5 %. Here a small residual network is trained as a
prototypical network, on drawn glyphs alone, on the five alphabets of Omniglot's
"small1", or on both, for a stated number of iterations, and judged on trials made from
"small2" by a fixed recipe. The official trials choose nothing: `score` is for them.

    python -m metatutor.experiments omniglot_challenge               # the whole plan
    python -m metatutor.experiments omniglot_challenge train …       # one backbone
    python -m metatutor.experiments omniglot_challenge score --weights W --trials F
"""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .. import pretrained
from ..data import Glyphs, augment
from ..data.omniglot import Characters, load_omniglot, refuse_shared_images
from ..data.trials import (
    Recipe,
    load_recipe,
    make_recipe,
    read_trials,
    recipe_tasks,
)
from ..evaluation import meta_evaluate
from ..learners import Learner, PrototypicalNetwork
from ..models import freeze_statistics, residual
from ..results import Result, accuracy
from ..tasks import Episodes, Mixture, TaskBatch, TaskSource
from ..training import meta_train
from .challenge_learners import EveryWriter, ManyViews, ModifiedHausdorff
from .ledger import made_by, pooled

WAYS = 20
WRITERS = 5  # how many write all letters of a training task
WIDTHS = (64, 128)
LR = 4e-3
SEEDS = (0, 1, 2)
# iterations in so many seconds on two cores
BUDGETS = {150: 1500, 600: 6000}
# both sets together: small1 has handwriting, the glyphs have variety
SHARE_OF_SMALL1 = 0.5
# what to train on, which split of the glyphs, seconds, and whether with every seed
PLAN = {
    "glyphs-150": ("glyphs", "train", 150, True),
    "small1-150": ("small1", "train", 150, True),
    "both-150": ("both", "train", 150, True),
    "glyphs-all-150": ("glyphs", "all", 150, False),
    "both-600": ("both", "train", 600, False),
}
RUNS = 20  # official trials
RECIPES = Path(__file__).with_name("trials")


# --- training --------------------------------------------------------------------


def training_source(data: str, split: str, root: str) -> TaskSource:
    """Where training tasks come from: "glyphs", "small1" or "both"."""
    glyphs = small1 = None
    changes = {"augment": [augment.turn, augment.warp], "aligned": True}
    if data != "small1":
        held = Glyphs(split)
        glyphs = Episodes(
            held.examples, WAYS, 1, WRITERS - 1, groups=held.scripts, **changes
        )
    if data != "glyphs":
        held = load_omniglot("small1", root)
        small1 = Episodes(
            held.images, WAYS, 1, WRITERS - 1, groups=held.alphabets, **changes
        )
    if data == "both":
        return Mixture([glyphs, small1], [1 - SHARE_OF_SMALL1, SHARE_OF_SMALL1])
    return glyphs or small1


def train(
    data: str,
    iterations: int,
    seed: int,
    split: str = "train",
    widths: tuple[int, ...] = WIDTHS,
    root: str = "data",
    progress: bool = False,
) -> tuple[nn.Module, float]:
    """A trained backbone with frozen statistics, and the seconds it took.

    The statistics are those of plain training images: of handwriting, where there is
    some among them.
    """
    torch.manual_seed(seed)
    learner = EveryWriter(residual(widths))
    source = training_source(data, split, root)
    started = time.perf_counter()
    meta_train(
        learner,
        source,
        iterations=iterations,
        meta_batch=1,
        lr=LR,
        anneal=True,
        seed=seed,
        progress=progress,
    )
    seconds = time.perf_counter() - started
    if data == "glyphs":
        seen = Glyphs(split).examples
    else:
        seen = load_omniglot("small1", root).images
    return freeze_statistics(learner.model, seen[:, ::5].flatten(0, 1)), seconds


# --- judging ---------------------------------------------------------------------


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
    learner = PrototypicalNetwork(backbone)

    def accuracy_on(source: TaskSource, tasks: int) -> Result:
        return meta_evaluate(learner, source, tasks=tasks, metric=accuracy, chunk=50)

    small2 = load_omniglot("small2", root)
    if data != "glyphs":  # Greek and Latin are in small1 too, drawing by drawing
        small2 = small2.without(["Greek", "Latin"])
        refuse_shared_images(load_omniglot("small1", root), small2)
    found = {
        "accuracy, glyph test scripts, 5-way 1-shot": accuracy_on(
            Glyphs("test", 5, 1, 5), tasks=300
        ),
        "accuracy, glyph test scripts, 20-way 1-shot within script": accuracy_on(
            Glyphs("test", 20, 1, 2, within_script=True), tasks=200
        ),
        f"accuracy, {named(small2)}, 5-way 1-shot": accuracy_on(
            Episodes(small2.images, 5, 1, 5), tasks=300
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


# --- the commands ----------------------------------------------------------------


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--root",
        default=os.environ.get("METATUTOR_OMNIGLOT", "data"),
        help="folder with images_background_small1.zip and …2.zip",
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument(
        "--only", nargs="+", choices=PLAN, default=list(PLAN), help="rows of the plan"
    )
    parser.add_argument("--runs", default="runs", help="where trained weights are kept")
    actions = parser.add_subparsers(dest="action", help="the whole plan if none")

    one = actions.add_parser("train", help="train one backbone and write it")
    one.add_argument("--data", choices=("glyphs", "small1", "both"), required=True)
    one.add_argument("--iterations", type=int, default=BUDGETS[150])
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--split", default="train", help="of the glyphs")
    one.add_argument("--widths", type=int, nargs="+", default=list(WIDTHS))
    one.add_argument("--out", required=True, help="a .safetensors file")

    actions.add_parser("baseline", help="what needs no training, for the ledger")

    mark = actions.add_parser("score", help="the error on a folder or zip of trials")
    mark.add_argument("--weights", required=True, help="a shipped name, or a file")
    mark.add_argument("--trials", required=True, help="in the official layout")


def run(options: Namespace, command: str) -> list[dict[str, Any]]:
    """Does what was asked and returns the ledger's entries: the plan's alone."""
    if options.action == "score":
        score(options.weights, options.trials)
        return []
    if options.action == "train":
        settings = {
            "data": options.data,
            "iterations": options.iterations,
            "seed": options.seed,
            "split": options.split,
            "widths": options.widths,
        }
        kept(Path(options.out), settings, options.root, command, progress=True)
        return []
    return (baseline if options.action == "baseline" else plan)(options, command)


def score(weights: str, trials: str) -> Result:
    """Prints the error in every trial, and the mean with its interval."""
    result = judge(pretrained.load(weights), read_trials(trials, RUNS))
    for number, value in enumerate(result.per_task.tolist(), start=1):
        print(f"run{number:02d}  {value:4.1f} %")
    print(
        f"error {result.mean:.1f} % ± {result.ci95:.1f} % (95 % CI, {result.n} trials)"
    )
    return result


def plan(options: Namespace, command: str) -> list[dict[str, Any]]:
    """Trains on each set with each seed, and measures."""
    run_by = made_by(command)
    entries = []
    for row in options.only:
        data, split, budget, several = PLAN[row]
        seeds = options.seeds if several else options.seeds[:1]
        method = f"{data}, {budget} s" + (", all scripts" if split == "all" else "")
        settings = {"data": data, "iterations": BUDGETS[budget], "split": split}
        measured, seconds = [], []
        for seed in seeds:
            name = f"omniglot-{data}-{split}-{BUDGETS[budget]}-{seed}.safetensors"
            file = Path(options.runs) / name
            notes = kept(file, settings | {"seed": seed}, options.root, command)
            seconds.append(notes["seconds"])
            measured.append(figures(pretrained.load(file), data, options.root))
        for metric in measured[0]:
            entry = pooled([found[metric] for found in measured]) | {
                "experiment": "omniglot_challenge",
                "method": method,
                "metric": metric,
                "seeds": list(seeds),
                "iterations": BUDGETS[budget],
                "seconds": round(sum(seconds) / len(seconds), 1),
            }
            entries.append(entry | run_by)
            print(method, "|", metric, entry["value"], "±", entry["ci95"], flush=True)
    return entries


def baseline(options: Namespace, command: str) -> list[dict[str, Any]]:
    """The modified Hausdorff distance on the same trials: how hard are they?

    On the official ones its error is 38.8 % (Lake et al. 2015).
    """
    run_by = made_by(command)
    entries = []
    small2 = load_omniglot("small2", options.root)
    for recipe in ("small2-new", "small2-all"):
        trials = recipe_tasks(small2, load_recipe(RECIPES / f"{recipe}.json"))
        started = time.perf_counter()
        result = judge(nn.Identity(), trials, lambda _: ModifiedHausdorff())
        entry = pooled([result]) | {
            "experiment": "omniglot_challenge",
            "method": "modified Hausdorff distance, nothing learned",
            "metric": f"error %, 20 trials of {recipe}, one view",
            "seeds": [],
            "seconds": round(time.perf_counter() - started, 1),
        }
        entries.append(entry | run_by)
        print(entry["metric"], entry["value"], "±", entry["ci95"])
    return entries


def kept(
    file: Path,
    settings: dict[str, Any],
    root: str,
    command: str,
    progress: bool = False,
) -> dict[str, Any]:
    """The notes on the backbone in ``file``, which is trained if it is not there."""
    settings = {"widths": list(WIDTHS)} | settings
    if file.is_file():
        notes = pretrained.notes(file)
        if any(notes.get(name) != value for name, value in settings.items()):
            raise SystemExit(f"{file} was trained with other settings: {notes}")
        return notes
    run_by = made_by(command)
    backbone, seconds = train(**settings, root=root, progress=progress)
    notes = settings | {"seconds": round(seconds, 1)} | run_by
    arguments = {"widths": list(settings["widths"]), "norm": "frozen"}
    pretrained.save(backbone, file, "residual", arguments, notes)
    return notes
