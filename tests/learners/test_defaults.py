"""What a learner does when it is told nothing.

A default that changes alters readers' results: it has to be changed here, too.
"""

import inspect

import pytest
import torch

import metatutor as mt

ONE_STEP = {"inner_lr": 0.01, "inner_steps": 1, "first_order": False}
PROXIMAL = {"strength": 2.0, "max_steps": 200, "tolerance": None, "exact": True}
DEFAULTS = {
    mt.MAML: ONE_STEP,
    mt.MetaSGD: ONE_STEP,
    mt.ANIL: ONE_STEP,
    mt.MAMLPlusPlus: ONE_STEP | {"inner_steps": 5, "anneal_over": 1000},
    mt.CAVIA: ONE_STEP | {"inner_lr": 1.0, "context": 4},
    mt.Reptile: {"inner_lr": 0.01, "inner_steps": 5, "inner_batch": None},
    mt.ImplicitMAML: PROXIMAL | {"cg_steps": 50},
    mt.MinibatchProx: PROXIMAL,
    mt.R2D2: {"penalty": 1.0},
    mt.MatchingNetwork: {"scale": 10.0},
    mt.LinearProbe: {"lr": 1.0, "steps": 100, "penalty": 1e-3},
    mt.ALPaCA: {"outputs": 1, "noise": 0.1, "learn_noise": True},
    mt.BMAML: {"inner_lr": 0.01, "inner_steps": 1, "noise": 0.1},
    mt.ConditionalNeuralProcess: {"floor": 1e-3},
}


@pytest.mark.parametrize("kind", DEFAULTS, ids=lambda kind: kind.__name__)
def test_defaults(kind):
    signature = inspect.signature(kind).parameters
    found = {
        name: parameter.default
        for name, parameter in signature.items()
        if name != "loss" and parameter.default is not inspect.Parameter.empty
    }
    assert found == DEFAULTS[kind]


@pytest.mark.parametrize("kind", [mt.ImplicitMAML, mt.MinibatchProx])
def test_the_tolerance_is_what_the_numbers_allow(kind):
    model = mt.models.mlp(1, 1)
    assert kind(model, mt.mse).precision(torch.float64) == 1e-11
    assert kind(model, mt.mse).precision(torch.float32) == 1e-4
    assert kind(model, mt.mse, tolerance=0.1).precision(torch.float64) == 0.1
