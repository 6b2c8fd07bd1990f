"""A board over ssh: the library and b2nn-run are copied to the board and run; the board needs nothing but a login."""

from __future__ import annotations

import io
import shlex
import tarfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from b2nn_tvm.deploy.codegen.program import TensorSpec
from b2nn_tvm.deploy.devices.bursts import BurstSettings
from b2nn_tvm.deploy.devices.compatibility import check_fit
from b2nn_tvm.deploy.devices.device import Device
from b2nn_tvm.deploy.devices.login.connection import CommandFailed, SshLink
from b2nn_tvm.deploy.devices.login.destination import Destination
from b2nn_tvm.deploy.devices.login.start_failure import CANNOT_START, ProgramFile, cause, question
from b2nn_tvm.deploy.devices.runner import find_runner, interleave_words, level_words, network_file, turn_files
from b2nn_tvm.deploy.devices.sample_rows import samples
from b2nn_tvm.deploy.devices.samples import MeasurementSettings, Sample
from b2nn_tvm.deploy.devices.system_facts import SCRIPT, SystemFacts, parse_facts
from b2nn_tvm.deploy.library.elf import read_elf
from b2nn_tvm.deploy.library.library_files import RUNNER
from b2nn_tvm.errors import DeviceError
from b2nn_tvm.words.number_of import number_of

if TYPE_CHECKING:
    from b2nn_tvm.deploy.library.artifact import Artifact

# The shell waits for the program, so that it can tell which signal ended it; the file pid lets the link kill it.
_RUN = "./{runner} {arguments} </dev/null & echo $! >pid; wait $!; status=$?; rm -f pid; exit $status"

# tar does not always say that the disk is full.
_UNPACK = """command -v tar >/dev/null ||
  {{ echo "error: there is no tar on the board; install it (apt, apk or opkg)" >&2; exit 1; }}
mkdir {name} && tar -xof - -C {name} && exit 0
free=$(df -Pk . | awk 'NR == 2 {{ print $4 }}')
[ "${{free:-{kib}}}" -lt {kib} ] &&
  echo "error: No space left on device: $PWD has $free KiB, the network takes {kib} KiB" >&2
rm -rf {name}
exit 1"""


