"""Data, backbones and their files, called with anything."""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from calls import REFUSED, attempt, finite, fuzzed
from hypothesis import given
from hypothesis import strategies as st
from inputs import counts, either, flags, generators, junk, options, tensors
from torch import nn

import metatutor as mt
from metatutor import models, pretrained
from metatutor.data import augment

FLOAT = st.just(torch.float32)
NOWHERE = Path(TemporaryDirectory().name)  # is gone
text = st.text(st.characters(min_codepoint=33), min_size=1, max_size=5)
paths = st.one_of(
    st.just(NOWHERE),
    st.just(Path(__file__)),
    st.just(Path(__file__).parent),
    text.map(lambda name: NOWHERE / name),
    st.just("\0"),
    junk,
)


@fuzzed(0.03)
@given(
    st.one_of(st.just("val"), st.just("val"), junk),
    options(
        ways=counts,
        shots=counts,
        queries=counts,
        within_script=flags,
        augment=st.sampled_from([augment.turn, [augment.turn, augment.warp]]),
        exclude_scripts=st.sampled_from(["Runic", ["Runic"], ["none"], []]),
    ),
    either(counts),
    generators,
)
def test_glyphs(split, named, n, generator):
    source = attempt(mt.data.Glyphs, split, **named)
    if source is not REFUSED:
        found = attempt(source.sample, n, generator)
        if found is not REFUSED:
            finite(*found.tensors)
            assert found.support_x.shape[2:] == (1, 28, 28)


@fuzzed(0.03)
@given(
    st.sampled_from([augment.turn, augment.warp]),
    either(tensors(2, 2, 1, 1, 6, 6, kind=FLOAT)),
    generators,
)
def test_augmentation(function, images, generator):
    found = attempt(function, images, generator)
    if found is not REFUSED and images.isfinite().all():
        finite(found)
        assert found.shape == images.shape


@fuzzed(0.03)
@given(st.one_of(st.sampled_from(["small1", "background"]), junk), paths, counts)
def test_omniglot(subset, root, ways):
    assert attempt(mt.data.load_omniglot, subset, root) is REFUSED
    assert attempt(mt.data.Omniglot, subset, ways, root=root) is REFUSED


@fuzzed(0.02)
@given(paths, either(counts))
def test_trials(path, runs):
    assert attempt(mt.data.read_trials, path, runs) is REFUSED


@fuzzed(0.04)
@given(
    either(counts),
    either(counts),
    options(
        hidden=st.lists(either(counts), max_size=3),
        activation=st.sampled_from([nn.Tanh, nn.ReLU, nn.Identity, nn.ReLU()]),
    ),
)
def test_mlp(inputs, outputs, named):
    torch.manual_seed(0)
    model = attempt(models.mlp, inputs, outputs, **named)
    if model is not REFUSED and named.get("activation", nn.ReLU) in (nn.Tanh, nn.ReLU):
        assert model(torch.zeros(2, inputs)).shape == (2, outputs)


norms = st.sampled_from([*models.NORMS, "instance"])


@fuzzed(0.03)
@given(
    st.one_of(
        st.tuples(st.just(models.conv4), options(outputs=counts, norm=norms,
                                                channels=st.sampled_from([1, 4, 12]))),
        st.tuples(st.just(models.residual), options(
            widths=st.lists(either(counts), max_size=6), norm=norms)),
    )
)  # fmt: skip
def test_backbones(made):
    torch.manual_seed(0)
    function, named = made
    if function is models.residual:
        named = {"widths": [2]} | named
    model = attempt(function, **named)
    if model is not REFUSED:
        with torch.no_grad():
            found = model(torch.zeros(2, 1, 28, 28))
        finite(found)
        assert found.shape[0] == 2 and found.dim() == 2


@fuzzed(0.02)
@given(junk, either(st.sampled_from([1, 8, 12, 16])))
def test_normalisation(norm, channels):
    for name in (norm, "group"):
        attempt(models.normalisation, name, channels)


@fuzzed(0.02)
@given(either(tensors(2, 1, 6, 6, kind=FLOAT)), options(spread=st.just(0.4)))
def test_centring(images, named):
    found = attempt(models.centred, images, **named)
    if found is not REFUSED and images.isfinite().all():
        assert found.shape == images.shape


BATCH = models.conv4(channels=2, norm="batch")
kinds = st.sampled_from([BATCH, BATCH, nn.Flatten(), nn.BatchNorm2d(1), nn.ReLU()])


@fuzzed(0.03)
@given(either(kinds), either(tensors(3, 1, 28, 28, kind=FLOAT)))
def test_freezing(model, images):
    frozen = attempt(models.freeze_statistics, model, images)
    if frozen is not REFUSED:
        finite(frozen(images))


@fuzzed(0.03)
@given(st.one_of(paths, st.just("glyphs-tiny")))
def test_pretrained(name):
    for function in (pretrained.load, pretrained.notes):
        found = attempt(function, name)
        if found is not REFUSED:
            assert isinstance(found, (nn.Module, dict))
    attempt(pretrained.describe, name)


@fuzzed(0.02)
@given(
    either(st.just(models.conv4(channels=1))),
    st.one_of(st.just("conv4"), junk),
    st.one_of(st.just({"channels": 1}), junk),
    junk,
)
def test_saving(backbone, architecture, arguments, notes):
    with TemporaryDirectory() as folder:
        file = Path(folder, "own.safetensors")
        if attempt(pretrained.save, backbone, file, architecture, arguments, notes):
            assert not file.exists()  # refused
        else:
            attempt(pretrained.load, file)
