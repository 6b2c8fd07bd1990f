from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

import b2nn_tvm
from b2nn_tvm.deploy.codegen.program import TensorSpec
from b2nn_tvm.deploy.library.artifact import check_inputs, load
from b2nn_tvm.deploy.library.build_library import build_library
from b2nn_tvm.deploy.library.library_files import LIBRARY
from b2nn_tvm.deploy.library.manifest import read_manifest
from b2nn_tvm.errors import DeviceError, InputError
from tests.support.deploy.handmade import N, expected, program


def test_a_loaded_network_computes(artifact, x):
    result = artifact.run({"input": x})
    np.testing.assert_array_equal(result["output"], expected(x, shifts=1) + 1)
    assert result["output"].shape == (1, N)
    assert (result["tasks"].shape, int(result["tasks"])) == ((), 1)
    assert int(artifact.run({"input": x}, threads=3)["tasks"]) == 3


def test_it_says_what_it_is(artifact):
    assert [spec.name for spec in artifact.inputs] == ["input"]
    assert [spec.name for spec in artifact.outputs] == ["output", "tasks"]
    assert artifact.layers[0].precision == "binary"
    assert artifact.layers[1].reason == "its weights are not ±alpha"
    assert artifact.target.vector == "avx2"
    assert repr(artifact).startswith("Artifact('")


def test_the_package_exports_it(net):
    with b2nn_tvm.load(net) as artifact:
        assert isinstance(artifact, b2nn_tvm.Artifact)


def test_arrays_of_any_layout_are_taken(artifact, x):
    wide = np.zeros((1, 2 * N), "float32")
    wide[:, ::2] = x
    frozen = x.copy()
    frozen.flags.writeable = False
    for array in (wide[:, ::2], np.asfortranarray(x), frozen, x.tolist() and x[:, :]):
        np.testing.assert_array_equal(artifact.run({"input": array})["output"], expected(x, shifts=1) + 1)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "expected the inputs input, but missing: input"),
        ({"image": 0, "input": 0}, "expected the inputs input, but unknown: image"),
        ({"image": 0}, "missing: input; unknown: image"),
        ([1, 2], "expected the inputs as a dict by name (input), but got list"),
        (
            {"input": np.zeros((1, N))},
            "input input: expected dtype float32, but got float64; convert it with .astype('float32')",
        ),
        ({"input": np.zeros((N,), "float32")}, "input input: expected shape 1x1000, but got 1000"),
        ({"input": np.zeros((1, N), ">f4")}, "expected dtype float32, but got >f4"),
    ],
)
def test_wrong_inputs_are_named(artifact, inputs, message):
    with pytest.raises(InputError, match=re.escape(message)):
        artifact.run(inputs)


def test_scalars_keep_their_shape():
    (array,) = check_inputs((TensorSpec("gain", (), "float32"),), {"gain": np.float32(2)})
    assert array.shape == ()


def test_threads_may_share_an_artifact(artifact, x):
    def work(index: int) -> None:
        for _ in range(50):
            scaled = x * np.float32(index)
            np.testing.assert_array_equal(
                artifact.run({"input": scaled}, threads=1 + index % 2)["output"], expected(scaled) + 1
            )

    with ThreadPoolExecutor(4) as executor:
        list(executor.map(work, range(1, 5)))


def test_a_closed_network_says_so(net, x):
    artifact = load(net)
    instance = artifact.instance(threads=1)
    artifact.run({"input": x})
    artifact.close()
    artifact.close()
    for use in (lambda: artifact.run({"input": x}), lambda: artifact.instance(threads=2)):
        with pytest.raises(DeviceError, match="has been closed"):
            use()
    for use in (instance.run, instance.profile):  # the library is not mapped any more
        with pytest.raises(DeviceError, match="has been closed"):
            use([x], [x, x])


def test_bad_thread_counts_are_refused(artifact, x):
    for threads in (-1, 1000):
        with pytest.raises(DeviceError, match=f"with {threads} threads: a bad argument: .* 0 to 256"):
            artifact.run({"input": x}, threads=threads)


def test_a_failing_kernel_is_a_device_error(workshop, x):
    folder = workshop.build("fail_if_negative", "shift_one", name="fails")
    message = r"step 1 \(fail_if_negative, layer layer 0\) failed with status 7"
    with load(folder) as artifact, pytest.raises(DeviceError, match=message):
        artifact.run({"input": np.ones_like(x)})


def test_a_library_for_another_cpu_loads_but_does_not_run(workshop, net, x):
    folder = workshop.build("shift_one", name="foreign")
    manifest = read_manifest(folder)
    replace(manifest, target=replace(manifest.target, name="arm", description="64-bit ARM", arch="nocpu")).save(folder)
    artifact = load(folder)
    assert artifact.layers
    with pytest.raises(
        DeviceError, match=r"compiled for target arm \(64-bit ARM\); this machine lacks a CPU of architecture nocpu"
    ):
        artifact.run({"input": x})


def test_a_missing_instruction_set_is_named_before_anything_runs(workshop, x):
    folder = workshop.folder / "future"
    build_library(program("shift_one"), [workshop.kernels()], replace(workshop.target(), requires=("avx1024",)), folder)
    with pytest.raises(DeviceError, match="lacks avx1024"):
        load(folder).run({"input": x})


@pytest.mark.parametrize("given", [None, 3, ["folder"]])
def test_what_is_no_path_is_refused(given):
    with pytest.raises(InputError, match="^folder: expected a path, but got .*; name what compile_model wrote$"):
        load(given)


def test_folders_without_a_library_are_refused(tmp_path, workshop):
    with pytest.raises(InputError, match="expected the folder of a compiled library, but it has no manifest.json"):
        load(tmp_path)
    (tmp_path / "native").symlink_to(workshop.build("shift_one", name="inside"))
    with pytest.raises(InputError, match=f"it has no manifest.json; try {tmp_path}/native$"):
        load(tmp_path)
    with pytest.raises(InputError, match="absent: no such folder; expected that of a compiled library"):
        load(tmp_path / "absent")
    with pytest.raises(InputError, match=f"but this is a file; give its folder, {tmp_path}/native$"):
        load(tmp_path / "native" / "manifest.json")
    folder = workshop.build("shift_one", name="emptied")
    (folder / LIBRARY).unlink()
    with pytest.raises(InputError, match="no such file, although the manifest names it"):
        load(folder)
