"""What a machine says of itself decides what it can run, and the error says what it could run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from b2nn_tvm.deploy.devices.compatibility import check_fit, check_target
from b2nn_tvm.deploy.devices.system_facts import SystemFacts
from b2nn_tvm.deploy.library.artifact import Artifact
from b2nn_tvm.errors import DeviceError
from b2nn_tvm.targets.target import get

FEATURES = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
PI5 = {
    "machine": "aarch64",
    "bits": "64",
    "libc": "glibc 2.36",
    "board": "Raspberry Pi 5",
    "cpuinfo": f"Features\t: {FEATURES}\nCPU part\t: 0xd0b\n",
}
PI4 = {**PI5, "board": "Raspberry Pi 4", "cpuinfo": "Features\t: fp asimd crc32 cpuid\nCPU part\t: 0xd08\n"}


def refusal(target: str, facts: dict[str, str]) -> str:
    with pytest.raises(DeviceError) as caught:
        check_target(get(target), SystemFacts(facts), "the code is")
    return str(caught.value)


@pytest.mark.parametrize(("target", "facts"), [("arm", PI4), ("rpi4", PI4), ("arm", PI5), ("rpi5", PI5)])
def test_a_board_runs_the_code_of_its_target(target, facts):
    check_target(get(target), SystemFacts(facts), "the code is")


def test_code_for_another_architecture_is_refused_with_the_targets_that_fit():
    text = refusal("x86", PI4)
    assert text.startswith("the code is for target x86 ")
    assert "this device runs aarch64 (Raspberry Pi 4)" in text
    assert text.endswith("compile it with --target arm or rpi3 or rpi4 or rpi5")
    assert "runs armv7l in 32 bits (Raspberry Pi 4); compile it with --target armv7" in refusal(
        "arm", {**PI4, "bits": "32"}
    )
    assert "no target fits it" in refusal("arm", {"machine": "riscv64"})


def test_instructions_that_the_cpu_lacks_are_named():
    assert "(Raspberry Pi 4) lacks atomics, asimdhp, asimdrdm, lrcpc, asimddp; compile it" in refusal("rpi5", PI4)


@pytest.mark.parametrize("change", [{"cpuinfo": ""}, {"modalias": "cpu:type:x86,ven0000"}])
def test_features_that_nobody_can_tell_are_not_missing(change):
    """Where /proc/cpuinfo says nothing, or is that of the machine that emulates this one."""
    check_target(get("rpi5"), SystemFacts({**PI4, **change}), "the code is")


def test_a_library_that_needs_a_newer_c_library_is_refused_with_both_versions(artifact):
    facts = SystemFacts(PI4)
    for glibc in ("", "2.28", "2.36"):
        check_fit(needing(artifact, glibc), facts, "ssh://board")
    expected = "^ssh://board: .* needs the GNU C library 2.37, but this device has 2.36; .*ziglang"
    with pytest.raises(DeviceError, match=expected):
        check_fit(needing(artifact, "2.37"), facts, "ssh://board")
    check_fit(needing(artifact, "2.37"), SystemFacts({**PI4, "libc": ""}), "ssh://board")  # a board that does not tell


def needing(artifact: Artifact, glibc: str) -> Artifact:
    """The same network for 64-bit ARM and a C library of this version."""
    library = replace(artifact.manifest.library, glibc=glibc)
    return Artifact(artifact.folder, replace(artifact.manifest, target=get("arm"), library=library))
