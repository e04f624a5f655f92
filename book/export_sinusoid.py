"""Write the networks of the sinusoid figure: ``python book/export_sinusoid.py``.

They are MAML's and joint pre-training's of the result ledger (``book/results.json``):
seed 0, 70,000 iterations. Without its checkpoints in ``runs/`` they are trained
first, which takes some ten minutes. The file is a script that sets a variable, since
a page on ``file://`` may not fetch data; numbers are as exact as float32.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path

import torch

import metatutor as mt
from metatutor.experiments import sinusoid

FILE = Path(__file__).parent / "_static" / "interactive" / "sinusoid-weights.js"
METHODS = {"maml": "MAML", "joint": "joint pre-training"}
ITERATIONS, SEED = 70_000, 0
TASK_SEED = 319  # the task that the chapter on MAML adapts to


def numbers(tensor: torch.Tensor) -> list:
    """Nested lists of the shortest decimals that are these float32 numbers."""
    if tensor.ndim:
        return [numbers(row) for row in tensor]
    return float(str(tensor.numpy()[()]))


def layers(model: torch.nn.Sequential) -> list[dict[str, list]]:
    """Weight (outputs × inputs) and bias of each linear layer."""
    return [
        {"weight": numbers(layer.weight.detach()), "bias": numbers(layer.bias.detach())}
        for layer in model
        if isinstance(layer, torch.nn.Linear)
    ]


def task() -> dict:
    """The task with which the figure starts."""
    generator = torch.Generator().manual_seed(TASK_SEED)
    batch = mt.data.Sinusoid(shots=5).sample(1, generator=generator)
    truth = {name: numbers(value[0]) for name, value in batch.truth.items()}
    return {**truth, "x": numbers(batch.support_x.flatten())}


def main() -> None:
    """Load or train the networks and write the file."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", default="runs", help="where checkpoints are kept")
    runs = parser.parse_args().runs
    torch.set_num_threads(1)
    options = Namespace(iterations=ITERATIONS, runs=runs)
    data = {"task": task()}
    for key, name in METHODS.items():
        learner, _ = sinusoid.train(name, sinusoid.METHODS[name], SEED, options)
        data[key] = layers(learner.model)
    text = json.dumps(data, separators=(",", ":"))
    FILE.write_text(
        "// Made by book/export_sinusoid.py; MIT licence.\n"
        f"window.metatutorSinusoidWeights = {text};\n",
        encoding="utf-8",
    )
    print(f"{FILE}: {FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
