"""What all floors share: the lab of real servers can be imported, and hypothesis does not mistake a busy machine for a bug."""

import sys
from pathlib import Path

from hypothesis import settings

CHECKOUT = Path(__file__).resolve().parents[1]

sys.path.insert(0, str(CHECKOUT / "scripts"))

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
