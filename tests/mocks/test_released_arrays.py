"""Reader of the authors' released arrays, on small files of the same layout."""

import io

import numpy as np
import pytest

from photoz_morph.mocks.released_arrays import open_released

COUNTS = {"train": (3, 2, 2), "valid": (1, 1, 1), "test": (2, 1, 1)}  # spiral, elliptical, merger, in this order


@pytest.fixture
def folder(tmp_path):
    """Channel c of row k is 1000 k + 10 c in Y10, and 0.5 more in Y1; one pixel tells rows from columns."""
    for split, counts in COUNTS.items():
        labels = np.repeat(np.eye(3, dtype=int), counts, axis=0)
        level = 1000 * np.arange(len(labels))[:, None] + 10 * np.arange(3)
        images = np.ones((len(labels), 3, 100, 100)) * level[:, :, None, None]
        images[:, :, 2, 7] -= 5
        np.save(tmp_path / f"images_Y10_{split}.npy", images)
        np.save(tmp_path / f"images_Y1_{split}.npy", images + 0.5)
        np.save(tmp_path / f"labels_{split}.npy", labels)
    return tmp_path


def test_sizes_and_class_counts_are_those_of_the_files(folder):
    arrays = open_released(folder)
    assert arrays.sizes == {"train": 7, "validation": 3, "test": 4}
    assert arrays.class_counts("train").tolist() == [3, 2, 2]


def test_channels_come_last_and_both_depths_are_one_galaxy(folder):
    example = list(open_released(folder).iter_examples("train"))[4]
    assert example["image_y10"].shape == (100, 100, 3) and example["image_y10"].dtype == np.float32
    np.testing.assert_array_equal(example["image_y10"][0, 0], [4000, 4010, 4020])
    np.testing.assert_array_equal(example["image_y10"][2, 7], [3995, 4005, 4015])
    np.testing.assert_array_equal(example["image_y1"], example["image_y10"] + 0.5)
    assert example["label"] == 1


def test_order_is_followed(folder):
    examples = list(open_released(folder).iter_examples("test", order=np.array([3, 0])))
    assert [example["label"] for example in examples] == [2, 0]
    assert [example["image_y10"][0, 0, 0] for example in examples] == [3000, 0]


def test_obj_id_is_unique_over_the_splits(folder):
    arrays = open_released(folder)
    ids = [example["obj_id"] for split in arrays.sizes for example in arrays.iter_examples(split)]
    assert len(set(ids)) == len(ids) == 14


def test_files_are_mapped_not_loaded(folder):
    arrays = open_released(folder)
    assert all(isinstance(images, np.memmap) for images in (arrays.images_y10["train"], arrays.images_y1["test"]))


def test_missing_file_is_named(folder):
    (folder / "images_Y1_valid.npy").unlink()
    with pytest.raises(FileNotFoundError, match="images_Y1_valid.npy: no such file; fetch all nine arrays of Zenodo"):
        open_released(folder)


@pytest.mark.parametrize(
    "name, change, message",
    [
        ("images_Y1_train", lambda a: a[:5], "5 images, but the labels beside it have 7 rows"),
        ("images_Y10_test", lambda a: a[:3], "3 images, but the labels beside it have 4 rows"),
        ("images_Y10_train", lambda a: np.moveaxis(a, 1, -1), r"shape \(7, 100, 100, 3\) has the channels last"),
        ("images_Y10_train", lambda a: a[..., :75], r"float64 array of shape \(7, 3, 100, 75\); give floats of shape"),
        ("images_Y10_train", lambda a: a.astype(int), "int64 array of shape .*; give floats"),
        ("labels_test", lambda a: a.argmax(axis=1), r"int64 array of shape \(4,\); give one-hot labels"),
        ("labels_test", lambda a: a[:, :2], r"shape \(4, 2\); give one-hot labels of shape \(n, 3\)"),
        ("labels_valid", lambda a: a + np.eye(3, dtype=int)[[1, 1, 2]], r"row 0 is \[1, 1, 0\], not one-hot"),
        ("labels_valid", lambda a: 0.5 * a, r"row 0 is \[0.5, 0.0, 0.0\], not one-hot"),
    ],
)
def test_wrong_array_is_reported_in_one_line(folder, name, change, message):
    np.save(folder / f"{name}.npy", change(np.load(folder / f"{name}.npy")))
    with pytest.raises(ValueError, match=f"{name}.npy: .*{message}") as error:
        open_released(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"not an array", np.lib.format.magic(1, 0)])
def test_damaged_file_is_reported_in_one_line(folder, content):
    (folder / "images_Y10_test.npy").write_bytes(content)
    with pytest.raises(ValueError, match="images_Y10_test.npy: cannot be read as a NumPy array") as error:
        open_released(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixel_that_is_not_finite_is_named_by_file_and_row(folder, value):
    images = np.load(folder / "images_Y1_train.npy", mmap_mode="r+")
    images[5, 1, 20, 30] = value
    images.flush()
    examples = open_released(folder).iter_examples("train")
    assert [next(examples)["label"] for _ in range(5)] == [0, 0, 0, 1, 1]
    with pytest.raises(ValueError, match=rf"images_Y1_train.npy: row 5 has the value {value} .* \(20, 30, 1\)"):
        next(examples)


def test_an_array_that_declares_more_than_it_holds_is_refused_at_once(folder):
    header = io.BytesIO()
    shape = {"descr": "<f8", "fortran_order": False, "shape": (10**9, 3, 100, 100)}
    np.lib.format.write_array_header_1_0(header, shape)
    (folder / "images_Y10_test.npy").write_bytes(header.getvalue())
    with pytest.raises(ValueError, match="images_Y10_test.npy: cannot be read as a NumPy array .*; fetch it again"):
        open_released(folder)
