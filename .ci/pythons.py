"""The wheels of a folder under several Pythons, with the oldest or the newest packages that pyproject.toml allows.

    python .ci/pythons.py DIST WORK [--tests] oldest:python3.11 newest:python3.13 ...
    python .ci/pythons.py DIST WORK runtime:numpy==1.24.2:python3.11 ...

WORK gets an environment for each word, and keeps it. In each, .ci/smoke.py runs with the wheel and no torch; --tests
then adds the extra "search" and runs the fast tests of this checkout. A word "runtime" is an environment for
.ci/smoke_runtime.py, with b2nn-runtime and that numpy alone; it needs the library that a word before it has left.
"""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent.resolve()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOWER = (">=", "==", "~=")


def oldest() -> list[str]:
    """Each dependency at the lower bound of its range."""
    texts = [*PROJECT["dependencies"], *(text for group in PROJECT["optional-dependencies"].values() for text in group)]
    wanted = [each for each in map(Requirement, texts) if each.name != PROJECT["name"]]
    bounds = {each.name: [part.version for part in each.specifier if part.operator in LOWER] for each in wanted}
    assert all(len(bound) == 1 for bound in bounds.values()), bounds
    return [f"{name}=={version}" for name, (version,) in bounds.items()]


def environment(python: str, folder: Path, *packages: str, constraints: list[str]) -> Path:
    """The interpreter of a new environment with these packages; the wheels come from DIST, too."""
    if not (folder / "bin" / "python").exists():
        run(python, "-m", "venv", folder)
    (folder / "constraints.txt").write_text("\n".join(constraints) + "\n")
    pip = (folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--only-binary=:all:")
    run(*pip, "--constraint", folder / "constraints.txt", *packages)
    return folder / "bin" / "python"


def run(*command: object, cwd: Path = ROOT, path: Path | None = None) -> None:
    words = list(map(str, command))
    before = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}"} if path else None
    if subprocess.run(words, cwd=cwd, check=False, env=before).returncode:
        sys.exit(f"error: {' '.join(words)} failed in {cwd}")


def check(word: str, dist: Path, work: Path, *, tests: bool) -> None:
    end, _, python = word.partition(":")
    folder = work / re.sub(r"[^\w.]+", "-", word)
    if end == "runtime":
        numpy, _, python = python.rpartition(":")
        (wheel,) = dist.glob("b2nn_runtime-*.whl")
        own = environment(python, folder, str(wheel), numpy, constraints=[])
        (photo, *_) = sorted(work.glob("*/photo/b2nn-run"))
        run(own, ROOT / ".ci" / "smoke_runtime.py", photo.parent, cwd=folder)
        return
    constraints = {"oldest": oldest(), "newest": []}[end]
    (wheel,) = dist.glob("b2nn_tvm-*.whl")
    own = environment(python, folder, f"{wheel}[verify,cross]", constraints=constraints)
    run(own, ROOT / ".ci" / "smoke.py", cwd=folder, path=own.parent)
    if tests:
        environment(python, folder, f"{wheel}[search,cross,test]", constraints=constraints)
        listed = re.sub(r"#.*", "", (ROOT / "tests" / "fast_tests.txt").read_text(encoding="utf-8")).split()
        run(own, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "fast", *listed)


if __name__ == "__main__":
    words = [word for word in sys.argv[3:] if word != "--tests"]
    for word in words:
        check(word, Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), tests="--tests" in sys.argv)
        print(f"{word}: passed", flush=True)
