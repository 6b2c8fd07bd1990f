"""A network predicts what b2nn-run predicts, and says what it does not take."""

from __future__ import annotations

import json
import shutil
import threading

import numpy as np
import pytest
from b2nn_runtime import RuntimeFault, load
from PIL import Image

from tests.support.deploy.photo_network import change_manifest
from tests.support.deploy.photos import picture
from tests.support.deploy.runner_process import output_words, start


@pytest.fixture
def copy(photo_net, tmp_path):
    shutil.copytree(photo_net, tmp_path / "net")
    return tmp_path / "net"


def test_it_predicts_what_b2nn_run_does(photo_net, tmp_path):
    for seed, name in enumerate(("a.png", "b.ppm", "c.png")):
        picture(60 + seed, 90, seed=seed).save(tmp_path / name)
    for path in sorted(tmp_path.iterdir()):
        out = [tmp_path / "s.npy", tmp_path / "c.npy"]
        assert start(photo_net, path, *output_words(out)).returncode == 0
        row = json.loads(start(photo_net, path, "--json").stdout.splitlines()[1])
        with load(photo_net) as net:
            np.testing.assert_array_equal(net.prepare(path), np.load(out[1]))
            np.testing.assert_array_equal(net.scores(path), np.load(out[0])[0])
            assert [label for label, _ in net.predict(path)] == [found["label"] for found in row["classes"]]
            shares = [share for _, share in net.predict(path, probabilities=True)]
            assert shares == pytest.approx([found["probability"] for found in row["classes"]], abs=1e-5)
            assert net.predict(Image.open(path), top=1) == net.predict(path)[:1]
            assert net.predict(np.asarray(Image.open(path)), top=1) == net.predict(path)[:1]


def test_run_takes_values(photo_net):
    values = np.random.default_rng(0).standard_normal((1, 3, 40, 45)).astype("float32")
    with load(photo_net, threads=2) as net:
        assert net.threads == 2
        outputs = net.run({"x": values})
        np.testing.assert_array_equal(outputs["copy"], values)
        np.testing.assert_allclose(outputs["scores"][0], 10 * values[0].mean(axis=(1, 2)), atol=1e-4)
        for wrong, message in (
            ({}, "expected the inputs x, but got none"),
            ({"y": values}, "expected the inputs x, but got y"),
            ({"x": values[0]}, r"input x: expected float32 \[1, 3, 40, 45\], but got float32 \[3, 40, 45\]"),
            ({"x": values.astype("float64")}, "but got float64"),
        ):
            with pytest.raises(RuntimeFault, match=message):
                net.run(wrong)
    with pytest.raises(RuntimeFault, match="this network has been closed"):
        net.run({"x": values})


def test_threads_of_a_program_may_share_it(photo_net):
    image = np.asarray(picture(50, 60))
    with load(photo_net) as net:
        alone, found = net.predict(image), []
        threads = [threading.Thread(target=lambda: found.append(net.predict(image))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [alone] * 8


def test_a_library_that_says_nothing_of_images_takes_none(copy):
    change_manifest(copy, preprocess=None, labels=None)
    with load(copy) as net, pytest.raises(RuntimeFault, match="it has no preprocess"):
        net.predict(np.asarray(picture(50, 60)))


def test_what_does_not_fit_is_refused(copy):
    how = json.loads((copy / "manifest.json").read_text())["preprocess"]
    change_manifest(copy, preprocess=how | {"baked": True})
    with load(copy) as net, pytest.raises(RuntimeFault, match="is not what the network takes; compile it again"):
        net.predict(np.asarray(picture(50, 60)))
    change_manifest(copy, preprocess=how, labels=None)
    with load(copy) as net:
        assert net.predict(np.asarray(picture(50, 60)), top=1)[0][0].startswith("class ")


def test_folders_without_a_network_are_refused(copy, tmp_path):
    with pytest.raises(RuntimeFault, match=f"cannot read its manifest.json: No such file or directory; try {copy}"):
        load(tmp_path)
    with pytest.raises(RuntimeFault, match="No such file or directory$"):
        load(copy / "absent")
    (copy / "manifest.json").write_text("{")
    with pytest.raises(RuntimeFault, match="the manifest is damaged"):
        load(copy)
    (copy / "manifest.json").write_text("{}")
    with pytest.raises(RuntimeFault, match="expected the manifest of a compiled network"):
        load(copy)
