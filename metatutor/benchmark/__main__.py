"""``python -m metatutor.benchmark [--only PART ...] [--json FILE]``.

Times second-order meta-gradients of MAML: this package's engine beside a Python loop,
the libraries higher and TorchOpt where they are installed, and passes without any meta-
learning. Whoever computes another meta-gradient is refused.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path

import torch

from ..experiments.ledger import write_json
from . import cases, memory, ranks, training
from .agreement import Refused
from .contestants import ALL
from .report import LEGEND, machine, tables
from .settings import Row, Say, Settings

PARTS: dict[str, Callable[[Settings, Say], Iterable[Row]]] = {
    **{part: partial(cases.run, part) for part in cases.CASES},
    "memory": memory.run,
    "ranks": ranks.run,
    "sinusoid": training.run,
}


def parser() -> ArgumentParser:
    """The options, each with its default."""
    made = ArgumentParser(prog="python -m metatutor.benchmark", description=__doc__)
    say = made.add_argument
    say("--only", nargs="+", choices=PARTS, default=[*PARTS], metavar="PART",
        help=f"of {', '.join(PARTS)}; all if not given")  # fmt: skip
    say("--leave-out", nargs="+", choices=ALL, default=[], metavar="WHO",
        help=f"of {', '.join(ALL)}")  # fmt: skip
    say("--seconds", type=float, help="of rounds for each case (20)")
    say("--iterations", type=int, default=70_000, help="of the part sinusoid")
    say("--quick", action="store_true", help="tiny sizes: does it all work?")
    say("--threads", type=int, help="of this process; PyTorch's choice if not given")
    say("--device", default="cpu", help="cpu or cuda")
    say("--json", metavar="FILE", help="where to write all figures")
    return made


def settings_of(options) -> Settings:
    """The options as all parts understand them."""
    seconds = options.seconds
    if seconds is None:
        seconds = 0.0 if options.quick else Settings.seconds
    return Settings(
        device=options.device,
        seconds=seconds,
        rounds=2 if options.quick else Settings.rounds,
        quick=options.quick,
        leave_out=tuple(options.leave_out),
        iterations=options.iterations,
    )


def main(words: list[str]) -> None:
    """Measures part by part; each part's figures are safe before the next begins.

    Raises:
        Refused: a contestant computes something else.
    """
    options = parser().parse_args(words)
    if options.threads:
        torch.set_num_threads(options.threads)
    # convolutions on a GPU would otherwise keep 10 bits, and nobody would agree
    torch.backends.cudnn.allow_tf32 = False
    if options.json:  # a run of hours should not fail at its last line
        Path(options.json).parent.mkdir(parents=True, exist_ok=True)
    measured_on = machine(options.device)  # the code's commit at the start
    print(", ".join(f"{name}: {value}" for name, value in measured_on.items()))
    print(LEGEND)
    rows: list[Row] = []
    say = cache(partial(print, flush=True))  # the same thing only once
    for part in options.only:
        found = list(PARTS[part](settings_of(options), say))
        rows += found
        print(f"\n{tables(found)}", flush=True)
        if options.json:
            write_json(options.json, {"machine": measured_on, "rows": rows})


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Refused as refusal:
        sys.exit(f"{refusal}")
