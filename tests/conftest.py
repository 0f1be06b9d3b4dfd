"""Set up a test run: how much Hypothesis tries."""

from hypothesis import settings

settings.register_profile("fastlogit", deadline=None, derandomize=True, max_examples=200)
settings.load_profile("fastlogit")
