"""Take the screenshots of the sample report for the documentation: python -m tests.support.browser.take_screenshots

They are docs/images/report-WIDTH-SCHEME.png, each of the page's upper part.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from b2nn_tvm.loop.results.page import page
from tests.support.browser.chromium import browser, missing
from tests.support.browser.report_pages import VIEWS, opened, sample
from tests.support.paths import ROOT

HEIGHTS = {1400: 1500, 420: 1100}  # pixels of the page that are shown
IMAGES = ROOT / "docs" / "images"


def main() -> None:
    """Write the images into docs/images, or into the folder that the command line names."""
    if why := missing():
        sys.exit(f"error: {why}")
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, browser() as chromium:
        path = Path(scratch) / "report.html"
        path.write_text(page(sample()), encoding="utf-8")
        for view in VIEWS:
            with opened(chromium, path, view) as shown:
                clip = {"x": 0, "y": 0, "width": view.width, "height": HEIGHTS[view.width]}
                shown.screenshot(path=folder / f"report-{view}.png", clip=clip, full_page=True)


if __name__ == "__main__":
    main()
