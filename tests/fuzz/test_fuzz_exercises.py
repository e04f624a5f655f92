"""``check`` of every exercise, with any answer: it never raises."""

import torch
from calls import counts, fuzzed
from hypothesis import given
from hypothesis import strategies as st
from inputs import anything, junk

from metatutor import exercises
from metatutor.exercises import Feedback

CHAPTERS = [getattr(exercises, name) for name in exercises.__all__ if name[0] == "c"]
EXERCISES = [(ch, name) for ch in CHAPTERS for name in ch.exercises.checkers]


class Silent(Exception):
    def __str__(self):
        raise RuntimeError("no words")

    __repr__ = __str__


class Stubborn:
    """Refuses everything that can be asked of an object."""

    def refuse(self, *_, **__):
        raise Silent

    __bool__ = __eq__ = __repr__ = __str__ = __len__ = __iter__ = refuse
    __getattr__ = __add__ = __float__ = __call__ = __array__ = __hash__ = refuse


def leave(*_, **__):
    raise SystemExit(3)


def stumble(*_, **__):
    raise Silent


def noisy(*_, **__):
    torch.manual_seed(5)
    return torch.rand(3)


# by number, since hypothesis asks what it samples from for its name
hard = [Stubborn(), leave, stumble, noisy, anything, Silent(), ...]
answers = st.one_of(
    junk,
    st.integers(0, len(hard) - 1).map(lambda i: hard[i]),
    junk.map(lambda value: lambda *_, **__: value),
    st.integers(0, 3).map(lambda n: lambda *given, **__: given[n % len(given)]),
)


@fuzzed(0.12)
@given(
    st.sampled_from(EXERCISES),
    answers,
    st.one_of(st.none(), st.none(), st.none(), junk),
)
def test_checking(exercise, answer, other):
    chapter, name = exercise
    counts["calls"] += 1
    before = torch.get_rng_state()
    found = chapter.check(name if other is None else other, answer)
    assert isinstance(found, Feedback)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(len(found.message[language]) > 1 for language in ("zh", "en"))
    assert repr(found) and found._repr_mimebundle_()["text/html"]
    counts["worked"] += 1
