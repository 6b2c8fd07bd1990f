"""A new user's first minutes: an empty environment, pip install, the README's Python example as printed, its report.

    python .ci/readme_example.py WHEEL

All of it may take ten minutes on two cores, downloads included.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT_S = 600
ROOT = Path(__file__).parent.parent.resolve()


# What stands behind the example: it found what the README says.
CHECKS = """
assert result.achieved <= result.limit and result.plan.binary
assert result.accuracy > 0.5, "the digits have ten classes, and two epochs tell most of them apart"
assert outputs["output"].shape == (1, 10)
"""


def example() -> str:
    """The README's Python."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    return code


def main(wheel: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, begin, steps = Path(name), time.monotonic(), []
        (folder / "example.py").write_text(example() + CHECKS, encoding="utf-8")
        own = folder / "venv" / "bin" / "python"
        environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
        for what, command, variables in (
            ("python -m venv", (sys.executable, "-m", "venv", folder / "venv"), None),
            (
                "pip install",
                (own, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", f"{wheel}[search]"),
                None,
            ),
            ("example.py", (own, "example.py"), environment),
        ):
            left, start = LIMIT_S - (time.monotonic() - begin), time.monotonic()
            subprocess.run(list(map(str, command)), cwd=folder, env=variables, check=True, timeout=left)
            steps.append(f"{what} {time.monotonic() - start:.0f} s")
        assert "<html" in (folder / "result" / "report.html").read_text(encoding="utf-8")
        print(f"from nothing to a report in {time.monotonic() - begin:.0f} s: {', '.join(steps)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
