"""The files that are no readable images, found by decoding all of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from b2nn_tvm.data.image_files import bad_files as module
from b2nn_tvm.data.image_files.bad_files import bad_files
from b2nn_tvm.data.image_files.decode_image import decode
from b2nn_tvm.errors import InputError


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.98])
def test_a_file_that_is_cut_is_found_with_the_reason_that_decoding_gives(
    tmp_path: Path, ending: str, share: float
) -> None:
    path = tmp_path / f"photo.{ending}"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 48, 3), np.uint8)).save(path)
    assert bad_files([path], progress=lambda *call: None) == {}
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(InputError) as caught:
        decode(path, "RGB")
    assert bad_files([path], progress=lambda *call: None) == {path: str(caught.value)}


def test_all_are_looked_at_and_progress_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 3)
    files = [tmp_path / f"{number}.png" for number in range(8)]
    for number, file in enumerate(files):
        Image.new("L", (4, 4)).save(file) if number % 4 else file.write_bytes(b"no image")
    calls: list[tuple] = []
    assert set(bad_files(files, progress=lambda *call: calls.append(call))) == {files[0], files[4]}
    counted = [(0, ""), (3, "1 cannot be read"), (6, "2 cannot be read"), (8, "2 cannot be read")]
    assert [(done, detail) for _, done, _, detail in calls] == counted
