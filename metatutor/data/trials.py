"""The one-shot trials of Lake et al. 2015, and how to make more of the same kind.

A *trial* shows 20 characters of one alphabet, each drawn once by one person (the
training images) and once by another (the test images): which is which? People are
wrong 4.5 % of the time. The official trials are for the end: what they have helped to
choose, they cannot judge. To develop on, `make_recipe` draws trials of the same kind
from other characters.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from torch import Tensor

from ..checks import at_least_one
from ..tasks import TaskBatch
from .files import LARGEST, DataError, zipped
from .omniglot import DRAWERS, ORIGIN, Characters, Drawings, read_image

OFFICIAL = f"{ORIGIN}/one-shot-classification/all_runs.zip"
LABELS = "class_labels.txt"
# [FOLDER/]runNN/ and what a run holds
FILE = re.compile(
    rf"(?:([^/]+)/)?(run(\d+))/(training/class\d+\.png|test/item\d+\.png|{LABELS})",
    re.IGNORECASE,
)


# --- the official layout ---------------------------------------------------------


def read_trials(path: str | Path, runs: int = 20) -> TaskBatch:
    """Trials in their official layout, one task each.

    The official ones are in ``all_runs.zip`` (its address is `OFFICIAL`). Its checksum
    is not known to us: instead, all that the layout promises is checked. A run holds
    ``training/classNN.png``, ``test/itemNN.png`` and ``class_labels.txt``, whose lines
    pair each item with its class, every class being the answer to some item; all runs
    hold as many images.

    Args:
        path: a zip, or a folder, that holds ``run01``, ``run02``, …, or one folder
            with them. A zip is read as it is.
        runs: how many there must be.

    Returns:
        Tasks in the order of the runs. ``support_x`` is ``(runs, 20, 1, 28, 28)``,
        the training images in the order of their names, labelled 0 to 19;
        ``query_x`` holds the test images in the order of theirs.

    Raises:
        DataError: something is missing, damaged or contradictory; the message names
            the run and the file.
        ValueError: ``runs`` is below 1.
    """
    path, runs = Path(path).expanduser(), at_least_one("runs", runs)
    found = by_run(path)
    if not found:
        raise DataError(
            f"{path} holds no trials: folders run01, run02, … are needed in it, or in "
            "one folder in it"
        )
    absent = sorted(set(range(1, runs + 1)) - {int(run[3:]) for run in found})
    if absent or len(found) != runs:
        names = ", ".join(f"run{number:02d}" for number in absent) or "none"
        raise DataError(
            f"{path} holds {len(found)} runs, not {runs} (missing: {names}); if it is "
            f"meant to be so, give runs={len(found)}"
        )
    order = sorted(found, key=lambda run: int(run[3:]))
    tasks = [read_run(path, run, found[run]) for run in order]
    for run, task in zip(order, tasks, strict=True):
        sizes, first = ([len(part) for part in each] for each in (task, tasks[0]))
        if sizes != first:
            raise DataError(
                f"{path}: {run} has {sizes[0]} training and {sizes[1]} test images, "
                f"but {order[0]} has {first[0]} and {first[1]}: all runs need as many"
            )
    return stacked(*zip(*tasks, strict=True))


def by_run(path: Path) -> dict[str, dict[str, bytes]]:
    """The files of each run by their names in it, all names in lower case."""
    if path.is_dir():
        files = in_folder(path)
    elif path.is_file():
        files = zipped(path, path)
    else:
        raise DataError(
            f"{path} is missing: save {OFFICIAL} there, or give the path of another "
            "zip or folder with trials"
        )
    found: dict[str, dict[str, dict[str, bytes]]] = {}
    for name, content in files:
        match = FILE.fullmatch(name)
        if not match:
            continue
        run, part = match[2].lower(), match[4].lower()
        files_of_run = found.setdefault(match[1] or "", {}).setdefault(run, {})
        if part in files_of_run:
            raise DataError(f"{path}: {run}/{part} is there twice")
        files_of_run[part] = content
    if len(found) > 1 and "" not in found:
        raise DataError(
            f"{path} holds runs in several folders, {', '.join(sorted(found))}: one "
            "of them is needed alone"
        )
    return found.get("") or next(iter(found.values()), {})


def in_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The name and the bytes of each file of a run below a folder."""
    deepest = 3  # FOLDER/runNN/training
    for here, folders, names in os.walk(folder, followlinks=True):
        inside = Path(here).relative_to(folder)
        if len(inside.parts) == deepest:
            folders.clear()
        for name in names:
            inner = (inside / name).as_posix()
            if FILE.fullmatch(inner):
                if not fit_to_read(folder / inner):
                    raise DataError(
                        f"{folder}: {inner} is no ordinary file, or has more than "
                        f"{LARGEST:,} bytes"
                    )
                try:
                    yield inner, (folder / inner).read_bytes()
                except OSError as error:
                    raise DataError(
                        f"{folder}: {inner} cannot be read ({error})"
                    ) from error


