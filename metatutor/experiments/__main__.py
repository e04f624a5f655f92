"""``python -m metatutor.experiments [--ledger FILE] NAME [options of NAME]``.

``verify`` instead of a name measures the quick figures of the ledger again.
"""

from __future__ import annotations

import shlex
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from ..data import DataError
from . import architecture, memory, methods, omniglot_challenge, sinusoid
from .ledger import record
from .verify import LEDGER, verify
from .verify import add_arguments as add_verify_arguments

EXPERIMENTS = {
    "architecture": architecture,
    "memory": memory,
    "methods": methods,
    "omniglot_challenge": omniglot_challenge,
    "sinusoid": sinusoid,
}


def parse(words: list[str]) -> Namespace:
    """What is asked for on the command line."""
    parser = ArgumentParser(prog="python -m metatutor.experiments", description=__doc__)
    parser.add_argument("--ledger", help="JSON file to record the figures in")
    names = parser.add_subparsers(dest="name", required=True)
    for name, module in EXPERIMENTS.items():
        sub = names.add_parser(name, help=module.__doc__.splitlines()[0])
        module.add_arguments(sub)
    add_verify_arguments(
        names.add_parser("verify", help="measure the ledger's quick figures again")
    )
    return parser.parse_args(words)


def run(words: list[str]) -> list[dict]:
    """The entries that an experiment makes."""
    options = parse(words)
    made_by = words[words.index(options.name) :]  # where it is recorded matters not
    command = shlex.join(["python", "-m", "metatutor.experiments", *made_by])
    return EXPERIMENTS[options.name].run(options, command)


def main(words: list[str]) -> int:
    """Runs an experiment, or the comparison; returns the exit status."""
    options = parse(words)
    if options.name == "verify":
        try:
            return verify(options.ledger or LEDGER, options.only, EXPERIMENTS, run)
        except DataError as error:
            print(error, file=sys.stderr)
            return 2
    if options.ledger:  # a run of hours should not fail at its last line
        Path(options.ledger).parent.mkdir(parents=True, exist_ok=True)
    entries = run(words)
    if options.ledger:
        record(options.ledger, entries)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except DataError as error:  # the message says what to do; a traceback would not
        sys.exit(f"{error}")
