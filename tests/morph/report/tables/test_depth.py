from photoz_morph.morph.report.tables.depth import depth_header, depth_markdown, depth_rows, depth_verdicts
from tests.morph.evaluation.test_depth import toy_depth


def test_rows_hold_each_depth_and_the_difference_from_the_first_run():
    runs = {"regular": toy_depth({"0.5": 0.3, "10": 0.8}), "MMD": toy_depth({"0.5": 0.8}, seed=1)}
    assert depth_header(runs) == ["years", "regular", "MMD", "MMD − regular"]
    rows = depth_rows(runs)
    assert [row[0] for row in rows] == ["0.5", "10"] and rows[1][2:] == ["–", "–"]
    assert rows[0][1].startswith(f"{runs['regular']['years']['0.5']['accuracy']['value']:.3f} (")


def test_verdicts_name_the_depths_at_which_runs_differ():
    first = toy_depth({"0.5": 0.3, "1": 0.6, "10": 0.8})
    runs = {"regular": first, "MMD": toy_depth({"0.5": 0.8, "1": 0.6, "10": 0.4}, seed=1), "same": first}
    assert depth_verdicts(runs) == [
        "MMD is more accurate than regular after 0.5 years and less accurate than regular after 10 years.",
        "same and regular do not differ significantly at any of 0.5, 1 and 10 years.",
    ]
    assert "in 100 groups" in depth_markdown(runs, "simulated galaxies")
