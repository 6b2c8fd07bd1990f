"""Every example runs as a new user runs it, with empty caches, in three minutes at most; a table has their times.

    python .ci/time_examples.py [NAME ...]

The examples are the files of examples/, the Python of the README and of other pages, and `make demo-quick`. Each says
how long it takes, as "about N seconds on two cores"; tests/test_examples.py asks for that.
"""

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent.resolve()
LIMIT_S = 180
PAGES = ("README.md", "docs/training.md", "docs/tracking.md")
STATED = re.compile(r"about (\d+) seconds on two cores")


def scripts() -> dict[str, str]:
    """The Python code of each example by its name; of a page the first block."""
    found = {f"examples/{path.name}": path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("examples/*.py"))}
    for page in PAGES:
        found[page] = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)[0]
    return found


def demo() -> list[str]:
    """The words of the quick demo's command, without the program, for any working folder."""
    make = ["make", "--no-print-directory", "--dry-run", "demo-quick"]
    words = subprocess.check_output(make, cwd=ROOT, text=True).splitlines()[-1].split()
    assert words[0].endswith("b2nn-search"), words
    return [f"{ROOT}/{word}" if (ROOT / word.partition(":")[0]).is_file() else word for word in words[1:]]


def stated() -> dict[str, int]:
    """The seconds that each example says it takes."""
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in scripts()}
    texts["make demo-quick"] = (
        (ROOT / "Makefile").read_text(encoding="utf-8").partition("\ndemo-quick:")[2].splitlines()[0]
    )
    found = {name: STATED.search(" ".join(text.split())) for name, text in texts.items()}
    return {name: int(match[1]) for name, match in found.items() if match}


def seconds(command: list[str], folder: Path) -> tuple[float, float]:
    """What a command takes in an empty folder with empty caches: by the clock, and of processors."""
    (folder / "work").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(folder / "cache")}
    before, begin = used(), time.monotonic()
    subprocess.run(command, cwd=folder / "work", env=environment, check=True, timeout=LIMIT_S)
    return time.monotonic() - begin, used() - before


def used() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def main() -> None:
    said, rows = stated(), []
    for name in sys.argv[1:] or [*scripts(), "make demo-quick"]:
        with tempfile.TemporaryDirectory() as text:
            folder = Path(text)
            if name == "make demo-quick":
                command = [sys.executable, "-m", "b2nn_tvm.cli.search", *demo()]
            else:
                (folder / "example.py").write_text(scripts()[name], encoding="utf-8")
                command = [sys.executable, str(folder / "example.py")]
            print(f"== {name}", flush=True)
            rows.append((name, said[name], *seconds(command, folder)))
    print(f"\n{'example':28} {'stated':>7} {'took':>7} {'processors':>11}")
    for name, about, clock, processors in rows:
        print(f"{name:28} {about:5} s {clock:5.0f} s {processors:9.0f} s")


if __name__ == "__main__":
    main()
