"""Settings of every test: hypothesis judges results, not times."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
