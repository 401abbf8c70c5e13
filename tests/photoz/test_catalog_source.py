import os
import shutil

import numpy as np
import pytest

from photoz_morph.catalogs.galaxies import read_galaxy_catalog
from photoz_morph.photoz import catalog_source
from photoz_morph.photoz.catalog_source import CatalogSource
from photoz_morph.stacking import stack
from photoz_morph.surveys import SDSS
from tests.support.paths import DATA


@pytest.fixture
def source(monkeypatch):
    """The two real galaxies, in partitions of one."""
    for module in (stack, catalog_source):
        monkeypatch.setattr(module, "SHARD_SIZE", 1)
    return CatalogSource(read_galaxy_catalog(DATA / "galaxies.csv"), DATA / "frames", SDSS, {"engine": "lanczos"})


def test_partitions_are_stacked_alone_as_they_are_together(source):
    assert [(part.name, part.n_rows) for part in source.partitions] == [("stacks-00000", 1), ("stacks-00001", 1)]
    together = list(source.iter_stacks([0, 1]))
    assert [list(table["obj_id"]) for _, table in together] == [[galaxy] for galaxy in source.catalog["obj_id"]]
    (images, table), *others = source.iter_stacks([1])
    assert not others and np.isfinite(images).all()
    np.testing.assert_array_equal(images, together[1][0])
    assert list(table["ebv_source"]) == list(together[1][1]["ebv_source"])
    assert not list(source.iter_stacks([]))


def test_the_fingerprint_is_that_of_the_galaxies_and_of_the_frames(source, tmp_path):
    frames = shutil.copytree(DATA / "frames", tmp_path / "frames")

    def fingerprint(frames, catalog=source.catalog):
        return CatalogSource(catalog, frames, SDSS).fingerprint

    assert fingerprint(frames) == source.fingerprint  # wherever the folder is
    (frames / "predictions.fits.parts").mkdir()
    for name in ("predictions.fits.lock", "predictions.fits.parts/settings.json"):  # of an output among the frames
        (frames / name).touch()
    assert fingerprint(frames) == source.fingerprint
    frame = frames / "frame-g-003918-3-0213.fits.gz"
    os.utime(frame, ns=(1, 1))
    changed = fingerprint(frames)
    os.utime(frame, ns=(1, 2))
    assert len({source.fingerprint, changed, fingerprint(frames), fingerprint(frames, source.catalog[:1])}) == 4


def test_the_first_galaxies_need_no_second_index_of_the_frames(source, monkeypatch):
    source.index
    monkeypatch.setattr(catalog_source, "open_frames", lambda *_: pytest.fail("the headers were read again"))
    (_, table), = source.first(1).iter_stacks([0])
    assert list(table["obj_id"]) == list(source.catalog["obj_id"][:1])
