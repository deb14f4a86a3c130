"""The table of PostgreSQL's errors, without a database."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import errors
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from adapters.postgres.failures import DatabaseUrlInvalid, checked_dsn, explain, spoils_connection, translated
from domain.errors import Overloaded, Unavailable
from domain.reasons import Reason

SECRET = "hunter2-in-the-dsn"


@pytest.mark.parametrize(
    "error",
    [
        PoolTimeout, PoolClosed, errors.OperationalError, errors.AdminShutdown, errors.CrashShutdown,
        errors.CannotConnectNow, errors.ReadOnlySqlTransaction, errors.ConnectionFailure, errors.DiskFull,
        errors.TooManyConnections, errors.IoError, errors.IdleSessionTimeout,
    ],
)  # fmt: skip
def test_given_a_database_that_is_away_when_explained_then_unavailable(error: type[psycopg.Error]) -> None:
    meaning = explain(error(SECRET))

    assert type(meaning) is Unavailable
    assert meaning.reason is Reason.DATABASE_UNAVAILABLE


@pytest.mark.parametrize(
    "error",
    [
        TooManyRequests, errors.QueryCanceled, errors.LockNotAvailable, errors.DeadlockDetected,
        errors.SerializationFailure, errors.IdleInTransactionSessionTimeout, errors.TransactionTimeout,
    ],
)  # fmt: skip
def test_given_a_database_that_is_busy_when_explained_then_overloaded(error: type[psycopg.Error]) -> None:
    meaning = explain(error(SECRET))

    assert type(meaning) is Overloaded
    assert meaning.reason is Reason.OVERLOADED


@pytest.mark.parametrize(
    "error",
    [
        errors.UniqueViolation, errors.UndefinedTable, errors.SyntaxError, errors.InsufficientPrivilege,
        errors.StatementTooComplex, errors.ProgrammingError, errors.InterfaceError, errors.DataError,
    ],
)  # fmt: skip
def test_given_a_fault_of_ours_when_translated_then_it_passes_as_it_is(error: type[psycopg.Error]) -> None:
    raised = error("wrong")

    with pytest.raises(error) as caught, translated():
        raise raised

    assert caught.value is raised


async def test_given_a_foreign_error_when_translated_then_it_passes_as_it_is() -> None:
    with pytest.raises(KeyError):
        async with translated():
            raise KeyError("not the database's")


async def test_given_an_error_that_names_the_password_when_translated_then_only_the_cause_has_it() -> None:
    original = errors.OperationalError(f"connection failed: {SECRET}")

    with pytest.raises(Unavailable) as caught:
        async with translated():
            raise original

    assert caught.value.__cause__ is original
    assert SECRET not in f"{caught.value} {caught.value.message} {caught.value.remedy} {caught.value.metadata}"


@pytest.mark.parametrize("error", [errors.OperationalError, errors.AdminShutdown, errors.ConnectionFailure])
def test_given_a_line_that_broke_when_explained_then_the_remedy_does_not_claim_nothing_was_stored(
    error: type[psycopg.Error],
) -> None:
    meaning = explain(error("broken during commit"))

    assert meaning is not None
    assert "nothing was stored" not in meaning.remedy


@given(st.sampled_from(sorted(vars(errors))).map(lambda name: getattr(errors, name)))
def test_given_any_error_of_psycopg_when_explained_then_the_text_is_fixed(error: object) -> None:
    if not (isinstance(error, type) and issubclass(error, psycopg.Error)):
        return

    meaning = explain(error(SECRET))

    assert meaning is None or (SECRET not in str(meaning) and meaning.message and meaning.remedy)


@pytest.mark.parametrize(
    ("error", "spoils"),
    [
        (errors.ReadOnlySqlTransaction, True), (errors.AdminShutdown, True), (errors.ConnectionFailure, True),
        (errors.UniqueViolation, False), (errors.QueryCanceled, False), (errors.OperationalError, False),
    ],
)  # fmt: skip
def test_given_an_error_when_asked_then_tells_whether_the_connection_is_spoilt(
    error: type[psycopg.Error], spoils: bool
) -> None:
    answer = spoils_connection(error())

    assert answer is spoils


@pytest.mark.parametrize("dsn", [f"postgresql://u:{SECRET}%zz@h/d", f"password={SECRET} nonsense", f"pass={SECRET}"])
def test_given_a_dsn_that_cannot_be_read_when_checked_then_no_part_of_it_is_quoted(dsn: str) -> None:
    with pytest.raises(DatabaseUrlInvalid) as caught:
        checked_dsn(dsn)

    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("dsn", ["postgresql://u:p%40ss@h:5432/d", "host=h dbname=d password='a b'", ""])
def test_given_a_dsn_that_can_be_read_when_checked_then_it_comes_back(dsn: str) -> None:
    assert checked_dsn(dsn) == dsn
