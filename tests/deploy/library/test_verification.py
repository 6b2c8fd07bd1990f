"""The words for how a library was checked."""

import pytest

from b2nn_tvm.deploy.library.verification import EMULATED, METHODS, NOT_CHECKED, SAME_NETWORK, Verification, not_checked


def test_what_was_not_checked_is_warned_of():
    found = not_checked("--no-verify")
    assert found.note == "this library was not checked against the reference (--no-verify); its results may be wrong"
    assert found.summary == ""


@pytest.mark.parametrize("method", sorted(set(METHODS) - {NOT_CHECKED}))
def test_what_was_checked_is_said_in_one_line(method):
    found = Verification(method, "", 2.5e-7, 3)
    assert found.note == ""
    assert (
        found.summary == f"compared with onnxruntime on 3 random inputs: {method}, largest relative difference 2.5e-07"
    )


def test_one_input_and_a_library_that_was_not_run_itself():
    assert "on 1 random input: this library, emulated, " in Verification(EMULATED, "", 0.0, 1).summary
    found = Verification(SAME_NETWORK, "no result after 9 s", 0.0, 3)
    assert found.summary.endswith("; the library itself was not run under the emulator: no result after 9 s")
