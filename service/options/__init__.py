"""The environment and secret files as one frozen Options; all problems at once, before a port opens."""

from service.options.model import Address, LogFormat, Options, OptionsInvalid, Problem, ProcessRole
from service.options.reading import default_data_dir, load_options

__all__ = [
    "Address",
    "LogFormat",
    "Options",
    "OptionsInvalid",
    "Problem",
    "ProcessRole",
    "default_data_dir",
    "load_options",
]
