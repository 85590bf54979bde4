"""CTP profiles: which account logs in at which fronts, as TOML files. docs/profiles.md tells how to write one."""

from aegis.profiles.files import find, load, names, variables
from aegis.profiles.problems import Problem, ProfileError
from aegis.profiles.profile import CtpLogin, CtpProfile

__all__ = ["CtpLogin", "CtpProfile", "Problem", "ProfileError", "find", "load", "names", "variables"]
