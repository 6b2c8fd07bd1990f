"""What is no camera is named. (No machine of the tests has one; docs/photos.md says what was not tried.)"""

from __future__ import annotations

import pytest

from tests.support.deploy.runner_process import refused


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/dev/video99", "expected a camera (/dev/video0, say), but cannot open it: No such file or directory"),
        ("/dev/null", "expected a camera, but this is no V4L2 device"),
    ],
)
def test_what_is_no_camera_is_named(photo_net, path, message):
    assert refused(photo_net, "--camera", path) == f"error: {path}: {message}"


def test_a_file_is_no_camera(photo_net):
    path = photo_net / "manifest.json"
    assert refused(photo_net, "--camera", path) == f"error: {path}: expected a camera, but this is no V4L2 device"
