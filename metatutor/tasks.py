"""What a task is, and how tasks are drawn.

A *task* holds a support set (to adapt on) and a query set (to be judged on).
A `TaskBatch` holds many tasks of one shape, stacked along a leading axis.
A `TaskSource` draws batches; `Episodes` is the source for labelled classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import NamedTuple

import torch
from torch import Tensor

from .checks import (
    at_least_one,
    check_examples,
    check_finite,
    check_generator,
    check_labels,
    functions,
    is_label,
    is_number,
)


class Task(NamedTuple):
    """One task: tensors of shape ``(examples, …)``, without a task axis."""

    support_x: Tensor
    support_y: Tensor
    query_x: Tensor
    query_y: Tensor


SETS = ("support", "query")


@dataclass(frozen=True, eq=False)
class TaskBatch:
    """Tasks of one shape, stacked: every tensor is ``(tasks, examples, …)``.

    Args:
        support_x: inputs to adapt on, ``(tasks, support examples, …)``.
        support_y: their targets, ``(tasks, support examples, …)``.
        query_x: inputs to be judged on, ``(tasks, query examples, …)``.
        query_y: their targets, ``(tasks, query examples, …)``.
        truth: what generated each task, by name, ``(tasks, …)`` each; for
            figures only: no learner ever reads it.

    Raises:
        TypeError: something that is no tensor.
        ValueError: tensors that do not belong together, an empty set, NaN or infinity
            among the data, or class labels (integers) outside 0 to N - 1, where N is
            the number of classes in the support sets.
    """

    support_x: Tensor
    support_y: Tensor
    query_x: Tensor
    query_y: Tensor
    truth: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_examples("support", self.support_x, self.support_y, axes=2)
        check_examples("query", self.query_x, self.query_y, axes=2)
        if len(self.support_x) != len(self.query_x):
            raise ValueError(
                f"support holds {len(self.support_x)} tasks and query holds "
                f"{len(self.query_x)}: both need the same tasks in the same order"
            )
        for part in ("x", "y"):
            support = tuple(getattr(self, f"support_{part}").shape[2:])
            query = tuple(getattr(self, f"query_{part}").shape[2:])
            if support != query:
                raise ValueError(
                    f"support_{part} has examples of shape {support} and query_{part} "
                    f"of {query}: one task has one shape of example"
                )
            kinds = [getattr(self, f"{set_}_{part}").dtype for set_ in SETS]
            if kinds[0] != kinds[1]:
                raise ValueError(
                    f"support_{part} holds {kinds[0]} and query_{part} {kinds[1]}: "
                    "both need one kind of number"
                )
        # what is a class in the query set must have been one in the support set
        check_labels("support_y", self.support_y)
        if is_label(self.support_y):
            check_labels("query_y", self.query_y, ways=int(self.support_y.max()) + 1)
        if not isinstance(self.truth, Mapping):
            kind = type(self.truth).__name__
            raise TypeError(f"truth is a {kind}: a dict of tensors is needed")
        for name, values in self.truth.items():
            if not isinstance(values, Tensor):
                kind = type(values).__name__
                raise TypeError(f"truth[{name!r}] is a {kind}: a tensor is needed")
            if values.dim() == 0 or len(values) != len(self):
                raise ValueError(
                    f"truth[{name!r}] has shape {tuple(values.shape)}: one row for "
                    f"each of the {len(self)} tasks is needed"
                )

    @classmethod
    def unchecked(cls, *tensors: Tensor) -> TaskBatch:
        """A batch of tensors that are known to belong together.

        For parts of a batch that was checked, and for tensors that cannot be looked
        at, as while a computation is being compiled.
        """
        batch = object.__new__(cls)
        names = ("support_x", "support_y", "query_x", "query_y")
        for name, tensor in zip(names, tensors, strict=True):
            object.__setattr__(batch, name, tensor)
        object.__setattr__(batch, "truth", {})
        return batch

    def __len__(self) -> int:
        return len(self.support_x)

    def __getitem__(self, index: int | slice) -> Task | TaskBatch:
        """``batch[i]`` is one `Task`; ``batch[i:j]`` is a smaller batch.

        Raises:
            IndexError: no such task.
            TypeError: neither a whole number nor a slice; a list of tasks, say.
            ValueError: a slice without tasks, or one that runs backwards.
        """
        if isinstance(index, slice):
            if index.step is not None and index.step < 1:
                raise ValueError(
                    f"tasks run forwards: a step of {index.step} is refused"
                )
        elif isinstance(index, bool) or not isinstance(index, Integral):
            raise TypeError(
                f"a task is chosen by a whole number or a slice, not by {index!r}"
            )
        elif not -len(self) <= index < len(self):
            raise IndexError(f"there is no task {index} among {len(self)}")
        parts = [tensor[index] for tensor in self.tensors]
        if isinstance(index, slice):
            return TaskBatch(*parts, {k: v[index] for k, v in self.truth.items()})
        return Task(*parts)

    def __iter__(self) -> Iterator[Task]:
        return (self[i] for i in range(len(self)))

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The four tensors in the order in which learners take them."""
        return self.support_x, self.support_y, self.query_x, self.query_y

    def to(self, device: torch.device | str) -> TaskBatch:
        """The same tasks on ``device``; ``self`` when they are there already."""
        if self.support_x.device == torch.device(device):
            return self
        moved = [tensor.to(device) for tensor in self.tensors]
        return TaskBatch(*moved, {k: v.to(device) for k, v in self.truth.items()})


