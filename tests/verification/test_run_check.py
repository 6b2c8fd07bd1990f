"""The check in another process: answers, errors, and libraries that end their process."""

from __future__ import annotations

import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from b2nn_tvm.compiler import compile_model
from b2nn_tvm.deploy.library.library_files import LIBRARY
from b2nn_tvm.deploy.library.manifest import read_manifest
from b2nn_tvm.errors import InputError, VerificationError
from b2nn_tvm.verification import run_check as module
from b2nn_tvm.verification.check_worker import Request
from b2nn_tvm.verification.oracle import NoReference
from b2nn_tvm.verification.run_check import Disagrees, differences, run_check
from b2nn_tvm.verification.verify_artifact import INPUTS
from tests.support.networks.onnx_models import save
from tests.support.networks.onnx_networks import Network

SMALL = Network("a = Conv (input, w) output = Relu (a)", {"w": (5, 4, 3, 3)})


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Request:
    folder = tmp_path_factory.mktemp("small")
    path = save(folder, SMALL.build())
    compile_model(path, output=folder / "library", verify=False).close()
    return Request(str(folder / "library"), str(path), None, str(folder / "arrays.npz"))


def test_one_process_serves_many_checks(small):
    assert run_check(small).inputs == INPUTS
    process = module._worker._process
    assert process is not None
    assert run_check(small).inputs == INPUTS
    assert module._worker._process is process


def test_errors_keep_their_kinds(small, tmp_path):
    other = save(tmp_path, Network("output = Relu (input)").build(), "other.onnx")
    with pytest.raises(Disagrees, match="^the compiled library disagrees with onnxruntime on other.onnx"):
        run_check(replace(small, onnx_path=str(other), arrays=str(tmp_path / "a.npz")))
    nonsense = save(tmp_path, Network("output = Nonsense (input)").build(), "nonsense.onnx")
    with pytest.raises(NoReference) as caught:
        run_check(replace(small, onnx_path=str(nonsense)))
    assert caught.value.reason.startswith("it has no operator Nonsense")
    with pytest.raises(InputError):
        run_check(replace(small, folder=str(tmp_path)))
    with pytest.raises(VerificationError, match="the check of the library failed: .*; please report it"):
        differences(replace(small, arrays=str(tmp_path / "absent.npz"), same_inputs=True))


def test_a_library_that_crashes_is_an_error_and_the_next_check_works(tmp_path, small):
    """Code that divides integers by zero, in place of the library's own."""
    import hashlib
    import shutil
    import subprocess

    folder = tmp_path / "crashing"
    shutil.copytree(small.folder, folder)
    source = tmp_path / "crash.c"
    source.write_text(
        "#include <signal.h>\n__attribute__((constructor)) static void crash(void) { raise(SIGFPE); }\n", "ascii"
    )
    subprocess.run(["cc", "-shared", "-fPIC", str(source), "-o", str(folder / LIBRARY)], check=True)
    manifest = read_manifest(folder)
    digest = hashlib.sha256((folder / LIBRARY).read_bytes()).hexdigest()
    replace(manifest, library=replace(manifest.library, sha256=digest)).save(folder)
    with pytest.raises(VerificationError, match="the compiled library ended with the signal SIGFPE, as a division of"):
        run_check(replace(small, folder=str(folder)))
    assert run_check(small).inputs == INPUTS


def test_a_process_that_was_killed_meanwhile_is_replaced(small):
    run_check(small)
    process = module._worker._process
    assert process is not None
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert run_check(small).inputs == INPUTS


def test_paths_may_be_relative_to_another_folder_than_that_of_the_first_check(small, monkeypatch):
    run_check(small)
    library = Path(small.folder)
    monkeypatch.chdir(library.parent)
    assert run_check(replace(small, folder=library.name, onnx_path=Path(small.onnx_path).name)).inputs == INPUTS


def test_an_interruption_ends_the_process(small, monkeypatch):
    run_check(small)
    process = module._worker._process
    assert process is not None and process.stdout is not None

    class Interrupted:
        def readline(self) -> str:
            raise KeyboardInterrupt

        close = staticmethod(process.stdout.close)

    monkeypatch.setattr(process, "stdout", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        run_check(small)
    assert process.returncode is not None and module._worker._process is None


def test_threads_ask_one_after_the_other(small):
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(run_check(small).inputs)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [INPUTS] * 4
