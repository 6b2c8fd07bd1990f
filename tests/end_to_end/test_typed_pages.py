"""Every command of every page is typed, in the order of the page, and ends well; the table says which are not, and why.

All of it happens on one desk, where what a command leaves is there for those after it, as for a reader.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.boards.ssh_server import SshServer
from tests.support.cli.typed_lines import typed_lines
from tests.support.cli.typing_desk import TypingDesk
from tests.support.paths import ROOT

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(900)]

ALL = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "runtime" / "README.md"])
# Pages whose commands another test types, or which tell of the past.
ELSEWHERE = {
    "docs/first-hour.md": "tests/test_first_hour_page.py",
    "docs/raspberry-pi.md": "tests/test_raspberry_pi_page.py",
    "CHANGELOG.md": "",
}
# In the order in which they are typed; other pages come behind these.
FIRST = ("README.md", "docs/commands.md", "docs/artifact.md", "docs/photos.md")
# What is only parsed (tests/cli/test_printed_commands.py, tests/test_docs.py).
NOT_HERE = {
    r"^python3 -m venv|^pip install": "it installs from an index; .ci/run does, into an empty environment",
    r"^make ": "it installs, measures or tests; .ci/run, and test_docs.py knows the targets",
    r"--camera": "no machine of the tests has a camera",
    r"^torchrun": "it takes two machines; tests/mixbin/training/test_train.py has it on one",
    r"^python benchmarks/": "it measures for minutes; tests/benchmarks start these programs with less to do",
}
# What a reader who is not on the machine of the page has in place of its words.
CHANGES = {
    "README.md": {
        "--model cresnet20 --data digits": "photos --model nets.py:make_net",
        "result/model.onnx --target arm": "result/model.onnx --target native",
    },
    "docs/commands.md": {"--target rpi4": "--target native", "b2nn-study -o DIR": "b2nn-study -o build/study"},
    "docs/precisions.md": {"--target rpi4": "--target native"},
    "docs/troubleshooting.md": {"b2nn-profile MODEL.onnx": "b2nn-profile float.onnx"},
    "docs/study.md": {"in 1 2 4 3;": "in 1;"},  # the same command with other numbers
}
ON_A_BOARD = ("docs/artifact.md", "docs/photos.md", "runtime/README.md")  # their folder is that of a bundle


def here() -> list[str]:
    names = [str(page.relative_to(ROOT)) for page in ALL]
    having = [name for name in names if name not in ELSEWHERE and any(map(is_typed, typed_lines(ROOT / name)))]
    return sorted(having, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))


def is_typed(line: str) -> bool:
    return not any(re.search(pattern, line) for pattern in NOT_HERE)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, ssh_server_programs: Path) -> Iterator[TypingDesk]:
    for package in ("torch", "PIL", "onnxruntime", "distributed"):
        pytest.importorskip(package, reason=f"the pages need it; pip install {package}")
    server = SshServer(ssh_server_programs)
    desk = TypingDesk(tmp_path_factory.mktemp("desk"), server)
    try:
        desk.furnish()
        yield desk
    finally:
        desk.close()
        server.stop()


@pytest.fixture(scope="module")
def printed(desk: TypingDesk) -> dict[str, str]:
    """What each line that was typed has printed; the search of the README comes before all pages, which need it."""
    found: dict[str, str] = {}
    (search,) = (line for line in typed_lines(ROOT / "README.md") if line.startswith("b2nn-search"))
    search = changed(search, "README.md")
    found[search] = desk.run(search)
    desk.run("b2nn-compile result/model.onnx -o bundle --bundle && cp -r bundle DIR")
    bundle = desk.work / "bundle"
    shutil.copytree(desk.work / "photos" / "class0", bundle / "photos")
    shutil.copy(next((bundle / "photos").iterdir()), bundle / "photo.jpg")
    desk.python("import numpy as np\nnp.save('bundle/image.npy', np.zeros((1, 3, 32, 32), np.float32))")
    for name in ("net", "net-a", "net-b", "net-c"):
        shutil.copytree(desk.work / "result" / "native", bundle / name)
    for name in ("by-mixbin", "by-hawq"):  # the same network is not measured again
        for part in ("state", "costs.json.samples"):
            shutil.copytree(desk.work / "result" / part, desk.work / name / part)
    return found


def changed(line: str, page: str) -> str:
    for old, new in CHANGES.get(page, {}).items():
        line = line.replace(old, new)
    return line


@pytest.mark.parametrize("page", here())
def test_a_page_from_top_to_bottom(desk: TypingDesk, printed: dict[str, str], page: str) -> None:
    """A line that is on another page, too, is typed once."""
    for line in filter(is_typed, typed_lines(ROOT / page)):
        typed = changed(line, page)
        if typed in printed:
            continue
        on_board = page in ON_A_BOARD and not line.startswith(("b2nn-compile", "python -c"))
        program = re.sub(r"^b2nn-run ", "./b2nn-run ", typed)
        printed[typed] = desk.run(program, folder=desk.work / "bundle" if on_board else None)


def test_what_the_commands_left(desk: TypingDesk, printed: dict[str, str]) -> None:
    """They did what their pages say; the pages were typed before."""
    find = lambda start: next(text for line, text in printed.items() if line.startswith(start))
    assert "result/report.html shows all of this" in find("b2nn-search")
    assert json.loads((desk.work / "result" / "report.json").read_text())["kind"] == "report"
    assert "device: ssh://pi@raspberrypi.local" in find("b2nn-profile library")
    assert "class0" in find("./b2nn-run photo.jpg") and "frames per second" in find("./b2nn-run photos/ --top 1")
    assert "frame 0: class" in find("ffmpeg")
    assert {"logits.npy", "times.jsonl", "bursts.jsonl"} <= {path.name for path in (desk.work / "bundle").iterdir()}
    assert "photo.jpg: class" in find("python -m b2nn_runtime")
    for name in ("by-mixbin", "by-hawq"):
        assert (desk.work / name / "report.html").is_file()
    for folder in (desk.work / "build" / "study", desk.work / "build" / "cifar10", desk.folder / "shared" / "cifar10"):
        assert (folder / "results.csv").is_file()


def test_every_page_with_commands_is_typed_somewhere() -> None:
    for page, test in ELSEWHERE.items():
        assert (ROOT / page).is_file()
        assert not test or Path(page).name in (ROOT / test).read_text(encoding="utf-8")
    lines = [line for page in ALL if str(page.relative_to(ROOT)) not in ELSEWHERE for line in typed_lines(page)]
    for pattern in NOT_HERE:
        assert any(re.search(pattern, line) for line in lines), f"no page has {pattern} any more"
    for page, changes in CHANGES.items():
        text = (ROOT / page).read_text(encoding="utf-8")
        assert all(old in text for old in changes), page