def part(batch: TaskBatch, start: int, stop: int) -> TaskBatch:
    """Some of the tasks of a checked batch."""
    return TaskBatch.unchecked(*(tensor[start:stop] for tensor in batch.tensors))


class TaskSource(ABC):
    """Anything that draws tasks from a task distribution p(τ)."""

    @abstractmethod
    def sample(self, n: int, generator: torch.Generator | None = None) -> TaskBatch:
        """Draws ``n`` tasks whose support and query sets are disjoint.

        Args:
            n: number of tasks, at least 1.
            generator: the only source of randomness; torch's global one if None.
        """


Augment = Callable[[Tensor, "torch.Generator | None"], Tensor]
"""``augment(x, generator)`` -> other examples, both ``(tasks, ways, each, …)``."""


class Episodes(TaskSource):
    """N-way k-shot episodes from labelled classes.

    An episode draws ``ways`` different classes, names them 0 to ``ways - 1`` in
    random order, and gives each ``shots`` support and ``queries`` query examples,
    no example twice. Source: Vinyals et al. 2016, section 2.

    Args:
        examples: ``(classes, examples per class, …)``.
        ways: classes in an episode.
        shots: support examples per class.
        queries: query examples per class.
        groups: the name of each class's group (an alphabet, say), ``classes`` of
            them: every episode then stays within one group, drawn first and with
            equal chances. Without it, an episode draws from all classes.
        augment: changes the drawn examples, ``(tasks, ways, each, …)`` in and out;
            or several such functions, applied in order.
        aligned: whether all classes of a task give the same examples by number, in
            the same order. Where example j of every class is by the same writer, the
            support set of a one-shot task is then in one hand.

    Raises:
        ValueError: more ways than classes (or than a group has), more shots and
            queries than a class has examples, or NaN among the examples.
    """

    def __init__(
        self,
        examples: Tensor,
        ways: int,
        shots: int,
        queries: int,
        *,
        groups: Sequence[str] | None = None,
        augment: Augment | Sequence[Augment] | None = None,
        aligned: bool = False,
    ) -> None:
        if not isinstance(examples, Tensor):
            raise TypeError(
                f"examples is a {type(examples).__name__}: a torch.Tensor is needed"
            )
        if examples.dim() < 2:
            raise ValueError(
                "examples must be (classes, examples per class, …), "
                f"not {tuple(examples.shape)}"
            )
        ways, shots, queries = (
            at_least_one(name, value)
            for name, value in (("ways", ways), ("shots", shots), ("queries", queries))
        )
        classes, per_class = examples.shape[:2]
        if ways > classes:
            raise ValueError(f"{ways} ways asked for, but there are {classes} classes")
        if shots + queries > per_class:
            raise ValueError(
                f"{shots} shots + {queries} queries need {shots + queries} examples "
                f"a class, but there are {per_class}"
            )
        check_finite("examples", examples)
        self.examples = examples
        self.ways, self.shots, self.queries = ways, shots, queries
        self.members = None if groups is None else members(groups, classes, ways)
        several = augment if isinstance(augment, Sequence) else [augment]
        self.augment = functions("augment", several)
        self.aligned = aligned

    def sample(self, n: int, generator: torch.Generator | None = None) -> TaskBatch:
        check_generator(generator)
        per_class = self.examples.shape[1]
        drawn = self.draw_classes(at_least_one("n", n), generator)
        each = self.shots + self.queries
        hands = 1 if self.aligned else self.ways  # independent draws in a task
        which = distinct(n * hands, per_class, each, generator)
        which = which.view(n, hands, each).to(self.examples.device)
        drawn = drawn.to(self.examples.device)
        x = self.examples[drawn[..., None], which]  # (n, ways, each, …)
        for augment in self.augment:
            x = augment(x, generator)
        y = torch.arange(self.ways, device=x.device)[None, :, None].expand(n, -1, each)
        support = slice(None, self.shots)
        query = slice(self.shots, None)
        return TaskBatch(
            support_x=x[:, :, support].flatten(1, 2),
            support_y=y[:, :, support].flatten(1, 2),
            query_x=x[:, :, query].flatten(1, 2),
            query_y=y[:, :, query].flatten(1, 2),
            truth={"classes": drawn},
        )

    def draw_classes(self, n: int, generator: torch.Generator | None) -> Tensor:
        """The classes of n episodes: ``(n, ways)``, all different within a row."""
        if self.members is None:
            return distinct(n, len(self.examples), self.ways, generator)
        groups = torch.randint(len(self.members), (n,), generator=generator)
        rows = []
        for group in groups.tolist():
            classes = self.members[group]
            rows.append(classes[distinct(1, len(classes), self.ways, generator)[0]])
        return torch.stack(rows)


