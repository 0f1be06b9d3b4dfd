"""The README's examples print what it says, its commands run, and its links lead somewhere."""

import operator
import re
import shlex
from pathlib import Path

import pytest

import fastlogit as fl
from fastlogit import cli, plot
from fastlogit.data import flights_path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"


def test_the_readme_is_the_first_hour():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 160


def test_examples_of_the_readme_print_what_it_says(capsys):
    """One after the other, as a reader would copy them; what each prints is the block after it."""
    text = README.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```", text, re.M | re.S)
    assert len(blocks) == text.count("```python") >= 3
    names = {}
    for code, printed in blocks:
        exec(compile(code, "README.md", "exec"), names)
        assert capsys.readouterr().out == printed


def test_commands_of_the_readme_do_what_it_says(tmp_path, monkeypatch, capsys):
    """One after the other, as a reader would copy them into a checkout."""
    text = README.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [shlex.split(line) for block in blocks for line in block.splitlines()]
    (tmp_path / "fastlogit").mkdir()
    (tmp_path / "fastlogit" / "data").symlink_to(flights_path().parent)
    monkeypatch.chdir(tmp_path)
    for program, *words in lines:
        assert program == "fastlogit"
        assert cli.main(words) == 0
    written = {words[words.index("-o") + 1] for words in lines if "-o" in words}
    assert written <= {path.name for path in tmp_path.iterdir()}
    assert {"model.json", "scores.parquet"} <= written
    assert "AUC" in capsys.readouterr().out


def test_links_and_names_in_the_text_are_of_what_there_is():
    text = README.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert len(links) > 5
    assert [link for link in links if not (ROOT / link).exists()] == []
    assert set(re.findall(r"fastlogit plot ([a-z_]+)", text)) <= set(plot.__all__)
    for path in set(re.findall(r"\bfl\.([a-z_.]*[a-z_])", text)):
        operator.attrgetter(path)(fl)
    for word in set(re.findall(r"`fastlogit ([a-z]+)", text)):
        with pytest.raises(SystemExit) as info:
            cli.main([word, "--help"])
        assert info.value.code == 0
