"""What the parts of json.c print is JSON, whatever bytes are in a text."""

from __future__ import annotations

import json
import subprocess

import pytest

from b2nn_tvm.deploy.library.write_sources import write_runner_sources

MAIN = r"""
#include "runner.h"
int main(int argc, char **argv) {
    const double values[] = {0, 1.5, -2.0000004, 1e6};
    (void)argc;
    putchar('{');
    print_member("text", argv[1]);
    fputs(", ", stdout);
    print_number("number", &values[1]);
    fputs(", ", stdout);
    print_number("nothing", NULL);
    fputs(", \"numbers\": ", stdout);
    print_numbers(values, 4);
    fputs(", \"none\": ", stdout);
    print_numbers(values, 0);
    puts("}");
    return 0;
}
"""


@pytest.fixture(scope="module")
def program(workshop, tmp_path_factory):
    folder = tmp_path_factory.mktemp("json")
    write_runner_sources(folder, compiler="cc")
    (folder / "print.c").write_text(MAIN)
    sources = [str(folder / name) for name in ("print.c", "json.c")]
    workshop.compile(workshop.target(), f"-I{folder}", *sources, "-o", str(folder / "print"))
    return folder / "print"


@pytest.mark.parametrize(
    "text", ["", "conv1", 'a "quoted" \\ path', "tab\tline\nend", "\x01\x1f", "Gerät ±α", "100 %d"]
)
def test_it_is_read_as_it_was(program, text):
    done = subprocess.run([program, text], check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == {
        "text": text,
        "number": 1.5,
        "nothing": None,
        "numbers": [0, 1.5, -2, 1e6],
        "none": [],
    }
