import shutil

import numpy as np
import pytest

from photoz_morph.blend.dataset import bands_of, open_dataset, read_scenes
from photoz_morph.catalogs.folds import SPLITS
from photoz_morph.shards.blends import find_blend_shards, read_blend_shard


def test_scenes_are_the_images_of_the_shards_with_all_that_is_known_of_their_sources(blends_dir, blend_data_dir):
    builder = open_dataset(blend_data_dir)
    images = {image.obj_id: image for path in find_blend_shards(blends_dir) for image in read_blend_shard(path)[0]}
    assert bands_of(builder) == ("g", "r", "i")
    scenes = [scene for split in SPLITS for scene in read_scenes(builder, split, with_source_images=True)]
    assert {scene.obj_id for scene in scenes} == set(images) and len(scenes) == len(images)
    for scene in scenes:
        image = images[scene.obj_id]
        assert scene.group_id == image.group_id and scene.bands == ("g", "r", "i") and scene.sigma.shape == (3,)
        np.testing.assert_array_equal(scene.image, image.image)
        np.testing.assert_array_equal(scene.instances, image.instances)
        np.testing.assert_array_equal(scene.source_images, image.source_images())
        for name in ("kind", "box", "mags", "flux_in_image", "n_visible", "is_target", "blendedness", "parent"):
            np.testing.assert_array_equal(scene.truth[name], image.sources[name])
        # What is left without the sources is the noise of the sky, and their photons.
        noise = (scene.image - scene.source_images.sum(axis=0)) / scene.sigma
        assert np.median(np.abs(noise)) == pytest.approx(0.6745, rel=0.15)  # 6,912 pixels


def test_a_part_of_a_split_is_read_without_the_images_of_sources(blend_data_dir):
    builder = open_dataset(blend_data_dir / "lsst_pairs")
    ids = [scene.obj_id for scene in read_scenes(builder, "train")]
    first = list(read_scenes(open_dataset(blend_data_dir / "lsst_pairs" / "1.0.0"), "train[:3]"))
    assert [scene.obj_id for scene in first] == ids[:3]
    assert all(scene.source_images is None and len(scene.truth) == 2 for scene in first)
    assert not {"pixels", "first_pixel", "place", "image"} & set(first[0].truth.colnames)


def test_folders_without_one_dataset_are_refused(blend_data_dir, tmp_path):
    with pytest.raises(FileNotFoundError, match="no prepared dataset found; make one with `blend build BLENDS"):
        open_dataset(tmp_path)
    for name in ("lsst_blends", "sdss_pairs"):
        (tmp_path / name / "1.0.0").mkdir(parents=True)
        (tmp_path / name / "1.0.0" / "dataset_info.json").touch()
    with pytest.raises(ValueError, match="holds the datasets lsst_blends, sdss_pairs; give one of them, such as"):
        open_dataset(tmp_path)


def test_a_damaged_file_is_named(blend_data_dir, tmp_path):
    shutil.copytree(blend_data_dir, tmp_path / "data")
    (path,) = (tmp_path / "data" / "lsst_pairs" / "1.0.0").glob("*train*")
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    with pytest.raises(RuntimeError, match="1.0.0, train: TensorFlow: .*; build the dataset again with --overwrite"):
        list(read_scenes(open_dataset(tmp_path / "data"), "train"))
