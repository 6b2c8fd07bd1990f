"""Make the delivered libraries folders for a board, with a picture of the test set to try them with."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

from b2nn_tvm.data import DataBundle
from b2nn_tvm.data.example_picture import example_picture
from b2nn_tvm.deploy.library.bundle import ExamplePicture, write_bundle


def bundle_libraries(folders: Iterable[Path], data: DataBundle) -> None:
    """Add to each of the ``folders`` what ``b2nn-compile --bundle`` adds, and a picture where the data have one."""
    found = example_picture(data)
    picture = None
    if found is not None:
        content = io.BytesIO()
        found[0].save(content, "PNG")
        picture = ExamplePicture(content.getvalue(), found[1])
    for folder in folders:
        write_bundle(folder, picture=picture)
