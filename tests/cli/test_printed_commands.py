"""Every command that an error, a help text, a docstring or a page prints is accepted by the command that it names."""

from __future__ import annotations

import copy
import importlib
import itertools
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click
import pytest

from b2nn_tvm.cli.options.word import Precisions, Target
from b2nn_tvm.errors import InputError
from b2nn_tvm.frontend.import_onnx import import_onnx
from b2nn_tvm.targets import target as targets
from tests.support.cli.printed_commands import SAMPLE, Printed, in_page, in_python, installs, make_targets
from tests.support.networks.onnx_models import model, save
from tests.support.paths import ROOT

FOLDERS = ("b2nn_tvm", "deploy", "schedules", "targets")
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "runtime" / "README.md"])
RUNTIME = tomllib.loads((ROOT / "runtime" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# What stands for the placeholder of an option of these types.
WORDS = {click.Choice: lambda kind: kind.choices[0], Target: lambda _: targets.NATIVE, Precisions: lambda _: "1,32"}


@pytest.fixture(scope="module")
def commands() -> dict[str, click.Command]:
    """The commands by name, among them b2nn-run, whose options are those of its C source."""
    found = {}
    for name, entry in PROJECT["scripts"].items():
        module, _, function = entry.partition(":")
        found[name] = _quiet(getattr(importlib.import_module(module), function))
    return {**found, "b2nn-run": _runner()}


def _quiet(command: click.Command) -> click.Command:
    """The command, where options such as --version end the parsing, but do nothing."""

    def end(context: click.Context, parameter: click.Parameter, value: object) -> None:
        if value:
            context.exit()

    quiet = click.Command(command.name, params=[_copied(parameter, end) for parameter in command.params])
    quiet.params.append(click.Option(["--help"], is_flag=True, is_eager=True, expose_value=False, callback=end))
    quiet.add_help_option = False
    return quiet


def _copied(parameter: click.Parameter, end: Callable) -> click.Parameter:
    copied = copy.copy(parameter)
    if parameter.is_eager:
        copied.callback = end
    return copied


def _runner() -> click.Command:
    source = (ROOT / "deploy" / "runner" / "options.c").read_text(encoding="utf-8")
    table = re.search(r"known\[KNOWN\] = \{(.*?)\};", source, re.DOTALL).group(1)
    code = source[source.index("static void add(") :]
    flags = {"--profiled", "--second-reference", *re.findall(r'strcmp\(word, "(--[a-z-]+)"\)', code)}
    flags |= set(re.findall(r'\[[A-Z]+\] = "(--[a-z]+)"', code))
    options = [click.Option([flag], is_flag=True) for flag in sorted(flags)]
    options += [click.Option([option]) for option in re.findall(r'"(--[a-z-]+)"', table) if option not in flags]
    assert len(options) == 27
    params = [click.Argument(["library"], nargs=-1), *options]
    return click.Command("b2nn-run", params=params, add_help_option=False)


def complaint(printed: Printed, commands: dict[str, click.Command]) -> str:
    """Why what is printed cannot be typed; empty where it can. An option alone has to be one of any command."""
    first, *words = printed.words
    if not first.startswith("-"):
        name = Path(first).name
        if name not in commands:
            options = any(word.startswith("-") for word in words)
            return f"{printed.place}: there is no command {name}" if options else ""
        return _refusal(commands[name], words, printed)
    having = [command for command in commands.values() if any(first in _spellings(option) for option in command.params)]
    if not having:
        return f"{printed.place}: no command has an option {first}"
    refusals = [_refusal(command, _without_prose(command, printed.words), printed) for command in having]
    return "" if "" in refusals else refusals[0]


def _refusal(command: click.Command, words: Sequence[str], printed: Printed) -> str:
    valued = {word for option in _options(command) if not option.is_flag for word in _spellings(option)}
    if not printed.whole and words and words[-1] in valued:
        words = words[:-1]  # a mention of the option, without a value
    chosen = dict(itertools.pairwise(words)).get("--target", SAMPLE)
    if chosen not in (SAMPLE, "NAME", *targets.names()):
        return f"{printed.place}: {' '.join(printed.words)}: there is no target {chosen}"
    try:
        command.make_context(command.name, list(_filled(command, words)))
    except click.exceptions.Exit:
        return ""
    except click.MissingParameter as error:
        return f"{printed.place}: {' '.join(printed.words)}: {error.format_message()}" if printed.whole else ""
    except click.UsageError as error:
        return f"{printed.place}: {' '.join(printed.words)}: {error.format_message()}"
    return ""


def _without_prose(command: click.Command, words: tuple[str, ...]) -> tuple[str, ...]:
    """The option, and the word behind it unless it goes on with the sentence: "without --tune nothing is measured"."""
    option = next(each for each in _options(command) if words[0] in _spellings(each))
    word = "".join(words[1:])
    lower = word.isalpha() and word.islower()
    typed = not isinstance(option.type, click.types.StringParamType)
    return words[:1] if option.is_flag or (typed and lower) else words


def _filled(command: click.Command, words: Sequence[str]) -> Iterator[str]:
    """The words, with a number where a placeholder such as N stands for one."""
    previous = ""
    for word in words:
        option = next((each for each in command.params if previous in _spellings(each)), None)
        if option is not None and word in (option.metavar, SAMPLE) and isinstance(option.type, tuple(WORDS)):
            word = next(find(option.type) for kind, find in WORDS.items() if isinstance(option.type, kind))
        typed = option is not None and not isinstance(option.type, click.types.StringParamType)
        yield SAMPLE if typed and word == option.metavar else word
        previous = word


def _options(command: click.Command) -> list[click.Option]:
    return [parameter for parameter in command.params if isinstance(parameter, click.Option)]


def _spellings(parameter: click.Parameter) -> tuple[str, ...]:
    return (*parameter.opts, *parameter.secondary_opts)


def test_what_the_code_prints_can_be_typed(commands) -> None:
    """An option alone may be one of dask's workers as well."""
    dask = pytest.importorskip("distributed.cli.dask_worker", reason="prints its options; it is of the extra cluster")
    commands = {**commands, "dask-worker": _quiet(dask.main)}
    printed = [each for path in SOURCES for each in in_python(path.relative_to(ROOT), path.read_text(encoding="utf-8"))]
    assert [text for each in printed if (text := complaint(each, commands))] == []
    assert len(printed) > 50
    found = {(each.place.partition(":")[0], each.words) for each in printed}
    assert ("deploy/devices/rpc_connection.py", ("b2nn-device", "--port", SAMPLE)) in found
    assert ("b2nn_tvm/frontend/static_shapes.py", ("--input-shape", f"{SAMPLE}=1x3x224x224")) in found
    assert ("b2nn_tvm/cli/search.py", ("b2nn-compile", "--list-targets")) in found
    assert ("b2nn_tvm/verification/verify_artifact.py", ("--no-verify",)) in found


def test_what_the_pages_print_can_be_typed(commands, tmp_path, monkeypatch) -> None:
    """Options alone may be those of the benchmarks as well. The user's file is one that the reader wrote."""
    (tmp_path / "nets.py").write_text("def make_net(classes): ...")
    monkeypatch.chdir(tmp_path)
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "benchmarks").glob("*.py"))
    options = [click.Option([word]) for word in sorted(set(re.findall(r'"(--[a-z-]+)"', sources)))]
    commands = {**commands, "benchmarks": click.Command("benchmarks", params=options)}
    printed = [each for path in PAGES for each in in_page(path.relative_to(ROOT), path.read_text(encoding="utf-8"))]
    assert [text for each in printed if (text := complaint(each, commands))] == []
    assert sum(each.whole for each in printed) > 15
    found = {(each.place, each.words) for each in printed}
    assert ("docs/raspberry-pi.md", ("./net-rpi4/b2nn-run", "--profile", "--runs", "20")) in found
    assert ("docs/photos.md", ("./b2nn-run", "--frames", "640x480")) in found  # behind a pipe
    assert ("docs/commands.md", ("b2nn-search",)) in found  # as b2nn search
    assert ("docs/arm.md", ("b2nn-compile", "--tune", "N", "--device", "static")) in found


