"""Property tests are seeded, write no files, and have no deadline of their own."""

from hypothesis import settings

settings.register_profile("protocol", deadline=None, derandomize=True, database=None)
settings.load_profile("protocol")
