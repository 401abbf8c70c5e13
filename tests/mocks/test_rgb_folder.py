from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from photoz_morph.mocks.rgb_folder import FIRST_OWN_ID, MAX_PIXELS, find_rgb_images, read_rgb


def write_folder(folder, rows, header="id,label", subfolder="images"):
    """Images of one colour each, (10, 20, 30) and so on, and a CSV file; rows are (name of the file, class)."""
    (folder / subfolder).mkdir(exist_ok=True, parents=True)
    for number, (name, _) in enumerate(rows):
        Image.new("RGB", (24, 24), (10 + number, 20, 30)).save(folder / subfolder / name)
    labels = folder / "labels.csv"
    labels.write_text("\n".join([header, *(f"{name.rpartition('.')[0]},{label}" for name, label in rows)]) + "\n")
    return labels


def test_images_come_back_in_the_order_of_the_table_with_their_classes(tmp_path):
    rows = [("587722952767439450.png", "merger"), ("a.png", "spiral"), ("12.png", ""), ("b.png", "elliptical")]
    found = find_rgb_images(tmp_path, write_folder(tmp_path, rows))
    assert [image.label for image in found] == [2, 0, -1, 1]
    # A short number may be that of a simulated galaxy.
    assert [image.obj_id for image in found] == [587722952767439450, *(FIRST_OWN_ID + line for line in (3, 4, 5))]
    assert [image.path.name for image in found] == [name for name, _ in rows]
    stamp = read_rgb(found[1].path, 16)
    assert stamp.shape == (16, 16, 3) and stamp.dtype == np.uint8
    assert stamp[5, 5].tolist() == [30, 20, 11]  # blue first: g, r, i


def test_columns_and_other_names_of_classes_are_the_users(tmp_path):
    labels = write_folder(tmp_path, [("a.png", "1"), ("b.png", "0"), ("c.png", "4")], "objid,gz1", subfolder=".")
    classes = {"1": "spiral", "0": "elliptical", "4": "none"}
    found = find_rgb_images(tmp_path, labels, label_column="gz1", classes=classes)
    assert [(image.path.name, image.label) for image in found] == [("a.png", 0), ("b.png", 1)]
    with pytest.raises(ValueError, match="line 2: class '1' is not known; say what it is, such as --class 1=spiral"):
        find_rgb_images(tmp_path, labels, label_column="gz1")
    with pytest.raises(ValueError, match="no column 'label'; its columns are 'objid', 'gz1'"):
        find_rgb_images(tmp_path, labels)
    with pytest.raises(ValueError, match="'1=disk': give one of spiral, elliptical, merger or none"):
        find_rgb_images(tmp_path, labels, label_column="gz1", classes={"1": "disk"})


def test_images_are_cut_to_their_central_square(tmp_path):
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 200
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert (read_rgb(tmp_path / "wide.png", 10) == 200).all()


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda folder: (folder / "images" / "a.png").unlink(), "line 2: no image 'a'"),
        (lambda folder: (folder / "labels.csv").write_text("id,label\na,spiral\na,merger\n"), "'a' is also in line 2"),
        (lambda folder: (folder / "labels.csv").write_text("id,label\na,spiral,3\n"), "line 2 has another number"),
        (lambda folder: (folder / "labels.csv").write_text("id,label\na\n"), "line 2 has another number"),
        (lambda folder: (folder / "labels.csv").write_text("id,label\na,none\n"), "names no image of a class"),
        (lambda folder: (folder / "labels.csv").write_text(""), "its columns are none"),
        (lambda folder: (folder / "labels.csv").unlink(), "labels.csv: no such file"),
    ],
)
def test_damage_is_named_with_its_line(tmp_path, change, message):
    labels = write_folder(tmp_path, [("a.png", "spiral"), ("b.png", "merger")])
    change(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        find_rgb_images(tmp_path, labels)


def test_pictures_that_hold_no_8_bits_or_too_many_pixels_are_refused(tmp_path):
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(ValueError, match="deep.png: cannot be read as an image .*give 8 bits"):
        read_rgb(tmp_path / "deep.png", 16)
    Image.new("1", (MAX_PIXELS // 1000, 1001)).save(tmp_path / "large.png")
    with pytest.raises(ValueError, match="large.png: .*at most 16,777,216 are read"):
        read_rgb(tmp_path / "large.png", 16)
    with pytest.raises(FileNotFoundError, match="there.png: no such image"):
        read_rgb(tmp_path / "there.png", 16)


def encoded(kind):
    """Bytes of a small picture."""
    with BytesIO() as file:
        Image.fromarray(np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)).save(file, kind)
        return file.getvalue()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(kind=st.sampled_from(["PNG", "JPEG"]), place=st.integers(0, 800), new=st.binary(min_size=1, max_size=12),
       length=st.integers(0, 800))  # fmt: skip
def test_a_damaged_image_is_read_or_refused_in_one_line(tmp_path_factory, kind, place, new, length):
    whole = encoded(kind)
    place %= len(whole)
    path = tmp_path_factory.mktemp("damaged") / "a.png"
    path.write_bytes((whole[:place] + new + whole[place + len(new) :])[: max(length, place + 1)])
    try:
        assert read_rgb(path, 16).shape == (16, 16, 3)
    except ValueError as error:
        assert str(error).startswith(f"{path}: cannot be read as an image (") and "\n" not in str(error)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.one_of(st.binary(max_size=60), st.text("id,label\n\r\"';\x00ab .spiralnone0", max_size=80).map(str.encode)))
def test_any_bytes_in_place_of_the_table_are_refused_in_one_line_or_read(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("table")
    labels = write_folder(folder, [("a.png", "spiral"), ("b.png", "merger")])
    labels.write_bytes(content)
    try:
        assert all(image.label in (-1, 0, 1, 2) for image in find_rgb_images(folder, labels))
    except (ValueError, FileNotFoundError) as error:
        assert str(error).startswith(str(labels)) and "\n" not in str(error)