class SshDevice(Device):
    """The board at ``ssh://[user@]host[:port][/folder]``, reached with the user's own keys, known_hosts and ssh
    settings.
    """

    def __init__(self, word: str, *, timeout_s: float) -> None:
        super().__init__(word)
        Destination.parse(word)  # so that a misspelled word is an error before anything is built
        self._timeout_s = timeout_s
        self._link: SshLink | None = None
        self._uploaded: set[str] = set()

    def facts(self) -> SystemFacts:
        return parse_facts(self._connected().call(SCRIPT).decode(errors="replace"))

    def upload(self, artifact: Artifact) -> None:
        link = self._connected()
        name = _folder(artifact)
        if name in self._uploaded:
            return
        check_fit(artifact, self.known_facts(), self.address)
        archive = _pack({file.name: file.read_bytes() for file in (find_runner(artifact), artifact.library_path)})
        link.call(_UNPACK.format(name=name, kib=len(archive) // 1024), send=archive)
        self._uploaded.add(name)

    def run(self, artifact: Artifact, inputs: Mapping[str, np.ndarray], *, threads: int = 1) -> dict[str, np.ndarray]:
        from b2nn_tvm.deploy.library.artifact import check_inputs

        arrays = check_inputs(artifact.inputs, inputs)
        self.upload(artifact)
        files = {f"in{index}": array.tobytes() for index, array in enumerate(arrays)}
        outputs = [f"out{index}" for index in range(len(artifact.outputs))]
        words = [f"--input {name}" for name in files] + [f"--output {name}" for name in outputs]
        words += level_words([artifact])
        run = _RUN.format(
            runner=RUNNER, arguments=f"{network_file(artifact).name} --threads {threads} {' '.join(words)} 1>&2"
        )
        script = (
            f"cd {_folder(artifact)} && tar -xof - && ( {run} ) && cat {' '.join(outputs)} && rm -f"
            f" {' '.join((*files, *outputs))}"
        )
        try:
            content = self._connected().call(script, send=_pack(files))
        except CommandFailed as failed:
            raise self._explained(failed, artifact) from None
        return _unpack(content, artifact.outputs, self.address)

    def _sample(self, artifact: Artifact, *, threads: int, effort: MeasurementSettings) -> Iterator[Sample]:
        self.upload(artifact)
        count = f"--seconds {effort.min_seconds}" if effort.runs is None else f"--runs {effort.runs}"
        arguments = f"{network_file(artifact).name} --profile --threads {threads} --warmup {effort.warmup} {count}"
        arguments += " ".join(["", *level_words([artifact])])
        lines = self._lines(artifact, arguments)
        yield from samples(lines, word=self.address, model_id=artifact.manifest.library.model_id)

    def _burst_lines(
        self, artifacts: Sequence[Artifact], *, reference: Artifact, threads: int, settings: BurstSettings
    ) -> Generator[str]:
        for artifact in (reference, *artifacts):
            self.upload(artifact)
        files = turn_files(artifacts, reference=reference)
        places = zip((reference, *artifacts), files, strict=True)
        first, *others = (f"../{_folder(each)}/{file.name}" for each, file in places)
        words = interleave_words(settings, threads=threads, reference=first, libraries=others)
        words += level_words((reference, *artifacts))
        yield from self._lines(reference, shlex.join(words))

    def _lines(self, artifact: Artifact, arguments: str) -> Iterator[str]:
        """The lines that the program beside ``artifact`` prints with these arguments."""
        run = _RUN.format(runner=RUNNER, arguments=arguments)
        try:
            yield from self._connected().lines(f"cd {_folder(artifact)} && {{ {run}\n}}")
        except CommandFailed as failed:
            raise self._explained(failed, artifact) from None

    def _explained(self, failed: CommandFailed, artifact: Artifact) -> DeviceError:
        """The error with the cause and the remedy, where a program did not start."""
        if failed.status not in CANNOT_START:
            return failed
        elf = read_elf(find_runner(artifact).read_bytes())
        program = ProgramFile(RUNNER, elf.arch, elf.loader)
        answer = self._connected().call(f"cd {_folder(artifact)} && {question(program)}").decode(errors="replace")
        return DeviceError(f"{self.address}: {cause(program, answer, failed.complaint)}")

    def forget(self, artifact: Artifact) -> None:
        name = _folder(artifact)
        if name in self._uploaded:
            self._uploaded.remove(name)
            self._connected().call(f"rm -rf {name}")

    def close(self) -> None:
        super().close()
        if self._link:
            self._link.close()
            self._link = None

    def _connected(self) -> SshLink:
        if self._link is None or not self._link.alive:
            self.close()
            self._uploaded.clear()
            self._link = SshLink(self.address, timeout_s=self._timeout_s)
        return self._link


def _folder(artifact: Artifact) -> str:
    """The network's folder inside the link's folder; the name, a digest, needs no quotes in a shell."""
    kind = "" if network_file(artifact) == artifact.library_path else "-static"  # it may have been compiled both ways
    return f"net-{artifact.manifest.library.sha256[:16]}{kind}"


def _pack(files: Mapping[str, bytes]) -> bytes:
    """A tar archive of these files, all executable."""
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return memory.getvalue()


def _unpack(content: bytes, specs: tuple[TensorSpec, ...], word: str) -> dict[str, np.ndarray]:
    """The outputs, which stand one behind the other in ``content``."""
    sizes = [spec.elements * np.dtype(spec.dtype).itemsize for spec in specs]
    if len(content) != sum(sizes):
        raise DeviceError(
            f"{word}: expected {number_of(sum(sizes), 'byte')} of outputs, but {len(content)} came; run it again"
        )
    arrays, at = {}, 0
    for spec, size in zip(specs, sizes, strict=True):
        arrays[spec.name] = np.frombuffer(bytearray(content[at : at + size]), spec.dtype).reshape(spec.shape)
        at += size
    return arrays
