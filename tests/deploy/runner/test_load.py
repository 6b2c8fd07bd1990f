"""b2nn-run opens a library, or says why it does not fit this machine or this program."""

from __future__ import annotations

import shutil

import pytest

from b2nn_tvm.deploy.library.library_files import LIBRARY, RUNNER
from tests.support.deploy.runner_process import refused, start


def test_the_library_may_be_named(net, tmp_path):
    for library in (net, net / LIBRARY):
        assert start(net, library).returncode == 0
    assert start(net, LIBRARY, cwd=net).returncode == 0
    shutil.copy(net / RUNNER, tmp_path)
    message = f"error: {tmp_path / LIBRARY}: expected the library of a compiled network, but cannot open it"
    assert refused(tmp_path) == message


def test_files_that_are_no_library_are_named(net, tmp_path):
    other = tmp_path / "other.so"
    for content in (b"", b"text" * 100, (net / LIBRARY).read_bytes()[:40]):
        other.write_bytes(content)
        assert (
            refused(net, other)
            == f"error: {other}: expected the library of a compiled network, or a JPEG, PNG, PPM or PGM file, but it is"
            " neither"
        )
    (tmp_path / "photos" / "cats").mkdir(parents=True)
    text = refused(net, tmp_path / "photos")
    assert text.startswith(f"error: {tmp_path / 'photos'}: this folder has neither a compiled network ({LIBRARY}) nor")
    assert text.endswith("name one of the folders in it, if they have them")
    content = (net / LIBRARY).read_bytes()
    for count in (64, 5000, len(content) - 1):  # dlopen itself would be stopped by a signal
        other.write_bytes(content[:count])
        message = f"the library is cut short: {count} bytes of {len(content)}; copy it again"
        assert refused(net, other) == f"error: {other}: {message}"


NAMES = {62: "64-bit x86", 3: "32-bit x86", 183: "64-bit ARM", 40: "32-bit ARM", 243: "another kind of CPU"}


@pytest.mark.parametrize("machine", NAMES)
def test_a_library_of_another_machine_is_named(net, tmp_path, machine):
    content = bytearray((net / LIBRARY).read_bytes())
    if machine == int.from_bytes(content[18:20], "little"):
        pytest.skip("this is the machine's own")
    content[18:20] = machine.to_bytes(2, "little")
    (tmp_path / LIBRARY).write_bytes(content)
    assert f"the library is for {NAMES[machine]}, but this program and this system are for " in refused(net, tmp_path)


VERSIONS = {
    "int b2nn_abi_version(void) { return 2; }": (
        "the library has version 2 of the C interface, this program 1; use both from one bundle"
    ),
    "int b2nn_abi_version(void) { return 1; }": (
        "the library has no function b2nn_model_id: it is no compiled network, or one of an older version"
    ),
    "int other(void) { return 1; }": "the library has no function b2nn_abi_version: it is no compiled network",
}


@pytest.mark.parametrize("source", VERSIONS)
def test_a_library_of_another_version_is_named(workshop, net, tmp_path, source):
    (tmp_path / "x.c").write_text(source + "\n")
    workshop.compile(workshop.target(), "-shared", "-fPIC", str(tmp_path / "x.c"), "-o", str(tmp_path / "x.so"))
    assert refused(net, tmp_path / "x.so").startswith(f"error: {tmp_path / 'x.so'}: {VERSIONS[source]}")
