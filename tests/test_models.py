"""The backbones."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.ops import FrozenBatchNorm2d

import metatutor as mt
from metatutor.models import NORMS, conv4, freeze_statistics, normalisation


def test_the_default_is_the_papers_regression_network():
    """Two hidden layers of 40 with ReLU: 1·40 + 40, 40·40 + 40, 40 + 1 weights."""
    model = mt.models.mlp(1, 1)
    assert sum(p.numel() for p in model.parameters()) == 80 + 1640 + 41
    x = torch.randn(7, 1)
    w1, b1, w2, b2, w3, b3 = model.parameters()
    h = ((x @ w1.T + b1).clamp(min=0) @ w2.T + b2).clamp(min=0)
    torch.testing.assert_close(model(x), h @ w3.T + b3)


def test_any_leading_axes_are_examples():
    model = mt.models.mlp(3, 2, hidden=(5,))
    x = torch.randn(4, 6, 3)
    assert model(x).shape == (4, 6, 2)
    torch.testing.assert_close(model(x)[2, 1], model(x[2, 1]))


def test_without_hidden_layers_it_is_linear():
    model = mt.models.mlp(3, 2, hidden=())
    x, y = torch.randn(5, 3), torch.randn(5, 3)
    torch.testing.assert_close(
        model(x) + model(y) - model(torch.zeros(1, 3)), model(x + y)
    )


def test_the_activation_is_the_one_asked_for(float64):
    """With tanh the network is smooth and, far out, constant."""
    model = mt.models.mlp(1, 1, activation=nn.Tanh)
    far = model(torch.tensor([[1e9], [2e9]]))
    torch.testing.assert_close(far[0], far[1])
    assert not any(isinstance(layer, nn.ReLU) for layer in model)


def test_the_global_seed_decides_the_initial_weights():
    def weights(seed):
        torch.manual_seed(seed)
        return nn.utils.parameters_to_vector(mt.models.mlp(1, 1).parameters())

    assert torch.equal(weights(4), weights(4))
    assert not torch.equal(weights(4), weights(5))


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
def test_there_are_no_statistics_to_leak_between_tasks(activation):
    assert not list(mt.models.mlp(2, 2, activation=activation).buffers())


# --- conv4 -------------------------------------------------------------------------


def images(n=6):
    return torch.rand(n, 1, 28, 28)


@pytest.mark.parametrize("norm", NORMS)
def test_an_image_becomes_a_vector(norm):
    model = conv4(channels=16, norm=norm)
    assert model(images()).shape == (6, 16)
    assert conv4(5, channels=16, norm=norm)(images()).shape == (6, 5)
    assert conv4(norm=norm)(images()).shape == (6, 64)


def test_its_parameters_are_as_many_as_by_hand():
    """9 weights a filter and input, a bias a filter, scale and shift a channel."""
    first, others = 64 * 1 * 9 + 64, 64 * 64 * 9 + 64
    norms = 4 * (64 + 64)
    assert first + 3 * others + norms == 111_936

    def count(model):
        return sum(p.numel() for p in model.parameters())

    assert count(conv4()) == count(conv4(norm="batch")) == 111_936
    assert count(conv4(norm="layer")) == 111_936
    assert count(conv4(norm="none")) == count(conv4(norm="frozen")) == 111_936 - norms
    assert count(conv4(outputs=5)) == 111_936 + 64 * 5 + 5
    # with the 32 channels of MAML
    assert count(conv4(channels=32, norm="none")) == 320 + 3 * (32 * 32 * 9 + 32)


def test_it_is_four_blocks_written_out(float64):
    """Convolution, groups of eight channels, ReLU, pooling; a linear layer last."""
    model = conv4(5, channels=16)
    for p in model.parameters():
        nn.init.normal_(p, std=0.3)  # scales and shifts too
    *blocks, weight, bias = model.parameters()
    x = h = images()
    for i in range(0, 16, 4):
        filters, biases, scale, shift = blocks[i : i + 4]
        h = F.conv2d(h, filters, biases, padding=1)
        size = h.shape
        grouped = h.reshape(len(x), 2, -1)
        centred = grouped - grouped.mean(-1, keepdim=True)
        h = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        h = h.view(size) * scale[:, None, None] + shift[:, None, None]
        h = F.max_pool2d(h.clamp(min=0), 2)
    assert h.shape == (6, 16, 1, 1)
    torch.testing.assert_close(model(x), h[:, :, 0, 0] @ weight.T + bias)


@pytest.mark.parametrize(
    ("norm", "kind"),
    [
        ("group", nn.GroupNorm),
        ("layer", nn.GroupNorm),
        ("batch", nn.BatchNorm2d),
        ("frozen", FrozenBatchNorm2d),
        ("none", nn.Identity),
    ],
)
def test_the_normalisation_is_the_one_asked_for(norm, kind):
    layers = [m for m in conv4(channels=16, norm=norm) if isinstance(m, kind)]
    assert len(layers) == 4
    if kind is nn.GroupNorm:
        assert layers[0].num_groups == (2 if norm == "group" else 1)
    if kind is nn.BatchNorm2d:
        assert layers[0].running_mean is None


def test_few_channels_are_one_group():
    assert normalisation("group", 4).num_groups == 1
    assert normalisation("group", 64).num_groups == 8


def test_fixed_statistics_change_nothing_until_they_are_measured():
    x = torch.randn(3, 4, 5, 5)
    torch.testing.assert_close(normalisation("frozen", 4)(x), x, rtol=1e-4, atol=1e-5)
    assert normalisation("none", 4)(x) is x


@pytest.mark.parametrize("norm", NORMS)
def test_only_batch_statistics_join_the_images(norm):
    model = conv4(channels=16, norm=norm)
    x = images()
    with torch.no_grad():
        alone = torch.cat([model(x[i : i + 1]) for i in range(len(x))])
        difference = (model(x) - alone).abs().max().item()
    assert (difference > 0.05) if norm == "batch" else (difference < 1e-4)


@pytest.mark.parametrize("norm", ["instance", "Group", None, ""])
def test_an_unknown_normalisation_is_refused_with_the_known_ones(norm):
    for make in (lambda: conv4(norm=norm), lambda: normalisation(norm, 8)):
        with pytest.raises(ValueError) as caught:
            make()
        assert str(caught.value) == (
            f"norm is {norm!r}: one of ('batch', 'group', 'layer', 'frozen', 'none') "
            "is needed"
        )


def test_conv4_draws_its_weights_from_the_global_seed():
    def weights(seed):
        torch.manual_seed(seed)
        return nn.utils.parameters_to_vector(conv4(3, channels=8).parameters())

    assert torch.equal(weights(4), weights(4))
    assert not torch.equal(weights(4), weights(5))


# --- freeze_statistics -------------------------------------------------------------


class Residual(nn.Module):
    """A network in a network, whose layers are not in a row."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.block = nn.ModuleDict(
            {
                "norm": nn.BatchNorm2d(4, track_running_stats=False),
                "inner": nn.Sequential(
                    nn.Conv2d(4, 4, 3, padding=1),
                    nn.BatchNorm2d(4, affine=False, track_running_stats=False),
                ),
            }
        )

    def forward(self, x):
        h = self.block["norm"](self.first(x)).relu()
        return (h + self.block["inner"](h)).mean((2, 3))


