"""The commands that the README and the pages show are ones that the command line knows."""

import re
import shlex
from pathlib import Path

import pytest

from repro.command_line import _parser

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(?:\.venv/bin/)?repro (.*?)(?:\s+#.*)?$", re.MULTILINE)
NOTEBOOK = re.compile(r"papermill book/([\w-]+)\.ipynb")


@pytest.mark.parametrize(
    "file",
    ["README.md", "CONTRIBUTING.md", *(f"book/text/{n}.md" for n in ("rerun", "benchmark", "status"))],
)
def test_every_command_shown_is_one_that_there_is(file):
    text = (ROOT / file).read_text()
    commands = [words for fence in FENCE.findall(text) for words in COMMAND.findall(fence)]
    assert commands
    for words in commands:
        assert _parser().parse_args(shlex.split(words)).command == words.split()[0]
    for page in NOTEBOOK.findall(text):
        assert (ROOT / "book" / "text" / f"{page}.md").is_file()
