"""Chapters are run without progress bars, which would be noise among their outputs.

tqdm reads this when it is imported, which the notebooks' kernels do after us.
"""

import os

os.environ["TQDM_DISABLE"] = "1"