def batch_norm(**options):
    return nn.BatchNorm2d(1, track_running_stats=False, **options)


MODELS = {
    "conv4": lambda: conv4(5, channels=16, norm="batch"),
    "nested": Residual,
    "one layer": batch_norm,
    "one layer, not affine": lambda: batch_norm(affine=False),
    "one layer, large epsilon": lambda: batch_norm(eps=0.1),
    "running statistics": lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)),
}


def randomised(make):
    """A model whose scales and shifts are not 1 and 0."""
    model = make()
    for p in model.parameters():
        nn.init.normal_(p, std=0.3)
    return model


@pytest.mark.parametrize("name", MODELS)
def test_on_the_images_measured_frozen_is_as_batch_normalisation(name):
    model, x = randomised(MODELS[name]), images(40)
    frozen = freeze_statistics(model, x)
    model.train()
    with torch.no_grad():
        torch.testing.assert_close(frozen(x), model(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_frozen_statistics_make_it_inductive(name):
    frozen = freeze_statistics(randomised(MODELS[name]), images(40))
    assert not any(isinstance(m, nn.BatchNorm2d) for m in frozen.modules())
    x = images()
    with torch.no_grad():
        alone = torch.cat([frozen(x[i : i + 1]) for i in range(len(x))])
        torch.testing.assert_close(frozen(x), alone, rtol=1e-4, atol=1e-5)
    if name != "running statistics":  # which no learner takes
        assert mt.FromScratch(MODELS[name](), mt.mse).transductive
    assert not mt.FromScratch(frozen, mt.mse).transductive


@pytest.mark.parametrize("name", MODELS)
def test_the_model_given_is_left_as_it_was(name):
    model = randomised(MODELS[name])
    before = {k: v.clone() for k, v in model.state_dict().items()}
    kinds = [(n, type(m), m.training) for n, m in model.named_modules()]
    freeze_statistics(model, images(40))
    assert [(n, type(m), m.training) for n, m in model.named_modules()] == kinds
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert not any(m._forward_pre_hooks for m in model.modules())


def test_the_frozen_copy_carries_no_hooks_and_shares_no_weights():
    model = conv4(channels=8, norm="batch")
    frozen = freeze_statistics(model, images(40))
    assert not any(m._forward_pre_hooks for m in frozen.modules())
    frozen[0].weight.data.zero_()
    assert model[0].weight.abs().sum() > 0


def test_scale_and_shift_are_frozen_with_the_statistics():
    model = conv4(channels=8, norm="batch")
    frozen = freeze_statistics(model, images(40))
    assert len(list(frozen.parameters())) == len(list(model.parameters())) - 8
    assert all(p.requires_grad for p in frozen.parameters())
    assert not any(value.requires_grad for value in frozen.state_dict().values())


def test_running_statistics_are_measured_anew_in_any_mode():
    """Those of training, which evaluation uses, have nothing to do with ``images``."""
    model = nn.Sequential(
        nn.BatchNorm2d(1), nn.Conv2d(1, 4, 3), nn.ReLU(), nn.BatchNorm2d(4)
    )
    x = images(40)
    frozen = [freeze_statistics(model.train(mode), x)(x) for mode in (True, False)]
    torch.testing.assert_close(frozen[0], frozen[1])
    assert frozen[1].mean().item() == pytest.approx(0, abs=1e-4)
    assert frozen[1].var(correction=0).item() == pytest.approx(1, abs=1e-2)


def test_the_statistics_are_as_precise_as_the_model():
    model, x = randomised(MODELS["conv4"]).double(), images(40).double()
    frozen = freeze_statistics(model, x)
    with torch.no_grad():
        torch.testing.assert_close(frozen(x), model(x), rtol=1e-11, atol=1e-12)


def test_measuring_draws_nothing():
    model, x = conv4(channels=8, norm="batch"), images(10)
    state = torch.get_rng_state()
    freeze_statistics(model, x)
    assert torch.equal(torch.get_rng_state(), state)


class Twice(nn.Module):
    """One layer, used in two places."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(1, track_running_stats=False)

    def forward(self, x):
        return self.norm(self.norm(x) + x)


class Unused(Twice):
    """The layer is there, but takes no part."""

    def forward(self, x):
        return x


@pytest.mark.parametrize(
    ("model", "n", "message"),
    [
        (lambda: conv4(norm="group"), 10, r"no nn\.BatchNorm2d: .* nothing to freeze"),
        (lambda: nn.BatchNorm1d(3), 10, r"no nn\.BatchNorm2d"),
        (lambda: conv4(norm="batch"), 1, "1 images have no statistics: give hundreds"),
        (lambda: conv4(norm="batch"), 0, "0 images have no statistics"),
        (Twice, 10, "layer 'norm' normalises twice in one pass"),
        (Unused, 10, "layer 'norm' took no part in the pass"),
    ],
)
def test_what_cannot_be_frozen_is_refused(model, n, message):
    with pytest.raises(ValueError, match=message):
        freeze_statistics(model(), images(n))
