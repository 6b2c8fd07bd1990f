"""llvm-objdump and llvm-mca: the instructions of a program, and the cycles that LLVM's model of a CPU gives for a loop.

The cycles are a static estimate, for the steady state with all data in the first-level cache and no branch missed. They
are never a latency.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from b2nn_tvm.errors import ToolchainError

VERSION = 19
FOLDER_VARIABLE = "B2NN_LLVM_TOOLS"
DEFAULT_FOLDER = Path("build") / "llvm-tools"
ITERATIONS = 100
# LLVM 19 gives Cortex-A76 the model of Cortex-A57, which has half of its vector units; Neoverse-N1 is the same core as
# Cortex-A76, for servers.
MODELS = {"cortex-a76": "neoverse-n1"}
# 32-bit cores for which LLVM has no model, and the core whose model is taken for their code.
MODELS_32 = {"cortex-a7": "cortex-a57"}


@dataclass(frozen=True)
class LlvmTools:
    """The folder of the two programs, and the folder of their own libraries, if they need one."""

    folder: Path
    libraries: Path | None

    def disassemble(self, program: bytes, first: int, end: int) -> dict[int, str]:
        """Address -> instruction, as LLVM's assembler reads it, of an ELF program from ``first`` up to ``end``."""
        with tempfile.TemporaryDirectory(prefix="b2nn-") as name:
            path = Path(name) / "program"
            path.write_bytes(program)
            span = (f"--start-address={first}", f"--stop-address={end}")
            text = self._run("llvm-objdump", "--disassemble", "--no-show-raw-insn", *span, str(path))
        rows = (re.match(r"\s*([0-9a-f]+):\s+(\S.*)$", line) for line in text.splitlines())
        return {int(row[1], 16): _relocatable(row[2]) for row in rows if row}

    def cycles(self, loops: Sequence[Sequence[str]], *, triple: str, cpu: str) -> list[float]:
        """The cycles of one turn of each loop on ``cpu``, in the steady state."""
        regions = [
            f"# LLVM-MCA-BEGIN {index}\n" + "\n".join(loop) + "\n# LLVM-MCA-END\n" for index, loop in enumerate(loops)
        ]
        options = (f"-mtriple={triple}", f"-mcpu={model(cpu, triple)}", f"-iterations={ITERATIONS}", "-json")
        text = self._run("llvm-mca", *options, text="".join(regions))
        summaries = [region["SummaryView"] for region in json.loads(text)["CodeRegions"]]
        return [summary["TotalCycles"] / summary["Iterations"] for summary in summaries]

    def _run(self, tool: str, *arguments: str, text: str = "") -> str:
        environment = {**os.environ, **({"LD_LIBRARY_PATH": str(self.libraries)} if self.libraries else {})}
        command = [str(self.folder / tool), *arguments]
        done = subprocess.run(command, env=environment, input=text, check=False, capture_output=True, text=True)
        if done.returncode:
            raise ToolchainError(f"{tool} failed: {(done.stderr.strip() or 'no message').splitlines()[0]}")
        return done.stdout


def _relocatable(instruction: str) -> str:
    """The instruction without comments, and with a name in place of an address that it jumps to or forms.

    The assembler would refuse an address that is out of the instruction's reach.
    """
    text = re.sub(r"\s*(<.*>|//.*|@.*)", "", " ".join(instruction.split()))
    return re.sub(r"^((?:b|cb|tb|adr).*?)#?0x[0-9a-f]{4,}$", r"\1elsewhere", text)


def model(cpu: str, triple: str) -> str:
    """LLVM's name of its model of ``cpu``, or of the nearest CPU that it models."""
    return (MODELS if triple.startswith("aarch64") else MODELS_32).get(cpu, cpu)


@cache
def find_llvm_tools() -> LlvmTools:
    """Version 19 of the tools, from the folder that ``make llvm-tools`` fills, else from the system.

    Other versions have other models, and their figures cannot be compared. Raises ToolchainError, with the remedies,
    where there is no version 19.
    """
    folder = Path(os.environ.get(FOLDER_VARIABLE) or DEFAULT_FOLDER).absolute()
    if (folder / "bin" / "llvm-mca").is_file():
        return LlvmTools(folder / "bin", folder / "lib")
    installed = Path(f"/usr/lib/llvm-{VERSION}/bin")
    for place in (
        installed,
        *(Path(found).resolve().parent for found in [shutil.which(f"llvm-mca-{VERSION}")] if found),
    ):
        if all((place / tool).is_file() for tool in ("llvm-mca", "llvm-objdump")):
            return LlvmTools(place, None)
    raise ToolchainError(
        f'no llvm-mca and llvm-objdump of version {VERSION}; get them with "make llvm-tools" or "apt install'
        f' llvm-{VERSION}"'
    )
