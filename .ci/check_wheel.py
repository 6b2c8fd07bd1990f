"""Every name in the wheel starts with b2nn_tvm, and what the package needs at run time is in it."""

import sys
import zipfile

NEEDED = (
    "py.typed",
    "loop/results/report.html",
    "targets/arm.toml",
    "deploy/runtime/b2nn.h",
    "deploy/runner/main.c",
    "deploy/photo/photo.h",
    "deploy/photo/image_files/stb.c",
    "deploy/third_party/stb/stb_image.h",
    "deploy/third_party/stb/LICENSE",
    "examples/board/classify.c",
    "examples/board/classify.py",
    "cli/compile.py",
    "loop/search.py",
    "schedules/__init__.py",
)

names = zipfile.ZipFile(sys.argv[1]).namelist()
strangers = [name for name in names if not name.startswith(("b2nn_tvm/", "b2nn_tvm-"))]
missing = [name for name in NEEDED if f"b2nn_tvm/{name}" not in names]
if strangers or missing:
    sys.exit(f"error: {sys.argv[1]}: names outside the package: {strangers}; missing: {missing}")
print(f"{sys.argv[1]}: {len(names)} files, all below b2nn_tvm")