def fit_to_read(path: Path) -> bool:
    """Whether a path can be read to its end: a pipe or a device might have none."""
    try:
        return path.is_file() and path.stat().st_size <= LARGEST
    except OSError:
        return False


def read_run(
    path: Path, run: str, files: Mapping[str, bytes]
) -> tuple[Tensor, Tensor, Tensor]:
    """One run: training images, test images, and the class of each test image."""
    training, test = (
        sorted(name for name in files if name.startswith(folder))
        for folder in ("training/", "test/")
    )
    for names, wanted in ((training, "training/class"), (test, "test/item")):
        if not names:
            raise DataError(f"{path}: {run} has no {wanted}01.png, nor any other")
    if LABELS not in files:
        raise DataError(f"{path}: {run}/{LABELS} is missing")
    where = f"{path}: {run}/{LABELS}"
    answers = read_labels(where, files[LABELS], run, training, test)

    def images(names: list[str]) -> Tensor:
        return torch.stack([read_image(files[n], f"{path}: {run}/{n}") for n in names])

    labels = torch.tensor([training.index(answers[item]) for item in test])
    return images(training), images(test), labels


def read_labels(
    where: str, content: bytes, run: str, training: list[str], test: list[str]
) -> dict[str, str]:
    """The training image that answers each test image, by their names in the run."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{where} is no UTF-8 text: {error}") from error
    answers: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        words = line.lower().split()
        if len(words) != 2 or not all(word.startswith(f"{run}/") for word in words):
            raise DataError(
                f"{where}, line {number} is {line!r}: it should read "
                f"'{run}/test/itemNN.png {run}/training/classNN.png'"
            )
        item, answer = (word.removeprefix(f"{run}/") for word in words)
        for name, names, kind in ((item, test, "test"), (answer, training, "training")):
            if name not in names:
                raise DataError(
                    f"{where}, line {number} names {run}/{name}, which is no {kind} "
                    "image of this run"
                )
        if item in answers:
            raise DataError(f"{where}, line {number}: a second label for {run}/{item}")
        answers[item] = answer
    for name in test:
        if name not in answers:
            raise DataError(f"{where} has no label for {run}/{name}")
    for name in training:
        if name not in answers.values():
            raise DataError(f"{where}: {run}/{name} is the answer to no test image")
    return answers


def stacked(
    training: Sequence[Tensor], test: Sequence[Tensor], labels: Sequence[Tensor]
) -> TaskBatch:
    """Trials as one batch; training images are classes 0, 1, … in their order."""
    x = torch.stack(list(training))
    return TaskBatch(
        support_x=x,
        support_y=torch.arange(x.shape[1]).repeat(len(x), 1),
        query_x=torch.stack(list(test)),
        query_y=torch.stack(list(labels)),
    )


# --- more trials -----------------------------------------------------------------


@dataclass(frozen=True)
class Trial:
    """What one trial shows: enough to make it from the drawings.

    Attributes:
        alphabet: where all its characters come from.
        characters: the classes, in the order of the training images.
        training_drawer: who drew all training images, 1 to 20.
        test_drawer: who drew all test images: somebody else.
        order: the class that each test image shows, counted from 0.

    Raises:
        ValueError: a trial that cannot be.
    """

    alphabet: str
    characters: tuple[str, ...]
    training_drawer: int
    test_drawer: int
    order: tuple[int, ...]

    def __post_init__(self) -> None:
        names = [self.alphabet, *self.characters]
        if not all(isinstance(name, str) for name in names):
            raise ValueError(f"{names}: an alphabet and its characters are names")
        if not self.characters or len(set(self.characters)) < len(self.characters):
            raise ValueError(f"characters are {self.characters}: all different needed")
        drawers = (self.training_drawer, self.test_drawer)
        if not all(type(number) is int for number in (*drawers, *self.order)):
            raise ValueError(f"drawers {drawers} and order {self.order} are integers")
        if drawers[0] == drawers[1] or not all(d in DRAWERS for d in drawers):
            raise ValueError(f"drawers are {drawers}: two different of 1 to 20 needed")
        if sorted(self.order) != list(range(len(self.characters))):
            raise ValueError(
                f"order is {self.order}: each of 0 to {len(self.characters) - 1} is "
                "needed once"
            )


Recipe = list[Trial]


def make_recipe(
    alphabets: Mapping[str, Sequence[str]],
    trials: int = 20,
    ways: int = 20,
    seed: int = 0,
) -> Recipe:
    """Draws trials, the alphabets taking turns in alphabetical order.

    The same arguments give the same recipe with every version of Python.

    Args:
        alphabets: the names of each alphabet's characters.
        trials: how many to draw.
        ways: characters in each.
        seed: of the drawing.

    Raises:
        ValueError: no alphabet, one with fewer characters than ``ways``, or a count
            below 1.
    """
    trials, ways = at_least_one("trials", trials), at_least_one("ways", ways)
    if not alphabets:
        raise ValueError("no alphabet to make trials from")
    for name, characters in alphabets.items():
        if len(set(characters)) < ways:
            raise ValueError(
                f"{ways} ways asked for, but {name} has {len(set(characters))} "
                "characters: leave it out, or ask for fewer ways"
            )
    rng = random.Random(seed)

    def shuffled(things: Sequence) -> list:
        # of all its methods, only random() draws the same in every version of Python
        return sorted(things, key=lambda _: rng.random())

    recipe, names = [], sorted(alphabets)
    for trial in range(trials):
        alphabet = names[trial % len(names)]
        characters = shuffled(sorted(set(alphabets[alphabet])))[:ways]
        training_drawer, test_drawer = shuffled(DRAWERS)[:2]
        order = shuffled(range(ways))
        recipe.append(
            Trial(
                alphabet, tuple(characters), training_drawer, test_drawer, tuple(order)
            )
        )
    return recipe


def recipe_tasks(characters: Characters, recipe: Recipe) -> TaskBatch:
    """The trials of a recipe, without files: what `read_trials` reads of them.

    Raises:
        ValueError: a character that is not there, or trials of different sizes.
    """
    names = zip(characters.alphabets, characters.characters, strict=True)
    index = {name: i for i, name in enumerate(names)}
    check_recipe(recipe, known=index)
    training, test, labels = [], [], []
    for trial in recipe:
        classes = [index[trial.alphabet, name] for name in trial.characters]
        order = torch.tensor(trial.order)
        training.append(characters.images[classes, trial.training_drawer - 1])
        test.append(characters.images[classes, trial.test_drawer - 1][order])
        labels.append(order)
    return stacked(training, test, labels)


def write_trials(drawings: Drawings, recipe: Recipe, folder: str | Path) -> None:
    """Writes the trials of a recipe in the official layout, images as they were drawn.

    Args:
        drawings: what ``omniglot.read_drawings`` gives.
        recipe: what to make of them.
        folder: a new or empty folder.

    Raises:
        ValueError: a character that is not there, or trials of different sizes.
        FileExistsError: the folder holds something.
    """
    check_recipe(recipe, known={name[:2] for name in drawings})
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty: give a new folder")
    for number, trial in enumerate(recipe, start=1):
        run = f"run{number:02d}"
        classes = [f"training/class{i + 1:02d}.png" for i in range(len(trial.order))]
        items = [f"test/item{i + 1:02d}.png" for i in range(len(trial.order))]
        shown = [(name, trial.training_drawer) for name in trial.characters]
        shown += [(trial.characters[i], trial.test_drawer) for i in trial.order]
        for name, (character, drawer) in zip(classes + items, shown, strict=True):
            file = folder / run / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(drawings[trial.alphabet, character, drawer])
        lines = (
            f"{run}/{item} {run}/{classes[i]}\n"
            for item, i in zip(items, trial.order, strict=True)
        )
        (folder / run / LABELS).write_bytes("".join(lines).encode())


def check_recipe(recipe: Recipe, known: Mapping | set) -> None:
    """Refuses trials of different sizes, or of characters that are not known."""
    if not recipe:
        raise ValueError("the recipe is empty")
    for number, trial in enumerate(recipe, start=1):
        if len(trial.characters) != len(recipe[0].characters):
            raise ValueError(
                f"trial {number} has {len(trial.characters)} characters, but trial 1 "
                f"has {len(recipe[0].characters)}: all trials need as many"
            )
        for name in trial.characters:
            if (trial.alphabet, name) not in known:
                raise ValueError(
                    f"trial {number} needs {trial.alphabet}/{name}, which is not among "
                    "the drawings: was the recipe made for another subset?"
                )


def save_recipe(recipe: Recipe, path: str | Path) -> None:
    """Writes a recipe as JSON, one trial a line."""
    lines = ",\n".join(json.dumps(asdict(trial)) for trial in recipe)
    Path(path).write_bytes(f"[\n{lines}\n]\n".encode())


def load_recipe(path: str | Path) -> Recipe:
    """Reads what `save_recipe` wrote.

    Raises:
        DataError: no such file, or no recipe in it.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} is missing: no such recipe")
    try:
        rows = json.loads(path.read_text("utf8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON: {error}") from error
    if not isinstance(rows, list) or not rows:
        raise DataError(f"{path} is no recipe: a list of trials is needed")
    return [as_trial(f"{path}, trial {n}", row) for n, row in enumerate(rows, start=1)]


def as_trial(where: str, row: object) -> Trial:
    """A trial from its JSON object."""
    names = [field.name for field in fields(Trial)]
    if not isinstance(row, dict) or set(row) != set(names):
        raise DataError(f"{where}: exactly {', '.join(names)} are needed")
    lists = {name: row[name] for name in ("characters", "order")}
    for name, value in lists.items():
        if not isinstance(value, list):
            raise DataError(f"{where}: {name} is {value!r}, not a list")
    try:
        return Trial(**row | {name: tuple(value) for name, value in lists.items()})
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: {error}") from error
