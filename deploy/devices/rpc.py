"""A board that runs b2nn-device, through TVM's RPC: networks are uploaded and run there, and rows are fetched as they
come.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from b2nn_tvm.deploy.devices.bursts import BurstSettings
from b2nn_tvm.deploy.devices.compatibility import check_fit
from b2nn_tvm.deploy.devices.rpc_connection import RpcConnection
from b2nn_tvm.deploy.devices.runner import find_runner, interleave_words, level_words, reason, turn_files
from b2nn_tvm.deploy.devices.sample_rows import samples
from b2nn_tvm.deploy.devices.samples import MeasurementSettings, Sample
from b2nn_tvm.deploy.devices.system_facts import SystemFacts
from b2nn_tvm.deploy.library.library_files import LEVEL_VARIABLE, RUNNER
from b2nn_tvm.deploy.library.manifest import FILE as MANIFEST
from b2nn_tvm.errors import DeviceError, DeviceLost

if TYPE_CHECKING:
    from b2nn_tvm.deploy.library.artifact import Artifact

POLL_S = 0.25


class RpcDevice(RpcConnection):
    """The board at ``rpc://host:port``."""

    def _parse(self, word: str) -> tuple[str, int]:
        found = re.fullmatch(r"rpc://(\[[0-9A-Fa-f:.%]+\]|[^@:/\s\[\]]+):(\d{1,5})/?", word)
        if not found:
            raise DeviceError(f"expected rpc://host:port, such as rpc://127.0.0.1:9090, but got {word!r}")
        return found[1].strip("[]"), int(found[2])

    def facts(self) -> SystemFacts:
        return SystemFacts(self._ask("hello")["facts"])

    def upload(self, artifact: Artifact) -> None:
        folder = _folder(artifact)
        if self._session is not None and folder in self._uploaded:
            return
        check_fit(artifact, self.known_facts(), self.address)
        for path in (artifact.folder / MANIFEST, artifact.library_path):
            self._put(f"{folder}/{path.name}", path.read_bytes())
        self._uploaded.add(folder)

    def run(self, artifact: Artifact, inputs: Mapping[str, np.ndarray], *, threads: int = 1) -> dict[str, np.ndarray]:
        from b2nn_tvm.deploy.library.artifact import check_inputs

        arrays = check_inputs(artifact.inputs, inputs)
        self._check_level(artifact)
        self.upload(artifact)
        folder = _folder(artifact)
        for index, array in enumerate(arrays):
            self._put(f"{folder}/in{index}", array.tobytes())
        for _ in self._lines(folder, "start", "run", threads, "{}"):
            pass
        outputs = {}
        for index, spec in enumerate(artifact.outputs):
            content = bytearray(self._call("get", f"{folder}/out{index}"))
            outputs[spec.name] = np.frombuffer(content, spec.dtype).reshape(spec.shape)
        return outputs

    def _sample(self, artifact: Artifact, *, threads: int, effort: MeasurementSettings) -> Iterator[Sample]:
        self._check_level(artifact)
        self.upload(artifact)
        lines = self._lines(_folder(artifact), "start", "profile", threads, json.dumps(asdict(effort)))
        yield from samples(lines, word=self.address, model_id=artifact.manifest.library.model_id)

    def _check_level(self, artifact: Artifact) -> None:
        """Raise DeviceError where a level is asked for: b2nn-device leaves the choice to the library."""
        if artifact.level:
            raise DeviceError(
                f"{self.address}: b2nn-device runs the level that the library chooses, not {artifact.level}; set"
                f" {LEVEL_VARIABLE}={artifact.level} where it is started"
            )

    def _burst_lines(
        self, artifacts: Sequence[Artifact], *, reference: Artifact, threads: int, settings: BurstSettings
    ) -> Generator[str]:
        program, folder = find_runner(reference), _folder(reference)
        for artifact in (reference, *artifacts):
            self.upload(artifact)
        if f"{folder}/{RUNNER}" not in self._uploaded:
            self._put(f"{folder}/{RUNNER}", program.read_bytes())
            self._uploaded.add(f"{folder}/{RUNNER}")
        places = zip((reference, *artifacts), turn_files(artifacts, reference=reference), strict=True)
        first, *others = (f"{_folder(each)}/{file.name}" for each, file in places)
        words = interleave_words(settings, threads=threads, reference=first, libraries=others)
        words += level_words((reference, *artifacts))
        yield from self._lines(folder, "interleave", json.dumps(words))

    def forget(self, artifact: Artifact) -> None:
        folder = _folder(artifact)
        if folder in self._uploaded:
            self._uploaded -= {folder, f"{folder}/{RUNNER}"}
            self._ask("forget", folder)

    def _lines(self, folder: str, start: str, *arguments: Any) -> Generator[str]:
        """The lines that a run prints, as they come; the board's function ``start`` starts it.

        Raises DeviceError where the run fails or prints none for too long.
        """
        self._ask(start, folder, *arguments)
        finished, rest, heard = False, "", time.monotonic()
        try:
            while not finished:
                answer = self._ask("poll", folder, POLL_S)
                *lines, rest = (rest + answer["text"]).split("\n")
                yield from lines
                finished = answer["status"] is not None
                if answer["text"]:
                    heard = time.monotonic()
                if not finished and time.monotonic() - heard > self._timeout_s:
                    raise DeviceLost(
                        f"{self.address}: no row for {self._timeout_s:g} s, so the run there was stopped; for a network"
                        " that takes longer, allow more time"
                    )
        finally:
            if not finished and self._session is not None:
                self._ask("stop")
        if answer["status"]:
            raise DeviceError(f"{self.address}: {reason(answer['status'], answer['errors'])}")


def _folder(artifact: Artifact) -> str:
    return f"net-{artifact.manifest.library.sha256[:16]}"
