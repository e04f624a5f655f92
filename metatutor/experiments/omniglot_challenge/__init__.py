"""The Omniglot challenge: learn a character from one example, as people do.

Lake et al. 2015 set 20 trials, each 20-way one-shot classification within one
alphabet; people err in 4.5 %. Here a small residual network is trained as a
prototypical network, on drawn glyphs alone, on the five alphabets of Omniglot's
"small1", or on both, for a stated number of iterations, and judged on trials made from
"small2" by a fixed recipe. The official trials choose nothing: `score` is for them.

    python -m metatutor.experiments omniglot_challenge               # the whole plan
    python -m metatutor.experiments omniglot_challenge train …       # one backbone
    python -m metatutor.experiments omniglot_challenge score --weights W --trials F
"""

from .commands import add_arguments, again, run, stored

__all__ = ["add_arguments", "again", "run", "stored"]
