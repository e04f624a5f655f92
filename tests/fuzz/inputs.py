"""What readers may hand to a function: mostly right, in part wrong, now and then both.

Counts stay small where they are right: nobody's memory is what is tested here.
"""

import numpy as np
import torch
from hypothesis import strategies as st

import metatutor as mt

NOT_A_NUMBER = float("nan")
junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 3),
    st.sampled_from([10**400, -(2**70), NOT_A_NUMBER, float("inf"), -1.5, 0.0, 1j]),
    st.text(max_size=4),
    st.sampled_from([b"", b"x", (), [], {}, [1, 2], {"a": 1}, {1}, "5", range(3)]),
    # no function: what it then raises would be its own affair
    st.sampled_from([object(), NotImplemented, np.float32(0.5), np.int64(2)]),
    st.sampled_from([np.zeros(3), torch.tensor(2), torch.zeros(2, 3)]),
)


def either(right):
    """Mostly something right, sometimes anything."""
    return st.integers(0, 19).flatmap(lambda i: junk if i == 7 else right)


def options(**rights):
    """Named arguments, each given or not, each mostly right."""
    wide = {name: r if r is flags else either(r) for name, r in rights.items()}
    return st.fixed_dictionaries({}, optional=wide)


# whatever Python takes for true or false
flags = st.one_of(st.booleans(), st.sampled_from([0, 1, None, "x", []]))
counts = st.one_of(st.integers(1, 4), st.just(np.int64(2)))
rates = st.sampled_from(
    [0.01, 0.5, np.float64(0.02), 1, 1e-300, 1e300, np.float32(0.1)]
)
seeds = st.integers(-(2**63), 2**62)
generators = st.one_of(
    st.integers(0, 9).map(lambda seed: torch.Generator().manual_seed(seed)), junk
)
dtypes = st.sampled_from(
    [torch.float32] * 6
    + [torch.float64, torch.int64, torch.int32, torch.uint8, torch.bool]
    + [torch.float16, torch.complex64]
)
spoilt = st.sampled_from([None] * 30 + [NOT_A_NUMBER, float("inf"), 1e30, -1e38])


@st.composite
def tensors(draw, *shape, kind=dtypes):
    """A tensor of about this shape, its numbers about normal."""
    size = list(shape)
    if size and draw(st.integers(0, 19)) == 9:
        size[draw(st.integers(0, len(size) - 1))] = draw(st.integers(0, 3))
    if draw(st.integers(0, 24)) == 9:
        size = draw(st.lists(st.integers(0, 3), max_size=5))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 5)))
    values = torch.randn(size, generator=generator)
    if (value := draw(spoilt)) is not None and values.numel():
        values.view(-1)[draw(st.integers(0, values.numel() - 1))] = value
    dtype = draw(kind)
    if not dtype.is_floating_point and not dtype.is_complex:
        values = values.nan_to_num(0, 3, -3).clamp(-3, 3).abs()
    return values.to(dtype)


@st.composite
def labels(draw, *shape, ways=2):
    """Class labels of about this shape."""
    if draw(st.integers(0, 19)) == 9:
        return draw(tensors(*shape))
    values = torch.arange(int(np.prod(shape))).reshape(shape) % ways
    if draw(st.integers(0, 19)) == 9 and values.numel():
        values.view(-1)[-1] = draw(st.integers(-2, 9))
    return values


@st.composite
def regressions(draw, tasks=2, width=1):
    """The four tensors of regression tasks, nearly always fitting together."""
    k, q = draw(counts), draw(counts)
    right = st.just(torch.float32)
    kind = dtypes if draw(st.integers(0, 7)) == 5 else right
    return [
        draw(either(tensors(tasks, examples, width, kind=kind)))
        for examples in (k, k, q, q)
    ]


@st.composite
def classifications(draw, tasks=2, width=3):
    """The four tensors of classification tasks, nearly always fitting together."""
    k, q = 2 * draw(counts), 2 * draw(counts)
    kind = dtypes if draw(st.integers(0, 7)) == 5 else st.just(torch.float32)
    return [
        draw(either(part))
        for part in (
            tensors(tasks, k, width, kind=kind),
            labels(tasks, k),
            tensors(tasks, q, width, kind=kind),
            labels(tasks, q),
        )
    ]


def batch(parts):
    """A sound batch of these tensors, or None."""
    try:
        return mt.TaskBatch(*parts)
    except (TypeError, ValueError):
        return None


def anything(*arguments, **named):
    """A function that takes whatever it is given."""
    return arguments[0] if arguments else None
