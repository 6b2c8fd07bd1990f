"""The order in which things are tried: the longest last, and what is to blame is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2nn_tvm import data
from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.preflight.before_measuring import before_measuring
from b2nn_tvm.models import cresnet20
from b2nn_tvm.storage.phase_cache import State
from tests.support.loop.faulty_inputs import write_inputs


def test_images_are_read_last_and_all_bad_ones_are_named(tmp_path: Path) -> None:
    pets, state = write_inputs(tmp_path), State(tmp_path / "out" / "state")
    bundle, network = data.folder(pets), cresnet20(classes=3, width=4).eval()
    phases: list[str] = []

    def check(folder: Path = tmp_path / "out") -> None:
        progress = lambda phase, done, total, detail="": phases.append(phase)
        options = {
            "trained": 1,
            "built": 1,
            "trains": True,
            "batch_size": 64,
            "progress": progress,
            "note": lambda _text: None,
        }
        before_measuring(network, bundle, folder, state, **options)

    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="nothing can be written"):
        check(tmp_path / "file")
    with pytest.raises(InputError, match=r"results cannot lie in .*/train, whose folders are the classes"):
        check(pets / "train" / "out")
    assert phases == []
    for name in ("train/cat/0.png", "val/dog/2.png"):
        (pets / name).write_bytes(b"")
    with pytest.raises(InputError, match=r"2 of 18 images cannot be read: .*0.png.*2.png"):
        check()
    assert set(phases) == {"check the images"} and not state.folder.exists()
