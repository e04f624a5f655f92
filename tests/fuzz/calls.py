"""What a fuzzed call may do: work, with a sane result, or be refused in words.

A refusal is an error of a documented type that this package raises itself, by a
``raise`` statement, with a message. What stumbles deeper inside (an IndexError, a bare
RuntimeError of PyTorch's, an AttributeError, an assertion) is a crash. Either way the
arguments stay as they were, and a refused call leaves the global random state alone,
unless its learner draws from that, as documented, before its loss sees the examples.
"""

import dis
import math
import os
import pathlib
import traceback
import warnings
from pathlib import Path

import torch
from hypothesis import HealthCheck, Phase, settings
from torch import nn

import metatutor as mt

CALLS = int(os.environ.get("METATUTOR_FUZZ", 900))
"""How many calls all tests of this folder make together, at least."""
counts = {"calls": 0, "worked": 0, "refused": 0}
refusals = []
"""The errors of the last refused call."""

PACKAGE = Path(mt.__file__).parent
REFUSALS = (
    TypeError, ValueError, mt.DataError, mt.CheckpointError, mt.AdaptationError,
    mt.MetaLossError, FileNotFoundError, FileExistsError,
)  # fmt: skip
REFUSED = object()


def fuzzed(share):
    """Settings of a test that makes so large a share of all `CALLS`.

    The usual run takes the same examples each time; the long one others.
    """
    return settings(
        max_examples=max(5, math.ceil(share * CALLS)),
        derandomize="METATUTOR_FUZZ" not in os.environ,
        database=None,
        deadline=None,
        # what is found is small already: shrinking it would take minutes
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )


def attempt(call, *arguments, keep=(), allowed=(), draws=False, **named):
    """What a call returns, or `REFUSED`; fails on a crash.

    Args:
        call: a function of the package.
        arguments: its arguments, which must not change.
        keep: what else must not change, such as a learner whose method it is.
        allowed: further types of errors, for what Python itself expects.
        draws: whether it may have drawn random numbers before it is refused.
        named: its named arguments.
    """
    counts["calls"] += 1
    held = (arguments, named, keep)
    before, random_state = frozen(held), torch.get_rng_state()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", message=".*non-writable.*")
            result = call(*arguments, **named)
    except (*REFUSALS, *allowed) as error:
        refusals[:] = [error]
        check_refusal(error, (*REFUSALS, *allowed))
        assert draws or torch.equal(torch.get_rng_state(), random_state)
        result = REFUSED
    assert same(frozen(held), before), "the arguments were changed"
    counts["refused" if result is REFUSED else "worked"] += 1
    return result


def check_refusal(error, kinds):
    """That an error is one of this package's own, and says something."""
    assert type(error) in kinds or type(error).__module__.startswith("metatutor")
    message = str(error)
    assert len(message) >= 15 and " " in message, f"says nothing: {message!r}"
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    file = Path(frame.f_code.co_filename)
    if file.parent == Path(pathlib.__file__).parent and type(error) is TypeError:
        return  # "expected str, bytes or os.PathLike object, not int" is clear
    last = error.__traceback__
    while last.tb_next is not None:
        last = last.tb_next
    instruction = frame.f_code.co_code[last.tb_lasti]
    if not file.is_relative_to(PACKAGE) or dis.opname[instruction] != "RAISE_VARARGS":
        raise AssertionError(f"no check refused this: {error!r}") from error


def frozen(value):
    """A picture of a value, to compare it with later."""
    if isinstance(value, torch.Tensor):
        return (value.detach().clone(), value.requires_grad)
    if isinstance(value, mt.TaskBatch):
        return frozen([*value.tensors, dict(value.truth)])
    if isinstance(value, nn.Module):
        modes = [module.training for module in value.modules()]
        return [frozen(dict(value.state_dict())), modes, vars(value).keys()]
    if isinstance(value, dict):
        return {repr(key): frozen(held) for key, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [frozen(held) for held in value]
    return repr(value) if isinstance(value, (int, float, str)) else id(value)


def same(first, second):
    """Whether two pictures are alike, NaN being like NaN."""
    if isinstance(first, torch.Tensor):
        return (
            first.shape == second.shape
            and first.dtype == second.dtype
            and torch.equal(torch.nan_to_num(first), torch.nan_to_num(second))
        )
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(
            same(held, second[key]) for key, held in first.items()
        )
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second


def finite(*tensors):
    """That a result is one of numbers."""
    for tensor in tensors:
        assert isinstance(tensor, torch.Tensor)
        assert not tensor.is_floating_point() or tensor.isfinite().all()
