import numpy as np
import pytest

from photoz_morph.catalogs.folds import SPLITS
from photoz_morph.datasets.reading import open_dataset
from photoz_morph.shards.blends import blend_shard_path, find_blend_shards, read_blend_shard, unpack_sources
from photoz_morph.simulation.blends.sample import simulate_blends
from photoz_morph.simulation.blends.scenes import BlendSettings
from tfds_builders.lsst_blends import build


def examples(builder, split):
    return list(builder.as_dataset(split=split).as_numpy_iterator())


def test_images_and_truth_come_back(blends_dir, blend_data_dir):
    builder = open_dataset(blend_data_dir, "lsst_pairs")
    stored = {int(example["obj_id"]): example for split in SPLITS for example in examples(builder, split)}
    images = [image for path in find_blend_shards(blends_dir) for image in read_blend_shard(path)[0]]
    assert len(stored) == len(images)
    for image in images:
        example = stored[image.obj_id]
        np.testing.assert_array_equal(example["image"], image.image)
        np.testing.assert_array_equal(example["instances"], image.instances)
        whole = unpack_sources(example["pixels"], example["first_pixel"], example["place"], image.image.shape)
        np.testing.assert_array_equal(whole, image.source_images())
        for name in ("kind", "box", "mags", "n_visible", "is_target", "blendedness", "parent"):
            np.testing.assert_array_equal(example[name], image.sources[name])
        np.testing.assert_allclose(example["redshift"], image.sources["redshift"], rtol=1e-6)


def test_splits_share_no_image_and_no_parent(blend_data_dir):
    builder = open_dataset(blend_data_dir, "lsst_pairs")
    parents, groups = {}, {}
    for split in SPLITS:
        found = examples(builder, split)
        parents[split] = {int(parent) for example in found for parent in example["parent"]}
        groups[split] = {int(example["group_id"]) for example in found}
    for sets in (parents, groups):
        assert not sets["train"] & sets["validation"] and not sets["train"] & sets["test"]
        assert not sets["validation"] & sets["test"]


def test_metadata_say_what_the_images_are(blend_data_dir):
    metadata = open_dataset(blend_data_dir, "lsst_pairs").info.metadata
    expected = {"kind": "pairs", "survey": "lsst", "bands": "g,r,i", "pixel_scale": 0.2, "unit": "nJy", "years": 10,
                "zero_point": 31.4, "origin": "simulated"}  # fmt: skip
    assert {key: metadata[key] for key in expected} == expected
    assert metadata["classes"] == ["background", "star", "spheroid", "disk", "merger"]
    sigma = np.array(metadata["sky_sigma"].split(","), float)
    assert sigma == pytest.approx([1.3, 1.4, 2.3], rel=0.05)
    assert len(metadata["content_hash"]) == 32


def test_content_hash_does_not_depend_on_the_shards(blend_data_dir, blend_pool_dir, tmp_path, monkeypatch):
    from photoz_morph.simulation.blends import sample

    monkeypatch.setitem(sample.SHARD_SIZES, "pairs", 25)
    (tmp_path / "blends").mkdir()
    (tmp_path / "blends" / "parents").symlink_to(blend_pool_dir)
    settings = BlendSettings(kind="pairs", seed=3)
    simulate_blends(tmp_path / "blends", 60, settings, 40, n_processes=1, progress=False)
    build(tmp_path / "blends", tmp_path / "data", progress=False)
    builders = [open_dataset(folder, "lsst_pairs") for folder in (blend_data_dir, tmp_path / "data")]
    assert builders[0].info.metadata["content_hash"] == builders[1].info.metadata["content_hash"]


def test_scenes_of_sdss_and_fields_without_sources_are_stored(blend_pool_dir, tmp_path):
    (tmp_path / "parents").symlink_to(blend_pool_dir)
    settings = BlendSettings(survey="sdss", size=32, faintest=20.5, seed=3)
    simulate_blends(tmp_path, 40, settings, 40, n_processes=1, progress=False)
    build(tmp_path, tmp_path / "data", progress=False)
    builder = open_dataset(tmp_path / "data", "sdss_blends")
    found = [example for split in SPLITS for example in examples(builder, split)]
    empty = [example for example in found if len(example["kind"]) == 0]
    assert empty and all(example["pixels"].shape == (0,) and example["box"].shape == (0, 4) for example in empty)
    assert builder.info.metadata["unit"] == "nanomaggy" and any(len(example["kind"]) for example in found)


def test_folders_that_are_no_one_sample_are_refused(blends_dir, blend_data_dir, blend_pool_dir, tmp_path):
    with pytest.raises(FileNotFoundError, match="create them with `blend simulate`"):
        build(tmp_path, tmp_path / "data", progress=False)
    (tmp_path / "parents").symlink_to(blend_pool_dir)
    settings = BlendSettings(kind="pairs", seed=3)
    simulate_blends(tmp_path, 2, settings, 40, n_processes=1, progress=False)
    with pytest.raises(ValueError, match="2 images leave none for"):
        build(tmp_path, tmp_path / "data", progress=False)
    other = blend_shard_path(tmp_path, 1)
    other.write_bytes(blend_shard_path(blends_dir, 0).read_bytes())
    with pytest.raises(ValueError, match="obj_id 30000000000 occurs twice; drop one of its shards"):
        build(tmp_path, tmp_path / "data", progress=False)
    (tmp_path / "shallow" / "parents").parent.mkdir()
    (tmp_path / "shallow" / "parents").symlink_to(blend_pool_dir)
    settings = BlendSettings(kind="pairs", seed=3, years=1)
    simulate_blends(tmp_path / "shallow", 2, settings, 40, n_processes=1, progress=False)
    other.write_bytes(blend_shard_path(tmp_path / "shallow", 0).read_bytes())
    with pytest.raises(ValueError, match="shards of different sky_sigma, years in one folder; keep them apart"):
        build(tmp_path, tmp_path / "data", progress=False)
    with pytest.raises(ValueError, match="the dataset exists; use it, or replace it with --overwrite"):
        build(blends_dir, blend_data_dir, progress=False)
