"""The notebooks of the documents are run by a kernel, as they stand; what their cells show is HTML and pictures."""

import pytest

from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
SMALL = "first_search"


def marked(path):
    return pytest.param(path, id=path.stem, marks=pytest.mark.medium if path.stem == SMALL else pytest.mark.slow)


@pytest.mark.parametrize("path", map(marked, NOTEBOOKS))
def test_it_runs_and_shows_what_it_says(path, tmp_path, monkeypatch):
    executed = run(path, tmp_path, monkeypatch)
    outputs = [output for cell in executed.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    shown = "".join(output.get("data", {}).get("text/html", "") for output in outputs)
    assert "best: trial" in shown or path.stem == "pipeline"
    if path.stem == SMALL:
        assert "<svg role='img' aria-label='val_accuracy of 6 trials" in shown, "the study's history"
        assert "aria-label='val_loss by epoch" in shown, "the best trial's curves"
        assert "IProgress" not in "".join(output.get("text", "") for output in outputs), "no warning of missing widgets"
        pictures = [o for o in outputs if "application/vnd.plotly.v1+json" in o.get("data", {})]
        assert len(pictures) == 2 and all(o["data"]["application/vnd.plotly.v1+json"]["data"] for o in pictures)


def run(path, folder, monkeypatch):
    """Return a notebook with what its cells showed when they were run in a folder."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    return notebook


def test_there_are_four_and_they_are_stored_without_what_they_showed():
    nbformat = pytest.importorskip("nbformat")
    assert [path.stem for path in NOTEBOOKS] == ["csv_file", "first_search", "image_folder", "pipeline"]
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        assert not [cell for cell in notebook.cells if cell.get("outputs")], path.name
