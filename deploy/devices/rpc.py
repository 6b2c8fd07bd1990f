"""A board that runs b2nn-device, through TVM's RPC: networks are uploaded and run there, and samples are fetched as
they come.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from b2nn_tvm.deploy.devices.bursts import BurstSettings
from b2nn_tvm.deploy.devices.compatibility import check_fit
from b2nn_tvm.deploy.devices.deadline import call_within
from b2nn_tvm.deploy.devices.device import Device
from b2nn_tvm.deploy.devices.protocol import PROTOCOL
from b2nn_tvm.deploy.devices.runner import find_runner, interleave_words, reason
from b2nn_tvm.deploy.devices.sample_rows import samples
from b2nn_tvm.deploy.devices.samples import MeasurementSettings, Sample
from b2nn_tvm.deploy.devices.system_facts import SystemFacts
from b2nn_tvm.deploy.library.build_library import ABI_VERSION, RUNNER
from b2nn_tvm.deploy.library.manifest import FILE as MANIFEST
from b2nn_tvm.errors import DeviceError, DeviceLost
from b2nn_tvm.version import __version__

if TYPE_CHECKING:
    from b2nn_tvm.deploy.library.artifact import Artifact

CONNECT_S = 15
POLL_S = 0.25
PART_BYTES = 1 << 20


class RpcDevice(Device):
    """The board at ``rpc://host:port``."""

    def __init__(self, word: str, *, timeout_s: float) -> None:
        super().__init__(word)
        self._address = self._parse(word)
        self._timeout_s = timeout_s
        self._session: Any = None
        self._uploaded: set[str] = set()

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
        self.upload(artifact)
        lines = self._lines(_folder(artifact), "start", "profile", threads, json.dumps(asdict(effort)))
        yield from samples(lines, word=self.address, model_id=artifact.manifest.library.model_id)

    def _burst_lines(
        self, artifacts: Sequence[Artifact], *, reference: Artifact, threads: int, settings: BurstSettings
    ) -> Generator[str]:
        program, folder = find_runner(reference), _folder(reference)
        for artifact in (reference, *artifacts):
            self.upload(artifact)
        self._put(f"{folder}/{RUNNER}", program.read_bytes())
        first, *others = (f"{_folder(each)}/{each.library_path.name}" for each in (reference, *artifacts))
        words = interleave_words(settings, threads=threads, reference=first, libraries=others)
        yield from self._lines(folder, "interleave", json.dumps(words))

    def forget(self, artifact: Artifact) -> None:
        folder = _folder(artifact)
        if folder in self._uploaded:
            self._uploaded.remove(folder)
            self._ask("forget", folder)

    def close(self) -> None:
        super().close()
        self._session = None  # TVM then ends the connection, and the board removes the connection's files
        self._uploaded.clear()

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

    def _put(self, path: str, content: bytes) -> None:
        for at in range(0, max(len(content), 1), PART_BYTES):
            self._ask("put", path, bytearray(content[at : at + PART_BYTES]), at > 0)

    def _ask(self, name: str, *arguments: Any) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._call(name, *arguments))
        if "error" in answer:
            raise DeviceError(f"{self.address}: the board says {answer['error']}")
        return answer

    def _call(self, name: str, *arguments: Any) -> Any:
        """The result of a function of the board; raises DeviceLost where the connection breaks or no answer comes."""
        if self._session is None:
            self._connect()
        session = self._session
        try:
            return call_within(self._timeout_s, lambda: session.get_function(f"b2nn.{name}")(*arguments))
        except TimeoutError:
            _abandoned.append(session)  # it is kept because its destructor would wait for the board, too
            self.close()
            raise DeviceLost(
                f"{self.address}: no answer for {self._timeout_s:g} s; is the board switched on and in reach?"
            ) from None
        except (RuntimeError, AttributeError, OSError) as error:
            self.close()
            raise DeviceLost(
                f"{self.address}: the connection was lost ({_last_line(error)}); see what b2nn-device says there"
            ) from None

    def _connect(self) -> None:
        rpc = tvm_rpc()
        try:
            self._session = call_within(CONNECT_S, rpc.connect, *self._address)
        except TimeoutError:
            raise DeviceLost(
                f"{self.address}: no answer for {CONNECT_S} s; b2nn-device serves one client at a time: is another"
                " client connected, or is the board off?"
            ) from None
        except (RuntimeError, OSError) as error:
            raise DeviceError(f"{self.address}: cannot connect: {_last_line(error)}; {self._remedy()}") from None
        self._shake_hands()

    def _remedy(self) -> str:
        port = self._address[1]
        return (
            f'start "b2nn-device --port {port}" on the board; it answers on the board itself only, so forward the port:'
            f' "ssh -N -L {port}:127.0.0.1:{port} user@board"'
        )

    def _shake_hands(self) -> None:
        """Raise DeviceError where the other side is no b2nn-device, or has another version of the protocol."""
        session = self._session
        try:
            answer = json.loads(call_within(CONNECT_S, session.get_function("b2nn.hello")))
        except TimeoutError:
            _abandoned.append(session)
            self.close()
            raise DeviceLost(f"{self.address}: no answer for {CONNECT_S} s after connecting") from None
        except AttributeError:  # TVM's way to say that the server does not have the function
            self.close()
            raise DeviceError(
                f"{self.address}: a TVM RPC server answers there, but not b2nn-device; start b2nn-device on the board"
                " instead"
            ) from None
        except RuntimeError as error:
            self.close()
            raise DeviceLost(f"{self.address}: the connection was lost ({_last_line(error)})") from None
        theirs = (answer["protocol"], answer["abi"])
        if theirs != (PROTOCOL, ABI_VERSION):
            self.close()
            raise DeviceError(
                f"{self.address}: the board has b2nn-tvm {answer['version']} (protocol {theirs[0]}, C interface"
                f" {theirs[1]}), this machine "
                f"{__version__} (protocol {PROTOCOL}, C interface {ABI_VERSION}); install the same version on both: "
                f'"pip install b2nn-tvm=={__version__}"'
            )


def tvm_rpc() -> ModuleType:
    """``tvm.rpc``, whose import takes seconds; it is imported before the board's time to answer begins."""
    from tvm import rpc

    module: ModuleType = rpc
    return module


_abandoned: list[Any] = []


def _folder(artifact: Artifact) -> str:
    return f"net-{artifact.manifest.library.sha256[:16]}"


def _last_line(error: Exception) -> str:
    """The last line of an error of TVM, which says what happened."""
    return next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
