"""What all floors share: the lab of real servers can be imported, and hypothesis does not mistake a busy machine for a bug.

Hypothesis tries the same examples each time, so that a change is judged by what it changes; `--hypothesis-profile=explore` tries new ones.
"""

import sys
from pathlib import Path

from hypothesis import settings

CHECKOUT = Path(__file__).resolve().parents[1]

sys.path.insert(0, str(CHECKOUT / "scripts"))

settings.register_profile("settled", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile("settled")