@pytest.mark.parametrize("has_shape", [True, False])
def test_the_shape_that_an_error_proposes_can_be_typed(tmp_path, commands, has_shape) -> None:
    """The error itself, with what it fills in."""
    built = model("output = Relu (image)", inputs="float[n,3,h,w] image")
    assert built.graph.input[0].type.tensor_type.HasField("shape")
    if not has_shape:
        built.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(InputError) as caught:
        import_onnx(save(tmp_path, built))
    (printed,) = in_python(Path("error"), repr(str(caught.value)))
    assert printed.words == ("--input-shape", "image=1x3x224x224")
    assert complaint(printed, commands) == ""


def absent(text: str) -> list[str]:
    """What ``pip install`` or ``make`` is told in the text, but the project does not know."""
    extras = {**PROJECT["optional-dependencies"], **RUNTIME["optional-dependencies"]}
    known = [*PROJECT["dependencies"], *(each for extra in extras.values() for each in extra)]
    names = {re.match(r"[\w.-]+", each).group() for each in known} | {PROJECT["name"], RUNTIME["name"], "."}
    made = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    found = [target for target in make_targets(text) if target not in made]
    for word in installs(text):
        name, _, extra = word.rstrip("]").partition("[")
        if name.partition("==")[0] not in names or not {*extra.split(",")} <= {"", *extras}:
            found.append(word)
    return found


