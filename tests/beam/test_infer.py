"""Inference as a pipeline against the inference in one process."""

import functools
import json
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import Table

from photoz_morph.beam.infer import fill_on_beam
from photoz_morph.beam.options import beam_settings
from photoz_morph.cli.morph import main as morph
from photoz_morph.cli.photoz import main as photoz
from photoz_morph.photoz import catalog_source
from photoz_morph.photoz.infer import infer_source
from photoz_morph.shards.stacks import shard_path, write_shard
from photoz_morph.streaming.working_folder import WorkingFolder
from photoz_morph.surveys import SDSS
from tests.support.exports import toy_export, toy_mocks, toy_photoz_export
from tests.support.paths import ROOT
from tests.support.samples import colour_stacks
from tests.support.streams import SIZES, TINY_SDSS, NumpyModel, made_source

SLOW = """
import functools, sys
from photoz_morph.beam.infer import fill_on_beam
from photoz_morph.beam.options import beam_settings
from photoz_morph.photoz.infer import infer_source
from tests.support.streams import SIZES, NumpyModel, made_source

fill = functools.partial(fill_on_beam, beam_settings("DirectRunner"))
infer_source(NumpyModel(sys.argv[1], 0.5), made_source(SIZES), sys.argv[1], progress=False, fill_parts=fill)
"""


def filling(*assignments):
    return functools.partial(fill_on_beam, beam_settings("DirectRunner", assignments))


def call(main, *words):
    """Exit status of a command."""
    with pytest.raises(SystemExit) as status:
        main([str(word) for word in words])
    return status.value.code


def test_worker_processes_resume_what_was_killed(tmp_path):
    infer_source(NumpyModel("model"), made_source(SIZES), tmp_path / "one.fits", progress=False)
    out, folder = tmp_path / "beam.fits", tmp_path / "beam.fits.parts"
    process = subprocess.Popen([sys.executable, "-c", SLOW, out], cwd=ROOT)
    while len(list(folder.glob("*.parquet"))) < 3 and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    there = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.parquet")}
    assert 3 <= len(there) < len(SIZES) and not out.exists()

    workers = filling("direct_num_workers=2", "direct_running_mode=multi_processing")
    later = {}

    def fill_and_look(work, *arguments, **options):
        workers(work, *arguments, **options)
        later.update({path.name: path.stat().st_mtime_ns for path in work.folder.glob("*.parquet")})

    infer_source(NumpyModel(out), made_source(SIZES), out, progress=False, fill_parts=fill_and_look)
    assert len(later) == len(SIZES) and there.items() <= later.items()  # what was finished is not computed again
    assert out.read_bytes() == (tmp_path / "one.fits").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["beam.fits", "one.fits"]


