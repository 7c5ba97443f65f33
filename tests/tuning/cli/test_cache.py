"""`tune cache` tells what is kept of compiled programs, and deletes it."""

from tuning import programs


def test_programs_are_counted_and_deleted(tune_here, tmp_path, monkeypatch):
    monkeypatch.setenv(programs.VARIABLE, str(tmp_path / "cache"))
    (programs.folder("jax", "1", {}) / "program").write_bytes(b"x" * 1_500_000)
    assert tune_here("cache").stdout.split() == ["1", "program,", "1.5", "MB,", "kept", "in", str(tmp_path / "cache")]
    assert "1.5 MB, deleted" in tune_here("cache", "--clear").stdout
    assert "0 programs, 0.0 MB, kept" in tune_here("cache").stdout
    monkeypatch.setenv(programs.VARIABLE, "off")
    assert "are not kept" in tune_here("cache").stdout
