"""The domain computes: it reaches no clock, no chance, no file, no network, no log (import-linter cannot say so)."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

import pytest

from tests.unit.architecture.imports import ROOT, imported_by, modules_below

IMPURE = {
    "asyncio", "concurrent", "ctypes", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets",
    "select", "selectors", "shutil", "signal", "socket", "socketserver", "sqlite3", "ssl", "subprocess", "tempfile",
    "threading", "time", "urllib.request", "http.client", "smtplib", "imaplib", "poplib", "ftplib",
}  # fmt: skip
LIBRARIES = {"email_validator", "idna"}
CALLS_THAT_REACH_OUT = {"open", "print", "input", "exec", "eval", "__import__"}
METHODS_THAT_ASK_THE_CLOCK = {"now", "utcnow", "today"}
CHANGEABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)


def impure_imports(source: str) -> Iterator[str]:
    """Yields a complaint for each import that the domain must not have."""
    for line, name in imported_by(source):
        top = name.partition(".")[0]
        if top == "domain" or top in LIBRARIES:
            continue
        parents = {name.rsplit(".", cut)[0] for cut in range(name.count(".") + 1)}
        if top not in sys.stdlib_module_names or parents & IMPURE:
            yield f"line {line} imports {name}"


def impure_calls(source: str) -> Iterator[str]:
    """Yields a complaint for each call that reads the clock or the world without an import that shows it."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name) and called.id in CALLS_THAT_REACH_OUT:
            yield f"line {node.lineno} calls {called.id}()"
        elif isinstance(called, ast.Attribute) and called.attr in METHODS_THAT_ASK_THE_CLOCK:
            owner = ast.unparse(called.value)
            if owner.rpartition(".")[2] in {"datetime", "date"}:
                yield f"line {node.lineno} calls {owner}.{called.attr}()"


def changeable_state(source: str) -> Iterator[str]:
    """
    Yields a complaint for each name of a module or class that is bound to something meant to change.

    A table is fine when it is declared Final and written out: an empty one is there to be filled.
    """
    tree = ast.parse(source)
    bodies = [tree.body, *(node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
    for statement in (statement for body in bodies for statement in body):
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or not isinstance(statement.value, CHANGEABLE):
            continue
        names = ast.unparse(statement.targets[0] if isinstance(statement, ast.Assign) else statement.target)
        if names != "__all__" and not (is_final(statement) and ast.unparse(statement.value) not in {"[]", "{}"}):
            yield f"line {statement.lineno} binds {names} to a value that can change"
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield f"line {node.lineno} rebinds {', '.join(node.names)} of the module"


def is_final(statement: ast.Assign | ast.AnnAssign) -> bool:
    """Tells whether the name is declared Final, with or without its type."""
    return isinstance(statement, ast.AnnAssign) and ast.unparse(statement.annotation).startswith(("Final", "ClassVar"))


def test_given_the_domain_when_its_imports_are_walked_then_only_pure_modules_are_named() -> None:
    complaints = [
        f"{file.relative_to(ROOT)}: {complaint}"
        for file in modules_below("domain")
        for complaint in impure_imports(file.read_text("utf-8"))
    ]

    assert modules_below("domain"), "no file was looked at"
    assert complaints == []


def test_given_the_domain_when_its_calls_are_walked_then_none_asks_the_clock_or_the_world() -> None:
    complaints = [
        f"{file.relative_to(ROOT)}: {complaint}"
        for file in modules_below("domain")
        for complaint in impure_calls(file.read_text("utf-8"))
    ]

    assert complaints == []


def test_given_the_domain_when_its_modules_are_read_then_none_holds_state_that_can_change() -> None:
    complaints = [
        f"{file.relative_to(ROOT)}: {complaint}"
        for file in modules_below("domain")
        for complaint in changeable_state(file.read_text("utf-8"))
    ]

    assert complaints == []


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "import os.path",
        "from time import monotonic",
        "from asyncio.events import AbstractEventLoop",
        "import urllib.request",
        "from http.client import HTTPConnection",
        "import grpc",
        "from service.usecases import send",
        "from . import errors",
        "def later():\n    import secrets",
    ],
)
def test_given_a_forbidden_import_when_walked_then_it_is_named(source: str) -> None:
    complaints = list(impure_imports(source))

    assert len(complaints) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import urllib.parse",
        "from http import HTTPStatus",
        "from email.message import EmailMessage",
        "import idna.core",
    ],
)
def test_given_a_pure_import_when_walked_then_nothing_is_said(source: str) -> None:
    complaints = list(impure_imports(source))

    assert complaints == []


@pytest.mark.parametrize("source", ["datetime.now(UTC)", "datetime.datetime.utcnow()", "date.today()", "open('a')"])
def test_given_a_call_that_reaches_out_when_walked_then_it_is_named(source: str) -> None:
    complaints = list(impure_calls(source))

    assert len(complaints) == 1


@pytest.mark.parametrize(
    "source",
    [
        "LIMITS = {'a': 1}",
        "SEEN: list[str] = []",
        "CACHE: Final = {}",
        "class Rules:\n    known = ['a']",
        "def count():\n    global COUNT\n    COUNT = 1",
    ],
)
def test_given_state_that_can_change_when_read_then_it_is_named(source: str) -> None:
    complaints = list(changeable_state(source))

    assert len(complaints) == 1


@pytest.mark.parametrize("source", ["LIMITS: Final = {'a': 1}", "__all__ = ['a']", "NAMES = ('a', 'b')"])
def test_given_a_constant_when_read_then_nothing_is_said(source: str) -> None:
    complaints = list(changeable_state(source))

    assert complaints == []