def test_photoz_infer_writes_the_same_file_and_keeps_all_but_a_damaged_shard(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    toy_photoz_export(tmp_path / "model")
    (tmp_path / "stacks").mkdir()
    for index in range(3):
        images, table = colour_stacks(8, first_id=8 * index)
        table["flag"][2], images[2] = 1, np.nan
        write_shard(shard_path(tmp_path / "stacks", index), images, table, SDSS, "stacked")
    Table({"obj_id": np.arange(24), "ebv": np.linspace(0.1, 0.2, 24)}).write("ebv.csv")
    words = ("infer", "model", "stacks", "--catalog", "ebv.csv", "--quiet")
    assert call(photoz, *words, "--out", "one.fits") == 0
    path = shard_path(tmp_path / "stacks", 1)
    good = path.read_bytes()
    damaged = bytearray(good)
    damaged[200_000] ^= 1
    path.write_bytes(damaged)
    capfd.readouterr()
    assert call(photoz, *words, "--out", "beam.fits", "--runner", "DirectRunner") == 1
    said = capfd.readouterr()
    assert said.out == "" and said.err.startswith(f"Error: {path}: cannot be read as a shard of stacks (Checksum")
    assert said.err.count("\n") == 1
    there = sorted(path.name for path in (tmp_path / "beam.fits.parts").iterdir())
    assert there == ["settings.json", "stacks-00000.parquet", "stacks-00002.parquet"]
    path.write_bytes(good)
    assert call(photoz, *words, "--out", "beam.fits", "--runner", "DirectRunner") == 0
    assert (tmp_path / "beam.fits").read_bytes() == (tmp_path / "one.fits").read_bytes()
    assert call(photoz, *words, "--out", "beam.fits", "--beam-option", "direct_num_workers=2") == 2


def test_morph_infer_writes_the_same_file(tmp_path):
    folder = tmp_path / "mocks"
    folder.mkdir()
    toy_mocks(folder, (6, 5))
    model = toy_export(tmp_path / "model")
    words = ("infer", model, folder, "--fragility", "--max-queries", "2", "--quiet", "--out")
    assert call(morph, *words, tmp_path / "one.fits") == 0
    assert call(morph, *words, tmp_path / "beam.fits", "--runner", "DirectRunner") == 0
    assert (tmp_path / "beam.fits").read_bytes() == (tmp_path / "one.fits").read_bytes()


def test_galaxies_of_a_catalogue_are_stacked_by_the_workers_with_one_index(tmp_path, monkeypatch):
    opened = []

    def iter_stacks(catalog, frames, survey, progress, **options):
        assert frames == "index" and options == {"combine": "average"}
        images = np.random.default_rng(int(catalog["obj_id"][0])).random((len(catalog), 4, 4, 5), np.float32)
        yield images, catalog

    monkeypatch.setattr(catalog_source, "SHARD_SIZE", 5)
    monkeypatch.setattr(catalog_source, "iter_stacks", iter_stacks)
    monkeypatch.setattr(catalog_source, "open_frames", lambda *arguments: opened.append(arguments) or "index")
    catalog = Table({"obj_id": np.arange(13), "ra": np.zeros(13), "dec": np.zeros(13), "ebv": np.full(13, 0.1)})
    for name, options in (("one", {}), ("beam", {"fill_parts": filling()})):
        source = catalog_source.CatalogSource(catalog, tmp_path, TINY_SDSS, {"combine": "average"})
        monkeypatch.setattr(catalog_source.CatalogSource, "fingerprint", "the same")
        if name == "one":  # one partition after the other, as the worker asks for them
            parts = [next(source.iter_stacks([number])) for number in range(3)]
            source = SimpleNamespace(
                path=tmp_path, survey=TINY_SDSS, origin="stacked", fingerprint="the same", n_rows=13,
                facts=source.facts,
                partitions=tuple(
                    SimpleNamespace(name=f"{number}", n_rows=len(table), read=lambda part=(images, table): part)
                    for number, (images, table) in enumerate(parts)
                ),
            )  # fmt: skip
            opened.clear()
        infer_source(NumpyModel("model"), source, tmp_path / f"{name}.fits", progress=False, **options)
    assert len(opened) == 1
    assert (tmp_path / "beam.fits").read_bytes() == (tmp_path / "one.fits").read_bytes()


def test_a_part_of_other_rows_than_announced_is_named_as_without_a_runner(tmp_path):
    source = made_source((3, 5))
    changed = SimpleNamespace(name="changed", n_rows=9, read=source.partitions[1].read)
    source.partitions = (source.partitions[0], changed)
    for name, options in (("one", {}), ("beam", {"fill_parts": filling()})):
        with pytest.raises(ValueError, match="^changed: has 5 rows, 9 were announced; was it changed just now"):
            infer_source(NumpyModel("model"), source, tmp_path / f"{name}.fits", progress=False, **options)
        assert [path.name for path in (tmp_path / f"{name}.fits.parts").glob("*.parquet")] == ["made-00000-3.parquet"]


def test_the_bar_counts_the_rows_that_were_there_before(tmp_path, capfd):
    infer_source(NumpyModel("model"), made_source(SIZES), tmp_path / "a.fits", share=(1, 2), progress=False)
    capfd.readouterr()
    infer_source(NumpyModel("model"), made_source(SIZES), tmp_path / "a.fits", fill_parts=filling())
    n_before = sum(SIZES[::2])
    said = capfd.readouterr().err
    assert f"{n_before}/{sum(SIZES)}" in said and f"{sum(SIZES)}/{sum(SIZES)}" in said


def test_shares_with_and_without_a_runner_are_joined(tmp_path):
    for name, options in (("one", {}), ("two", {"fill_parts": filling()})):
        for share, more in (((1, 2), options), ((2, 2), {})):
            made = infer_source(
                NumpyModel("model"), made_source(SIZES), tmp_path / f"{name}.fits", share=share, progress=False, **more
            )
            assert (made.n_missing > 0) == (share == (1, 2))
    assert (tmp_path / "one.fits").read_bytes() == (tmp_path / "two.fits").read_bytes()


def test_workers_that_see_another_disk_are_noticed_and_leave_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(WorkingFolder, "write", lambda *arguments, **options: None)
    with pytest.raises(RuntimeError, match="a.fits.parts: the workers .* wrote nothing there; all must share it"):
        infer_source(NumpyModel("model"), made_source(SIZES), tmp_path / "a.fits", fill_parts=filling(), progress=False)
    assert not list(tmp_path.iterdir())


def test_an_error_that_is_not_of_a_partition_ends_the_pipeline(tmp_path, monkeypatch):
    def fail(self, image, ebv, source="", conditions=None):
        raise ZeroDivisionError(json.dumps("of the network"))

    monkeypatch.setattr(NumpyModel, "predict", fail)
    with pytest.raises(RuntimeError, match='^Beam: ZeroDivisionError: "of the network"$'):
        infer_source(NumpyModel("model"), made_source(SIZES), tmp_path / "a.fits", fill_parts=filling(), progress=False)
