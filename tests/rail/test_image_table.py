import numpy as np
import pytest

from photoz_morph.rail.image_table import ImageColumns, check_centred, read_column
from photoz_morph.surveys import SDSS


@pytest.mark.parametrize("layout", ["rows_columns_bands", "bands_rows_columns"])
@pytest.mark.parametrize("is_flat", [True, False])
def test_images_come_out_the_same_from_every_layout(layout, is_flat):
    images = np.random.default_rng(1).normal(size=(3, *SDSS.image_shape)).astype(np.float32)
    stored = images[..., ::-1]  # z to u
    stored = np.moveaxis(stored, -1, 1) if layout == "bands_rows_columns" else stored
    table = {"images": stored.reshape(3, -1) if is_flat else stored}
    columns = ImageColumns(bands=("z", "i", "r", "g", "u"), layout=layout)
    np.testing.assert_array_equal(columns.read_images(table, SDSS), images)


@pytest.mark.parametrize(
    "table, columns, message",
    [
        ({"images": np.zeros((2, 64 * 64 * 4))}, {}, r"rows of shape \(16384,\); sdss in bands u,g,r,i,z .*20480"),
        ({"images": np.zeros((2, 5, 64, 64))}, {}, r"needs \(64, 64, 5\)"),
        ({"stamps": np.zeros((2, 20480))}, {}, "no column 'images'; it has stamps"),
        ({"images": np.zeros((2, 64 * 64 * 2))}, {"bands": ["g", "r"]}, "sdss needs u,i,z too"),
    ],
)
def test_other_images_are_refused(table, columns, message):
    with pytest.raises(ValueError, match=message):
        ImageColumns(**columns).read_images(table, SDSS)


def test_changes_of_columns_leave_out_what_is_none():
    columns = ImageColumns("cutouts", bands=["g"], layout="bands_rows_columns")
    assert columns.changed(images=None, ebv="EBV") == ImageColumns("cutouts", "EBV", ("g",), "bands_rows_columns")


def test_reddening_is_read_only_where_networks_use_it():
    columns, table = ImageColumns(), {"ebv": np.array([[0.1], [0.3]])}
    np.testing.assert_array_equal(columns.read_ebv(table, 2), np.array([0.1, 0.3], np.float32))
    np.testing.assert_array_equal(columns.read_ebv({}, 2, is_used=False), [0, 0])
    with pytest.raises(ValueError, match="no column 'ebv'; it has images"):
        columns.read_ebv({"images": None}, 2)


def test_a_column_has_one_number_for_each_image():
    np.testing.assert_array_equal(read_column({"z": [[1], [2]]}, "z", 2), [1, 2])
    with pytest.raises(ValueError, match=r"column 'z' has shape \(3,\), the table has 2 images"):
        read_column({"z": [1, 2, 3]}, "z", 2)


def gaussians(size=64, n=5, centre=(31.5, 31.5)):
    """Noisy images of one round galaxy in five bands."""
    row, column = np.indices((size, size))
    galaxy = np.exp(-((row - centre[0]) ** 2 + (column - centre[1]) ** 2) / 50)
    return galaxy[None, :, :, None] + 0.1 * np.random.default_rng(2).normal(size=(n, size, size, 5))


def test_centred_galaxies_pass_and_others_are_named_by_their_peaks():
    check_centred(gaussians(), ImageColumns())
    with pytest.raises(ValueError, match="peaks at pixels .* of 64 x 64 .* in the order rows_columns_bands"):
        check_centred(gaussians(centre=(10, 31)), ImageColumns())


def test_bands_first_read_as_bands_last_are_not_centred():
    wrong = np.moveaxis(gaussians(n=40), -1, 1).reshape(40, 64, 64, 5)
    with pytest.raises(ValueError, match="Give image_layout, or centre the cutouts"):
        check_centred(wrong, ImageColumns())
