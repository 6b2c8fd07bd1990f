from __future__ import annotations

import pytest

from b2nn_tvm.errors import B2nnError, InputError, ProgramFault, TargetError
from b2nn_tvm.faults.program_fault import faults_of, foreign


class Cancelled(Exception):
    """What a user's own callback may raise to end the work."""


def raised(error: Exception, **options) -> BaseException:
    with pytest.raises(B2nnError) as caught, faults_of("generating code", **options):
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (ValueError("a\n b"), ProgramFault, "generating code failed: ValueError: a; this is a fault of this program"),
        (KeyError(), ProgramFault, "generating code failed: KeyError; this is"),
        (RuntimeError("\n  \n Check  failed\nmore"), ProgramFault, "failed: RuntimeError: Check failed; this"),
        (RuntimeError("x" * 5000), ProgramFault, "xxx...; this is a fault"),
        (MemoryError(), InputError, "generating code ran out of memory; make the inputs of the network smaller"),
        (RuntimeError("std::bad_alloc"), InputError, "ran out of memory"),
        (OSError(28, "No space left on device"), InputError, "No space left on device"),
        (PermissionError(13, "Permission denied", "out"), InputError, "out: Permission denied"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_error_becomes_one_line_for_users_and_stays_its_cause(error, kind, text):
    found = raised(error)
    assert type(found) is kind and text in str(found)
    assert "\n" not in str(found) and len(str(found)) < 500
    assert found.__cause__ is error


def test_errors_for_users_pass_as_they_are():
    error = TargetError("no such target")
    assert raised(error) is error


def test_the_place_is_asked_for_after_a_fault_alone():
    asked = []

    def where() -> str:
        asked.append(1)
        return "at node 'a' (Conv)"

    with faults_of("generating code", where=where):
        pass
    assert asked == []
    assert "generating code failed at node 'a' (Conv): ValueError: no;" in str(raised(ValueError("no"), where=where))


def test_a_place_that_cannot_be_found_hides_nothing():
    assert "generating code failed: ValueError: no;" in str(raised(ValueError("no"), where=lambda: {}["nowhere"]))


def test_what_a_users_own_function_raises_passes():
    @faults_of("compiling")
    def work(progress):
        progress(3)

    @foreign
    def progress(done):
        raise Cancelled(done)

    with pytest.raises(Cancelled, match="3"):
        work(progress)


def test_an_interruption_passes():
    with pytest.raises(KeyboardInterrupt), faults_of("compiling"):
        raise KeyboardInterrupt


def test_a_fault_inside_of_another_is_told_once():
    told = pytest.raises(ProgramFault, match="^scheduling failed: ValueError: no; this is a fault of this program")
    with told, faults_of("compiling"), faults_of("scheduling"):
        raise ValueError("no")
