"""What can be asked for on the command line: the plan, one training, a score."""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from torch import nn

from ... import pretrained
from ...data import DataError
from ...data.omniglot import load_omniglot
from ...data.trials import load_recipe, read_trials, recipe_tasks
from ...evaluation import meta_evaluate
from ...learners import NearestMean
from ...results import Result, accuracy
from ...tasks import Episodes
from ..ledger import made_by, pooled
from .judging import (
    RECIPES,
    ModifiedHausdorff,
    figures,
    judge,
    on_glyphs,
    on_small2,
)
from .training import WIDTHS, train

SEEDS = (0, 1, 2)
# iterations in so many seconds on two cores
BUDGETS = {150: 1500, 600: 6000}
# what to train on, which split of the glyphs, seconds, and whether with every seed
PLAN = {
    "glyphs-150": ("glyphs", "train", 150, True),
    "small1-150": ("small1", "train", 150, True),
    "both-150": ("both", "train", 150, True),
    "glyphs-all-150": ("glyphs", "all", 150, False),
    "both-600": ("both", "train", 600, False),
}
RUNS = 20  # official trials


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
    actions.add_parser("shipped", help="the shipped weights once more")

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
    actions = {"baseline": baseline, "shipped": shipped, None: plan}
    return actions[options.action](options, command)


def again(row: dict[str, Any]) -> list[str] | None:
    """What to add to the command of a figure to make it; None where it trains."""
    return None if row["seconds"] and row["seeds"] else []


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


def stored() -> list[dict[str, Any]]:
    """The scores that shipped weights come with, as rows like those of the ledger."""
    return [
        {
            "experiment": "omniglot_challenge",
            "method": f"shipped weights, {name}",
            "metric": metric,
            "seeds": [pretrained.describe(name)["seed"]],
            "seconds": 0.0,
            "per_seed": [score["value"]],
            "command": "python -m metatutor.experiments omniglot_challenge shipped",
        }
        | score
        for name in pretrained.names()
        for metric, score in pretrained.describe(name)["scores"].items()
    ]


def shipped(options: Namespace, command: str) -> list[dict[str, Any]]:
    """The backbones that come with the package, which needs no training.

    Without Omniglot's small sets these are the figures on glyphs alone.
    """
    run_by = made_by(command)
    entries = []
    for name in pretrained.names():
        made, backbone = pretrained.describe(name), pretrained.load(name)
        found = on_glyphs(backbone)
        try:
            found |= on_small2(backbone, made["data"], options.root)
        except DataError as error:
            print(f"{name}: on glyphs only. {error}")
        for metric, result in found.items():
            entry = pooled([result]) | {
                "experiment": "omniglot_challenge",
                "method": f"shipped weights, {name}",
                "metric": metric,
                "seeds": [made["seed"]],
                "seconds": 0.0,
            }
            entries.append(entry | run_by)
            print(name, "|", metric, entry["value"], "±", entry["ci95"], flush=True)
    return entries


def baseline(options: Namespace, command: str) -> list[dict[str, Any]]:
    """What learns nothing: how hard are the trials, and the two small sets?

    On the trials it is the modified Hausdorff distance, which errs in 38.8 % of the
    official ones (Lake et al. 2015); in plain 5-way 1-shot tasks it is pixels, scaled
    to unit length.
    """
    run_by = made_by(command)
    entries = []
    small2 = load_omniglot("small2", options.root)
    for name in ("small1", "small2"):
        images = load_omniglot(name, options.root).images
        started = time.perf_counter()
        result = meta_evaluate(
            NearestMean(nn.Flatten()),
            Episodes(images, 5, 1, 5),
            tasks=2000,
            metric=accuracy,
        )
        entry = pooled([result]) | {
            "experiment": "omniglot_challenge",
            "method": "pixels, nearest mean",
            "metric": f"accuracy, Omniglot {name}, 5-way 1-shot",
            "seeds": [],
            "seconds": round(time.perf_counter() - started, 1),
        }
        entries.append(entry | run_by)
        print(entry["metric"], entry["value"], "±", entry["ci95"])
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
