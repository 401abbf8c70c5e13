import base64
import io
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from matplotlib.image import imread

from photoz_morph.report.galaxy_map import TILE, galaxy_map, write_map_page
from tests.support.pages import SCRIPT, Page


def parts(n=5, side=64):
    rng = np.random.default_rng(0)
    return {
        "positions": rng.normal(size=(n, 2)) * [4, 2] + 7, "images": rng.uniform(size=(n, side, side, 3)),
        "colours": {"z": np.linspace(0, 0.4, n), "class": ["spiral", "", "merger", "spiral", "merger"][:n]},
        "texts": [f"galaxy {row}" for row in range(n)],
    }  # fmt: skip


def content(piece):
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', piece, re.DOTALL)[1])


def sprite(piece):
    return imread(io.BytesIO(base64.b64decode(content(piece)["sprite"].partition(",")[2]))).copy()


def test_points_keep_the_shape_of_the_plane():
    given = parts()
    found = content(galaxy_map("map", **given))
    places = np.stack([found["x"], found["y"]], axis=1)
    distances = [np.linalg.norm(values[1:] - values[0], axis=1) for values in (places, given["positions"])]
    np.testing.assert_allclose(distances[0] / distances[1], (distances[0] / distances[1])[0], rtol=1e-3)
    assert places.min() >= 0 and places.max() <= 1


@pytest.mark.parametrize("side", [20, 64, 100, 101])
def test_each_image_is_a_tile_with_north_up(side):
    given = parts(side=side)
    given["images"] = np.zeros((5, side, side, 3))
    given["images"][3, : side // 2, :, 0] = 0.6  # south
    found = sprite(galaxy_map("map", **given))
    assert found.shape[:2] == (2 * TILE, 3 * TILE)
    tile = found[TILE:, :TILE]
    np.testing.assert_allclose(tile[TILE // 2 + 1 :, :, 0], 0.6, atol=0.01)
    np.testing.assert_allclose(tile[: TILE // 2 - 1, :, 0], 0.0, atol=0.01)
    tile[...] = 0
    assert found[..., :3].max() == 0


def test_tiles_keep_the_light():
    given = parts(side=97)
    found = sprite(galaxy_map("map", **given))
    for row in range(5):
        tile = found[row // 3 * TILE :, row % 3 * TILE :][:TILE, :TILE, :3]
        np.testing.assert_allclose(tile.mean(axis=(0, 1)), given["images"][row].mean(axis=(0, 1)), atol=0.01)


def test_colours_are_a_scale_of_numbers_or_names_of_classes():
    given = parts()
    given["colours"]["z"][2] = np.nan
    redshift, kind = content(galaxy_map("map", **given))["colours"]
    assert redshift["shades"][0] == 0 and redshift["shades"][-1] == len(redshift["palette"]) - 1
    assert redshift["shades"][2] == -1 and redshift["range"] == ["0.006", "0.394"]
    assert kind["labels"] == ["merger", "spiral"] and kind["shades"] == [1, -1, 0, 1, 0]
    constant = {**given, "colours": {"z": np.full(5, 0.1), "unknown": np.full(5, np.nan)}}
    assert [colour["shades"] for colour in content(galaxy_map("map", **constant))["colours"]] == [[0] * 5, [-1] * 5]


def test_texts_cannot_end_the_script_and_nothing_is_fetched():
    given = parts()
    given["texts"][0] = f"</script>{SCRIPT}"
    given["colours"] = {SCRIPT: given["colours"]["z"]}
    piece = galaxy_map("map", **given, alike=np.array([[1, 2]] * 5))
    assert Page(piece).elements.count("script") == 2 and not Page(piece).addresses
    assert content(piece)["texts"][0] == given["texts"][0] and content(piece)["alike"][4] == [1, 2]
    assert not re.search(r"https?:|import |fetch\(|XMLHttp", piece)


def test_the_script_is_javascript(tmp_path):
    if shutil.which("node") is None:
        pytest.skip("node, which reads the script, is not installed")
    path = tmp_path / "map.js"
    path.write_text(re.findall(r"<script>(.*?)</script>", galaxy_map("map", **parts()), re.DOTALL)[-1])
    result = subprocess.run(["node", "--check", str(path)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_a_page_holds_the_map_and_says_what_it_shows(tmp_path):
    path = tmp_path / "map.html"
    write_map_page(path, galaxy_map("map", **parts()), "Latents", "Simulated galaxies.", False, "An isomap.", "Code.")
    page = Page(path.read_text())
    assert "Simulated galaxies." in page.visible and "An isomap." in page.visible and "canvas" in page.elements
    assert all(address.startswith("#") for address in page.addresses)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"name": "a b"}, "the map's name is 'a b'"),
        ({"positions": np.full((5, 2), np.nan)}, "give finite pairs"),
        ({"images": np.zeros((5, 8, 8, 5))}, r"images have shape \(5, 8, 8, 5\); give three colours"),
        ({"colours": {}}, "nothing to colour the galaxies by"),
        ({"texts": ["one"]}, "texts has 1 rows, there are 5 galaxies"),
        ({"alike": np.zeros((4, 2))}, "alike has 4 rows"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change, message):
    given = {"name": "map", **parts(), **change}
    with pytest.raises(ValueError, match=message):
        galaxy_map(**given)


def test_more_classes_than_colours_are_refused():
    given = {**parts(), "positions": np.random.default_rng(1).normal(size=(9, 2)), "images": np.zeros((9, 4, 4, 3))}
    given |= {"texts": list("abcdefghi"), "colours": {"id": list("abcdefghi")}}
    with pytest.raises(ValueError, match="colour 'id' has 9 classes; 8 can be told apart"):
        galaxy_map("map", **given)