class Mixture(TaskSource):
    """Tasks of several sources: each task comes from one of them.

    Args:
        sources: whose tasks have one shape.
        weights: how often each is drawn from, relative to the others; all alike if
            None.

    Raises:
        ValueError: no source, or weights that are not one number above 0 for each.
    """

    def __init__(
        self, sources: Sequence[TaskSource], weights: Sequence[float] | None = None
    ) -> None:
        if not isinstance(sources, Sequence) or not all(
            isinstance(source, TaskSource) for source in sources
        ):
            raise TypeError(f"sources is {sources!r}: a list of TaskSource is needed")
        if isinstance(weights, Tensor):
            weights = weights.tolist()
        if weights is not None and not isinstance(weights, Iterable):
            raise TypeError(f"weights is {weights!r}: a list of numbers is needed")
        weights = [1.0] * len(sources) if weights is None else list(weights)
        if not sources or len(weights) != len(sources):
            raise ValueError(
                f"{len(sources)} sources and {len(weights)} weights: at least one "
                "source is needed, and a weight for each"
            )
        if not all(is_number(w) and 0 < w < float("inf") for w in weights):
            raise ValueError(
                f"weights are {weights}: finite numbers above 0 are needed"
            )
        self.sources = list(sources)
        self.weights = torch.tensor([float(weight) for weight in weights])
        if not (self.weights > 0).all() or not self.weights.sum().isfinite():
            raise ValueError(
                f"weights are {weights}: beyond what a tensor holds; give shares of 1"
            )

    def sample(self, n: int, generator: torch.Generator | None = None) -> TaskBatch:
        n = at_least_one("n", n)
        check_generator(generator)
        drawn = self.weights.multinomial(n, replacement=True, generator=generator)
        parts = [
            self.sources[i].sample(count, generator)
            for i, count in enumerate(drawn.bincount().tolist())
            if count
        ]
        # `truth` is left out: what one source tells, another may not
        columns = list(zip(*(part.tensors for part in parts), strict=True))
        for name, column in zip(Task._fields, columns, strict=True):
            shapes = sorted({tuple(tensor.shape[1:]) for tensor in column})
            if len(shapes) > 1:
                raise ValueError(
                    f"{name} has shape {shapes[0]} from one source and {shapes[1]} "
                    "from another: all tasks of a mixture need one shape"
                )
        return TaskBatch(*(torch.cat(column) for column in columns))


def members(groups: Sequence[str], classes: int, ways: int) -> list[Tensor]:
    """The classes of each group, refusing a group with fewer classes than ways."""
    if not isinstance(groups, Sequence):
        kind = type(groups).__name__
        raise TypeError(f"groups is a {kind}: a list of names, one a class, is needed")
    if len(groups) != classes:
        raise ValueError(
            f"groups names {len(groups)} classes, but there are {classes}: one group "
            "for each class is needed"
        )
    found: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        found.setdefault(group, []).append(index)
    for group, indices in found.items():
        if len(indices) < ways:
            raise ValueError(
                f"{ways} ways within one group asked for, but {group} has "
                f"{len(indices)} classes: ask for fewer ways, or leave {group} out"
            )
    return [torch.tensor(indices) for indices in found.values()]


def distinct(
    rows: int, of: int, count: int, generator: torch.Generator | None
) -> Tensor:
    """``count`` different integers below ``of``, in random order, in each row."""
    return torch.rand(rows, of, generator=generator).argsort(dim=1)[:, :count]


def check_batch(batch: object) -> TaskBatch:
    """``batch`` if it is one, else an error: a source of one's own may be wrong."""
    if not isinstance(batch, TaskBatch):
        raise TypeError(f"batch is a {type(batch).__name__}: a TaskBatch is needed")
    return batch
