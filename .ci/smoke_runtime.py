"""With only the wheel of b2nn-runtime and numpy installed: a picture gets the classes that b2nn-run gives it.

python smoke_runtime.py FOLDER        (of the library "photo" that smoke.py left)
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import b2nn_runtime
import numpy as np

assert importlib.util.find_spec("b2nn_tvm") is None, "b2nn_tvm is installed: this environment proves nothing"
assert Path(b2nn_runtime.__file__).is_relative_to(sys.prefix), f"{b2nn_runtime.__file__} is not the installed package"

folder = Path(sys.argv[1])
pixels = np.random.RandomState(0).randint(0, 256, (61, 83, 3)).astype(np.uint8)
pixels[..., 1] //= 3
Path("photo.ppm").write_bytes(b"P6 83 61 255\n" + pixels.tobytes())
printed = subprocess.run([str(folder / "b2nn-run"), "photo.ppm", "--json"], stdout=subprocess.PIPE, check=True).stdout
(row,) = [row for row in map(json.loads, printed.splitlines()) if "classes" in row]
with b2nn_runtime.load(folder) as net:
    found = net.predict("photo.ppm")
    assert net.predict(pixels) == found
assert [label for label, _ in found] == [each["label"] for each in row["classes"]], (found, row)
assert [label for label, _ in found][-1] == "green"
np.testing.assert_allclose(
    [score for _, score in found], [each["score"] for each in row["classes"]], atol=1e-6
)  # JSON has 6 decimals
print(f"smoke of the runtime: passed with Python {sys.version.split()[0]} and numpy {np.__version__}")
