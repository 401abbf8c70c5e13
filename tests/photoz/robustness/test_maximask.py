"""MaxiMask is large and not among the packages of the tests: a stand-in follows its documented files, and the program
itself is asked where it is installed."""

import shutil
import stat
import sys

import numpy as np
import pytest

from photoz_morph.photoz.robustness.attack_files import attack_format, read_attacks
from photoz_morph.photoz.robustness.maximask import ask_maximask, check_maximask, mosaics, stamps_of
from photoz_morph.runs.attacks import write_shard
from tests.support.redshift_attacks import attacked

STAND_IN = """#!{python}
import sys
import numpy as np
from astropy.io import fits
masks = fits.HDUList()
for number, hdu in enumerate(fits.open(sys.argv[1])):
    planes = np.stack([hdu.data * 0, hdu.data > {limit}, hdu.data * 0]).astype(np.float32)
    masks.append((fits.ImageHDU if number else fits.PrimaryHDU)(planes))
    masks[-1].header.update({{"BG_DIM": "0", "CR_DIM": "1", "HP_DIM": "2"}})
masks.writeto(sys.argv[1].replace(".fits", ".mask.fits"))
"""


def program(folder, text):
    """An executable Python script."""
    path = folder / "maximask"
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.fixture
def attack(tmp_path):
    """Four galaxies: one hit by 9 image units, one by 2, one not moved, one by 3."""
    table, images = attacked([9000.0, 2000.0, np.nan, 3000.0])
    images["original"][3, 5, 5, 0] = images["attacked"][3, 5, 5, 0] = 50.0  # masked before already
    folder = tmp_path / "run" / "attacks" / "toy_ensemble"
    settings = {"galaxies": list(range(4)), "victim": "ensemble", "criterion": "", "measure": "", "options": {}}
    attack_format().start(folder, settings)
    write_shard(attack_format().shards(folder, 4)[0][0], table, images)
    return folder


@pytest.mark.parametrize("n", [1, 3, 60])
def test_stamps_come_back_from_their_mosaic(n):
    stamps = np.random.default_rng(0).normal(size=(n, 64, 64, 2))
    planes = mosaics(stamps)
    assert planes.shape[0] == 2 and planes.shape[1] == planes.shape[2] >= 400
    assert np.array_equal(stamps_of(planes, n, 64), stamps)


def test_galaxies_with_a_new_masked_pixel_are_caught(attack, tmp_path):
    found = ask_maximask(attack, program(tmp_path, STAND_IN.format(python=sys.executable, limit=5)))
    assert found.tolist() == [True, False, False, False]
    assert read_attacks(tmp_path / "run")["toy_ensemble"][0].meta["maximask"] == 1


def test_a_program_that_fails_or_writes_something_else_is_named(attack, tmp_path):
    with pytest.raises(RuntimeError, match="wrote no mask of original images .exit 3.: it said nothing"):
        ask_maximask(attack, program(tmp_path, f"#!{sys.executable}\nimport sys; sys.exit(3)\n"))
    other = STAND_IN.format(python=sys.executable, limit=5).replace("CR_DIM", "XX_DIM").replace("HP_DIM", "YY_DIM")
    with pytest.raises(ValueError, match="check its version"):
        ask_maximask(attack, program(tmp_path, other))
    with pytest.raises(ValueError, match="not found on the PATH; `pip install maximask`"):
        check_maximask("maximask_that_is_nowhere")


@pytest.mark.skipif(shutil.which("maximask") is None, reason="MaxiMask is not installed")
def test_maximask_catches_a_bright_lone_pixel(attack):
    assert ask_maximask(attack)[0]
