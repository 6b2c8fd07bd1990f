"""A result that describes itself, in Python's console and in notebooks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

from b2nn_tvm.errors import InputError
from b2nn_tvm.loop.results import tables
from b2nn_tvm.loop.results.budget_words import heading
from b2nn_tvm.loop.results.layer_outcome import LayerOutcome
from b2nn_tvm.loop.results.result import SearchResult
from b2nn_tvm.loop.results.tiles import sentence, tiles


@dataclass(frozen=True, repr=False)
class DescribedResult(SearchResult):
    """What ``b2nn_tvm.search`` and ``b2nn_tvm.load_result`` give: a SearchResult that says in words what it found."""

    def summary(self) -> str:
        """The result in a few lines: the figures at the top of report.html, and the sentence under them."""
        figures = (f"{tile.name}: {', '.join((tile.value, *tile.remarks))}" for tile in tiles(self))
        return "\n".join((heading(self), *figures, sentence(self), f"{self.folder / 'report.html'} has the rest"))

    def explain(self, layer: str) -> str:
        """What became of a layer, what it takes in each precision that was measured, and why.

        Raises InputError, with the names, where the network has no such layer.
        """
        found = next((each for each in self.layers if each.name == layer), None)
        if found is None:
            names = ", ".join(each.name for each in self.layers)
            raise InputError(f"there is no layer {layer!r}; choose one of {names}")
        return f"{layer} is {found.precision}{': ' if found.why else ''}{found.why}{_times(found)}{self._harm(found)}"

    def _harm(self, layer: LayerOutcome) -> str:
        if math.isnan(layer.harm):
            return ""
        if layer.precision == "float" and not self.is_binary:
            return f"; made one of fewer bits alone, its harm is at least {layer.harm:.3g}"
        word = "binary" if layer.precision == "float" else layer.precision
        return f"; made {word} alone, its harm is {layer.harm:.3g}"

    def _repr_html_(self) -> str:
        """The heading and the table of networks, for a notebook."""
        table = tables.networks(self)
        head = "".join(f"<th>{escape(column)}</th>" for column in table.columns)
        body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in table.rows)
        return (
            f"<p><b>{escape(heading(self))}</b></p><table><tr>{head}</tr>{body}</table><p>{escape(sentence(self))}</p>"
        )


def _times(layer: LayerOutcome) -> str:
    known = ", ".join(f"{ms:.4g} ms {precision}" for precision, ms in layer.ms.items())
    return f"; it takes {known}" if known else ""
