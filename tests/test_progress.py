"""Progress: what counts as one, and how the progress of parts becomes that of the whole."""

from __future__ import annotations

import functools
import threading

import pytest

from b2nn_tvm.errors import InputError
from b2nn_tvm.progress import CombinedProgress, as_progress, part_of, silent


class Listener:
    """All calls, as tuples."""

    def __init__(self) -> None:
        self.calls: list[tuple] = []

    def __call__(self, *call) -> None:
        self.calls.append(call)


class FourInAMethod(Listener):
    def __call__(self, phase: str, done: int, total: int, detail: str = "") -> None:
        super().__call__(phase, done, total, detail)


def test_nobody_who_listens_is_silence() -> None:
    assert as_progress(None) is silent
    assert as_progress(silent) is silent and silent("phase", 1, 2, "words") is None


def test_a_function_of_four_is_called_as_it_is() -> None:
    for listener in (Listener(), FourInAMethod()):
        assert as_progress(listener) is listener
    needed = lambda phase, done, total, words: None
    assert as_progress(needed) is needed
    assert as_progress(bound := functools.partial(FourInAMethod())) is bound


def test_a_function_of_three_is_not_given_the_details() -> None:
    heard = Listener()

    def listen(phase: str, done: int, total: int) -> None:
        heard(phase, done, total)

    progress = as_progress(listen)
    progress("train", 1, 2, "loss 0.5")
    progress("train", 2, 2)
    assert heard.calls == [("train", 1, 2), ("train", 2, 2)]


def test_a_default_that_is_no_detail_is_left_alone() -> None:
    heard = Listener()

    def count(phase: str, done: int, total: int, where: Listener = heard) -> None:
        where(phase, done, total)

    as_progress(count)("train", 1, 2, "loss 0.5")
    assert heard.calls == [("train", 1, 2)]


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (
            True,
            r"function of \(phase, done, total, detail\) or None for silence, not True; .*draw_progress\.progress\(\)",
        ),
        (False, "None for silence, not False"),
        ("bar", "not 'bar'"),
        (lambda done, total: None, r"takes \(done, total\): too many positional arguments"),
        (lambda phase, done, total, detail, more: None, r"takes \(phase, done, total, detail, more\): missing"),
    ],
    ids=["True", "False", "word", "two", "five"],
)
def test_what_is_no_progress_is_refused(callback, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_progress(callback)


def test_a_part_is_told_under_the_phase_of_the_whole() -> None:
    heard = Listener()
    part = part_of(heard, "fine-tune the chosen network")
    part("fine-tune", 1, 3)
    part("something else", 3, 3, "loss 0.5")
    assert heard.calls == [
        ("fine-tune the chosen network", 1, 3, ""),
        ("fine-tune the chosen network", 3, 3, "loss 0.5"),
    ]


def test_joint_progress_is_weighted() -> None:
    heard = Listener()
    joint = CombinedProgress(heard, "fine-tune", {"short": 1.0, "long": 3.0})
    joint("short", 5, 5)
    joint("long", 5, 10, "loss 0.5")
    joint("long", 0, 0)  # a part of which nothing is known yet
    assert heard.calls == [
        ("fine-tune", 25, 100, ""),
        ("fine-tune", 62, 100, "long: loss 0.5"),
        ("fine-tune", 25, 100, ""),
    ]
    assert as_progress(joint) is joint
    CombinedProgress(heard, "train", {"4-of-6-bee4bd37": 1.0})("4-of-6-bee4bd37", 1, 4, "loss 0.5")
    assert heard.calls[-1] == ("train", 25, 100, "loss 0.5")  # the only one needs no name


def test_parts_in_threads_are_told_one_at_a_time() -> None:
    inside, most, heard = [], [], Listener()

    def progress(*call) -> None:
        inside.append(call)
        most.append(len(inside))
        heard(*call)
        inside.remove(call)

    joint = CombinedProgress(progress, "all", dict.fromkeys("abcd", 1.0))
    count = lambda name: [joint(name, done, 50, name) for done in range(1, 51)]
    threads = [threading.Thread(target=count, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(most) == {1} and len(heard.calls) == 200
    done = [call[1] for call in heard.calls]
    assert done == sorted(done) and done[-1] == 100
