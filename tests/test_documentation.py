"""Every command and every Python example of the README and of docs/ is run as it stands."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT, needs_real_data

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN = {"make demo", "make test"}  # they install; `make test` is what runs this
REAL_DATA = ("fashion_mnist", "california_housing")


def blocks(page):
    return [(language, text) for language, text in BLOCK.findall(page.read_text(encoding="utf-8"))]


def commands(page):
    found = []
    for language, text in blocks(page):
        if language == "":
            lines = [line.partition("  #")[0].strip() for line in text.splitlines()]
            found += [line for line in lines if line.startswith(("tune ", "python ", "make "))]
    return found


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def run(command, folder):
    words = shlex.split(command)
    program = [sys.executable, "-m", "tuning.cli"] if words[0] == "tune" else [sys.executable]
    words = [str(ROOT / word) if word.startswith("scripts/") else word for word in words[1:]]
    if words[0] in ("board", "dashboard"):
        return run_server(program + words, folder)
    done = subprocess.run(program + words, cwd=folder, env=environment(), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout


def run_server(command, folder):
    """Start what is looked at in a browser, wait for its address, and end it as a person does."""
    process = subprocess.Popen(
        command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        line = process.stdout.readline()
        assert "http://127.0.0.1:" in line, process.stderr.read()
    finally:
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
    return line


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_commands_and_examples_of_a_page_run(page, tmp_path):
    lines = commands(page)
    examples = [text for language, text in blocks(page) if language == "python"]
    if any(word in line for line in [*lines, *examples] for word in REAL_DATA):
        needs_real_data()
    for language, text in blocks(page):
        if language == "python":
            title = re.match(r"# (\w+\.py)\n", text)
            if title:
                (tmp_path / title[1]).write_text(text)
    for line in lines:
        if line not in NOT_RUN:
            run(line, tmp_path)
    for language, text in blocks(page):
        if language == "python" and not re.match(r"# \w+\.py\n", text):
            example = tmp_path / "example.py"
            example.write_text(text)
            done = subprocess.run(
                [sys.executable, example], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=600
            )
            assert done.returncode == 0, f"{page.name}\n{text}\n{done.stderr}"


def test_links_between_pages_lead_somewhere():
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.medium
def test_every_script_shows_its_help():
    programs = [
        path for path in sorted((ROOT / "scripts").glob("*.py")) if "__main__" in path.read_text(encoding="utf-8")
    ]
    assert len(programs) > 10
    for script in programs:
        done = subprocess.run(
            [sys.executable, script, "--help"], env=environment(), capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0 and "usage" in done.stdout, f"{script.name}\n{done.stderr}"


@pytest.mark.slow
def test_the_tuning_scripts_search_and_resume(tmp_path):
    needs_real_data()
    for command in ("tune_fashion_mnist.py --epochs 1", "tune_california_housing.py --epochs 1 --trials 2"):
        assert "best" in run(f"python scripts/{command}", tmp_path)
    assert (tmp_path / "fashion_mnist.keras").is_file()
    assert all(
        len((ROOT / "scripts" / name).read_text().splitlines()) < 30
        for name in ("tune_fashion_mnist.py", "tune_california_housing.py")
    )


def test_every_public_name_stands_in_the_reference():
    import tuning

    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "reference").glob("*.md"))
    documented = re.findall(r"^::: [\w.]+\.(\w+)$", pages, re.MULTILINE)
    assert sorted(documented) == sorted([*tuning.__all__, *tuning.observers.__all__])


def test_what_the_page_of_troubles_quotes_is_what_is_said():
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    said = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tuning").rglob("*.py"))
    said = re.sub(r'"\s+f?"', "", said)  # texts of several lines
    for row in re.findall(r"^\| ([^|]*`[^|]*) \|", page, re.MULTILINE):
        for quoted in re.findall(r"`([^`]+)`", row):
            assert quoted in said, quoted
