"""``python -m metatutor.experiments [--ledger FILE] NAME [options of NAME]``."""

from __future__ import annotations

import shlex
import sys
from argparse import ArgumentParser
from pathlib import Path

from ..data import DataError
from . import memory, methods, omniglot_challenge, sinusoid
from .ledger import record

EXPERIMENTS = {
    "memory": memory,
    "methods": methods,
    "omniglot_challenge": omniglot_challenge,
    "sinusoid": sinusoid,
}


def main(words: list[str]) -> None:
    parser = ArgumentParser(prog="python -m metatutor.experiments", description=__doc__)
    parser.add_argument("--ledger", help="JSON file to record the figures in")
    names = parser.add_subparsers(dest="name", required=True)
    for name, module in EXPERIMENTS.items():
        sub = names.add_parser(name, help=module.__doc__.splitlines()[0])
        module.add_arguments(sub)
    options = parser.parse_args(words)
    made_by = words[words.index(options.name) :]  # where it is recorded matters not
    command = shlex.join(["python", "-m", "metatutor.experiments", *made_by])
    if options.ledger:  # a run of hours should not fail at its last line
        Path(options.ledger).parent.mkdir(parents=True, exist_ok=True)
    entries = EXPERIMENTS[options.name].run(options, command)
    if options.ledger:
        record(options.ledger, entries)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except DataError as error:  # the message says what to do; a traceback would not
        sys.exit(f"{error}")
