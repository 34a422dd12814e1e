"""Where the time and memory of a derivative go: `profile`."""

from funcdiff.profiler.profile import Profile as Profile
from funcdiff.profiler.profile import profile as profile

__all__ = ["Profile", "profile"]
