"""The README's Python example runs as it is printed, from a folder of its own, in ten minutes at most."""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT_S = 600

(code,) = re.findall(r"```python\n(.*?)```", Path(sys.argv[1]).read_text(encoding="utf-8"), re.DOTALL)
with tempfile.TemporaryDirectory() as folder:
    (Path(folder) / "example.py").write_text(code, encoding="utf-8")
    begin = time.monotonic()
    subprocess.run([sys.executable, "example.py"], cwd=folder, check=True, timeout=LIMIT_S)
    assert (Path(folder) / "result" / "report.html").is_file()
print(f"the README's example: passed in {time.monotonic() - begin:.0f} s")
