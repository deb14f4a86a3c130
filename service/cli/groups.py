"""Options that belong together, declared once as a dataclass and taken by any command that names it as a parameter."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard


def flattened(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Returns the parameters of *function* for typer, each dataclass among them replaced by its fields."""
    parameters = []
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        group = parameter.annotation
        parts = flattened(group) if _is_group(group) else [parameter]
        parameters += [part.replace(kind=inspect.Parameter.KEYWORD_ONLY) for part in parts]
    return parameters


def gathered(function: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arguments of *function* from flat *values*: the reverse of `flattened`."""
    arguments = {}
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        group = parameter.annotation
        if _is_group(group):
            arguments[parameter.name] = group(**gathered(group, values))
        else:
            arguments[parameter.name] = values[parameter.name]
    return arguments


def _is_group(annotation: object) -> TypeGuard[type]:
    return isinstance(annotation, type) and dataclasses.is_dataclass(annotation)