def test_what_is_to_be_installed_and_made_exists() -> None:
    texts = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in (*SOURCES, *PAGES)}
    assert {place: words for place, text in texts.items() if (words := absent(text))} == {}
    assert "b2nn-tvm[cross]" in installs(texts["deploy/library/toolchain.py"])
    assert "onnxruntime" in installs(texts["b2nn_tvm/compiler.py"])
    assert make_targets(texts["deploy/devices/qemu.py"]) == ["arm-emulator", "arm-emulator"]
    assert absent(
        "pip install 'b2nn-tvm[crosses]', pip install -c pins.txt onxruntime, `make arm-emulators`, `make test`"
    ) == [
        "arm-emulators",
        "b2nn-tvm[crosses]",
        "onxruntime",
    ]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ('f"pass --input-shape {name}=1;3;224;224"', "1=1;3;224;224"),
        ('f"pass " f"--input-shape {name}=1x3x{size}y"', "NAME=1x3x32x32"),
        ('"compile it with --no-check"', "no command has an option --no-check"),
        ('"compile with --tune 1.5 trials"', "'1.5' is not a valid whole number"),
        ('"choose --sign-zero +2"', "'+2' is not one of"),
        ('"compile it with --target arm9"', "there is no target arm9"),
        ("""'start "b2nn-device --prot 9"'""", "No such option"),
        ('"see b2nn-compile --list-target."', "No such option"),
        ('"see b2nn-compiler --list-targets."', "there is no command b2nn-compiler"),
        ('"``b2nn-compile a.onnx b.onnx``"', "unexpected extra argument"),
        (r'"run\n    ./b2nn-run --inputs image.npy"', "No such option"),
    ],
)
def test_what_cannot_be_typed_is_found(commands, source: str, reason: str) -> None:
    code = f"def f():\n    raise E({source})"
    complaints = [complaint(each, commands) for each in in_python(Path("some.py"), code)]
    assert any(reason in text and text.startswith("some.py:2: ") for text in complaints), complaints


def test_a_wrong_command_in_a_page_is_found(commands) -> None:
    block = "```sh\nb2nn-compile -o DIR  # no model\nssh pi@board ./net/b2nn-run --runs 20 > rows\n```\n"
    page = "Type `b2nn-profile --run 3`, then\n" + block
    printed = list(in_page(Path("page.md"), page))
    assert replace(printed[1], place="") == Printed("", ("./net/b2nn-run", "--runs", "20"), whole=True)
    assert [complaint(each, commands) != "" for each in printed] == [True, False, True]
