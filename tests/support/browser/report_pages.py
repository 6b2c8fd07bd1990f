"""Reports as people open them: at the widths of a desk and of a telephone, in light and in dark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from b2nn_tvm.loop.results.load_result import load_result
from b2nn_tvm.loop.results.result import SearchResult
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDTHS = (1400, 420)
SCHEMES = ("light", "dark")
SAMPLE = ROOT / "tests" / "support" / "browser" / "sample"  # what one search wrote: its report.json and plan.json

# Elements with text of their own that is cut off, or that stand out of the page to the right.
CLIPPED = """() => {
  const own = each => [...each.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
  const name = each => each.tagName + ' ' + each.textContent.trim().slice(0, 60);
  const width = document.documentElement.clientWidth;
  const cut = each => each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).display !== 'inline';
  const outside = each => each.getBoundingClientRect().right > width + 1;
  return [...document.body.querySelectorAll(':not(style)')]
    .filter(each => own(each) && (outside(each) || (!(each instanceof SVGElement) && cut(each))))
    .map(name);
}"""
# The least contrast between a text and what is behind it (WCAG 2.1), of all elements with text of their own.
CONTRAST = """() => {
  const own = each => [...each.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
  const parse = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => {
    const linear = v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
    const [r, g, b] = parse(colour).slice(0, 3).map(v => linear(v / 255));
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const behind = each => {
    for (; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if ((parse(colour)[3] ?? 1) > 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const found = [...document.body.querySelectorAll(':not(style)')].filter(own).map(each => {
    const style = getComputedStyle(each);
    const [a, b] = [light(each instanceof SVGElement ? style.fill : style.color), light(behind(each))];
    return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), each.tagName + ' ' + each.textContent.trim().slice(0, 40)];
  });
  return found.sort((a, b) => a[0] - b[0])[0];
}"""


@dataclass(frozen=True)
class View:
    """A width in pixels and a colour scheme."""

    width: int
    scheme: str

    def __str__(self) -> str:
        return f"{self.width}-{self.scheme}"


VIEWS = tuple(View(width, scheme) for width in WIDTHS for scheme in SCHEMES)


def sample() -> SearchResult:
    """The sample, as if it lay in the folder "result"."""
    found = load_result(SAMPLE)
    return replace(found, folder=Path("result"), libraries={name: Path("result") / name for name in found.libraries})


@contextmanager
def opened(browser: Browser, path: Path, view: View) -> Iterator[Page]:
    """The page of a file, which must ask for nothing outside of itself and complain of nothing."""
    context = browser.new_context(viewport={"width": view.width, "height": 900}, color_scheme=view.scheme)
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda request: request.url.startswith(("data:", path.as_uri())) or complaints.append(request.url),
    )
    page.goto(path.as_uri())
    try:
        yield page
    finally:
        context.close()
    if complaints:
        raise AssertionError(f"{path} asks or complains: {complaints}")
