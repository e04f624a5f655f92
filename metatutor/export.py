"""A trained backbone as an ONNX file, which other programs run without torch.

ONNX describes a network by standard operations. What adapts to a task is not in the
file: class means are a few lines of NumPy on top of the embedding.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn

from .data.files import DataError, store

INPUT, OUTPUT = "images", "features"


def to_onnx(backbone: nn.Module, file: str | Path, shape: Sequence[int]) -> None:
    """Writes ``backbone`` as ONNX, for any number of inputs of one ``shape``.

    The file is there whole or not at all. Everything that the exporter notes about
    the Python source (it names folders of this machine) is left out.

    Args:
        backbone: ``(images, *shape) -> (images, features)``; it is left as it is.
        file: where to.
        shape: of one input, such as ``(1, 28, 28)``.

    Raises:
        ImportError: onnx or onnxscript is not installed; it says how to.
        ValueError: a backbone whose embedding of an image depends on the others that
            come with it: what it answers would depend on who else is asking.
    """
    needed("onnx")
    needed("onnxscript")
    model = copy.deepcopy(backbone).cpu().eval().requires_grad_(False)
    example = torch.rand(3, *shape, generator=torch.Generator().manual_seed(0))
    refuse_mixing(model, example)
    program = torch.onnx.export(
        model,
        (example,),
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
        dynamo=True,
        verbose=False,
    )
    store(without_notes(program.model_proto), Path(file))


def refuse_mixing(model: nn.Module, images: Tensor) -> None:
    """Raises ValueError if an image is embedded otherwise alone than with others."""
    with torch.no_grad():
        together = model(images)
        alone = torch.cat([model(image[None]) for image in images])
    gap = (together - alone).abs().max().item()
    if not gap <= 1e-3 * together.abs().max().item():
        raise ValueError(
            f"an image is embedded otherwise alone than with others (by {gap:.2g}): "
            "normalise by the image alone (norm='group'), or fix the statistics with "
            "metatutor.models.freeze_statistics"
        )


def without_notes(proto) -> bytes:
    """An ONNX model without what the exporter noted about its source."""
    graph = proto.graph
    parts = [proto, graph, *graph.node, *graph.input, *graph.output]
    for part in [*parts, *graph.value_info, *graph.initializer, *proto.functions]:
        del part.metadata_props[:]
        part.doc_string = ""
    return proto.SerializeToString()


def embedding(file: str | Path, threads: int = 1) -> Callable[[np.ndarray], np.ndarray]:
    """The network in an ONNX file, run by onnxruntime, as a function.

    Args:
        file: that `to_onnx` wrote.
        threads: that onnxruntime may use.

    Returns:
        ``(images, …)`` float32 → ``(images, features)`` float32.

    Raises:
        ImportError: onnxruntime is not installed; it says how to install it.
        DataError: no such file, or one that is no such network.
    """
    runtime = needed("onnxruntime")
    if not Path(file).is_file():
        raise DataError(f"{file} is missing: write it with metatutor.export.to_onnx")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # what it has to say comes as an exception too
    try:
        session = runtime.InferenceSession(
            str(file), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime has a class of its own for each fault
        raise DataError(
            f"{file} is no ONNX network that onnxruntime can run, or is damaged: "
            f"export it again ({error})"
        ) from error
    (taken,) = session.get_inputs()

    def embed(images: np.ndarray) -> np.ndarray:
        (features,) = session.run(None, {taken.name: images})
        return features

    return embed


def agreement(
    backbone: nn.Module, file: str | Path, images: Tensor, chunk: int = 250
) -> float:
    """The largest difference between a backbone and its exported file.

    Args:
        backbone: as it was exported.
        file: the ONNX file.
        images: ``(images, …)``, what the network is for: on noise it may agree more.
        chunk: images computed at once.

    Returns:
        The largest over all images and features; above 1e-5 look for the layer
        that was exported otherwise.

    Raises:
        ValueError: no images.
        ImportError, DataError: as from `embedding`.
    """
    if not len(images):
        raise ValueError("images is empty: some hundreds of real ones are needed")
    embed = embedding(file)
    with torch.no_grad():
        gaps = [
            (backbone(part) - torch.from_numpy(embed(part.numpy()))).abs().max().item()
            for part in images.split(chunk)
        ]
    return max(gaps)


def needed(name: str) -> ModuleType:
    """A package that only exporting needs, or an error that says how to get it.

    Raises:
        ImportError: it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(
            f"exporting needs {name}, which is not installed: "
            "pip install 'metatutor[chapters]'"
        ) from error
