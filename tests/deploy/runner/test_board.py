"""What b2nn-run says of the machine, in the words of the Python package."""

from __future__ import annotations

import re

from b2nn_tvm.deploy.devices.system_facts import cpu_name
from b2nn_tvm.deploy.library.write_sources import RUNNER_SOURCES


def test_parts_of_arm_have_the_same_names_in_c_and_python():
    table = re.findall(r'\{(0x[0-9a-f]{3}), +"([^"]+)"\}', (RUNNER_SOURCES / "board.c").read_text())
    assert len(table) == 16
    assert [cpu_name(f"CPU part\t: {part}\n") for part, _ in table] == [name for _, name in table]
