"""Settings that every test shares: how hypothesis looks for examples.

The default profile is deterministic, so that a run tells something about the change and
not about luck; `HYPOTHESIS_PROFILE=explore make fast-tests` looks further, with new examples
at each run.
"""

import os

from hypothesis import settings

# No deadline per example in either: it would be an absolute time on an unknown machine.
settings.register_profile("default", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
