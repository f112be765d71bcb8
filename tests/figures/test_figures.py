"""What the figures and their tables show: panels, axes, pictures and numbers, not pixels."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.patches import ConnectionPatch
from synthetic import synthetic_run

from repro import paper
from repro.analysis import regimes
from repro.analysis.captions import makers_in_words
from repro.analysis.joint import conditional_quantiles, joint_counts, strip
from repro.book.tables import compare, regime_table, run_table, shown
from repro.errors import ReproError
from repro.figures.all import (
    describe_runs,
    figure_1,
    figure_2,
    figure_3,
    table_1,
    table_2,
    table_3,
    width_colour,
)
from repro.figures.figure_1 import picture_epochs
from repro.figures.figure_2 import single_run_widths


@pytest.fixture(scope="module")
def marked():
    """Small marked runs that bear the paper's widths only by name (so as to be quick)."""
    stable = synthetic_run(48, 1000, "strong", mark="a", joint_layers=())
    unstable = synthetic_run(32, 1000, "unstable", mark="a", joint_layers=())
    stable.attrs["width"], unstable.attrs["width"] = 512, 256
    return stable, unstable


@pytest.fixture(scope="module")
def sweep():
    kinds = {10: "weak", 150: "unstable", 275: "unstable", 500: "strong"}
    return {
        width: synthetic_run(width, 1000, kind, replicas=3, joint_layers=(), seed=width)
        for width, kind in kinds.items()
    }


def panels(figure):
    """The panels with a label of their own: (a), (b), ..."""
    return {
        axes.get_title(loc="left")[6]: axes
        for axes in figure.axes
        if axes.get_title(loc="left").startswith(r"$\bf{(")
    }


def drawn(axes, label):
    """The points of the line with a label."""
    (line,) = [line for line in axes.get_lines() if line.get_label() == label]
    return np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)


def legend_texts(legend):
    return [text.get_text() for text in legend.get_texts()]


# Figure 1


def test_figure_1_has_the_papers_panels_and_pictures(marked) -> None:
    figure = figure_1(*marked)
    figure.canvas.draw()
    a, b = panels(figure)["a"], panels(figure)["b"]
    for axes, epochs in ((a, (0, 250, 500, 750, 1000)), (b, (0, 75, 200, 500, 1000))):
        assert axes.get_yscale() == "log"
        assert axes.get_xscale() == "linear"
        assert axes.get_xlim() == (0, 1000)
        assert axes.get_xlabel() == "epoch"
        pictures = axes.child_axes
        assert [p.get_label() for p in pictures] == [f"matrix at epoch {e}" for e in epochs]
        assert all(
            p.get_title().startswith(f"epoch {e}\n") for p, e in zip(pictures, epochs, strict=True)
        )
        assert "1000 epochs" in axes.get_title(loc="left")
        for picture in pictures:  # square, and above the panel
            box = picture.get_window_extent()
            assert box.width == pytest.approx(box.height, rel=0.02)
            assert box.y0 > axes.get_window_extent().y1
            assert box.width > 0.15 * axes.get_window_extent().width
    assert "$N$ = 512" in a.get_title(loc="left")
    assert legend_texts(a.get_legend())[:2] == ["train loss", "test loss"]
    assert "test loss" not in legend_texts(b.get_legend())


def test_figure_1_draws_the_runs_and_ties_each_picture_to_its_epoch(marked) -> None:
    stable, _ = marked
    axes = panels(figure_1(*marked))["a"]
    for which in ("train", "test"):
        epoch, loss = drawn(axes, f"{which} loss")
        assert np.array_equal(epoch, stable["epoch"])
        assert np.array_equal(loss, stable[f"{which}_loss"].sel(replica=0).values)
    ties = [artist for artist in axes.get_children() if isinstance(artist, ConnectionPatch)]
    ends = sorted(tie.xy2 for tie in ties)
    assert [end[0] for end in ends] == [0, 250, 500, 750, 1000]
    for epoch, loss in ends:
        assert loss == float(stable["train_loss"].sel(replica=0, epoch=epoch))


def test_figure_1_pictures_show_the_letter_upright(marked) -> None:
    stable, _ = marked
    first = panels(figure_1(*marked))["a"].child_axes[0]
    (image,) = first.get_images()
    size = np.asarray(image.get_array())
    limit = np.sqrt(3) * float(stable["glorot_std"].sel(layer="hidden_hidden"))
    matrix = stable["matrix"].sel(replica=0, matrix_epoch=0)
    assert size == pytest.approx(np.abs(matrix.values) / limit)
    assert image.origin == "upper"
    assert first.get_title() == "epoch 0\ncontrast 1.00"


def test_figure_1_shows_the_papers_values_for_the_papers_networks_only(marked) -> None:
    a = panels(figure_1(*marked))["a"]
    epochs, losses = drawn(a, "paper (read off)")
    assert sorted(zip(epochs, losses, strict=True)) == [(20, 0.82), (1000, 0.015), (1000, 2.15)]
    other = synthetic_run(40, 60, "strong", mark="k", joint_layers=())
    axes = panels(figure_1(other, other))["a"]
    assert not any("paper" in text for text in legend_texts(axes.get_legend()))


def test_figure_1_works_for_short_runs_at_other_widths_and_letters() -> None:
    short = synthetic_run(24, 60, "strong", mark="k", joint_layers=())
    one = synthetic_run(16, 1, "strong", mark="ß", dataset="digits", joint_layers=())
    figure = figure_1(short, one)
    figure.canvas.draw()
    a, b = panels(figure)["a"], panels(figure)["b"]
    assert a.get_xlim() == (0, 60)
    assert [p.get_label() for p in a.child_axes] == [
        f"matrix at epoch {epoch}" for epoch in (0, 25, 50, 60)
    ]
    assert len(b.child_axes) == 2
    assert "1 epoch" in b.get_title(loc="left")
    assert "1 epochs" not in b.get_title(loc="left")
    assert panels(figure_1(short, one, until=1000))["a"].get_xlim() == (0, 1000)
    assert picture_epochs(short) == [0, 25, 50, 60]


def test_figure_1_pictures_do_not_overlap(marked) -> None:
    figure = figure_1(*marked)
    for axes in panels(figure).values():
        boxes = [picture.get_window_extent() for picture in axes.child_axes]
        assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_figure_1_of_an_unmarked_run_is_refused() -> None:
    run = synthetic_run(16, 20)
    with pytest.raises(ReproError, match="mark"):
        figure_1(run, run)
    marked_run = synthetic_run(16, 20, mark="a")
    with pytest.raises(ReproError, match="no replica 7"):
        figure_1(marked_run, marked_run, replica=7)


# Figure 2


def test_figure_2_has_the_papers_panels_and_scales(sweep) -> None:
    figure = figure_2(sweep)
    figure.canvas.draw()
    a, b, c, d = (panels(figure)[letter] for letter in "abcd")
    assert (a.get_yscale(), b.get_yscale(), d.get_yscale()) == ("log",) * 3
    assert (a.get_xscale(), b.get_xscale()) == ("linear",) * 2
    assert (c.get_xscale(), c.get_yscale()) == ("log", "linear")
    assert (a.get_ylabel(), b.get_ylabel()) == ("train loss", "test loss")
    assert (c.get_xlabel(), c.get_ylabel()) == ("epoch", "width $N$")
    assert (d.get_xlabel(), d.get_ylabel()) == ("width $N$", "minimum loss")
    assert "3 runs per width" in c.get_title(loc="left")
    for axes, which in ((a, "train"), (b, "test")):
        for width in (10, 150, 275, 500):
            _, loss = drawn(axes, f"$N$ = {width}")
            assert np.array_equal(loss, sweep[width][f"{which}_loss"].sel(replica=0).values)
    explained = [text for legend in figure.legends for text in legend_texts(legend)]
    assert {"divergence", "paper (read off)", "not by the end of the runs"} <= set(explained)


def bars(axes):
    """Error bars by label: the point and the half lengths across and up."""
    found = {}
    for container in axes.containers:
        point, _, lines = container.lines
        segments = [np.asarray(line.get_segments()[0]) for line in lines]
        across = max((np.ptp(s[:, 0]) / 2 for s in segments), default=0.0)
        found[container.get_label()] = (*point.get_xydata()[0], across)
    return found


def test_figure_2_phase_diagram_shows_mean_and_deviation(sweep) -> None:
    points = bars(panels(figure_2(sweep))["c"])
    summary = regimes.summary(sweep[150])
    for quantity, label in (
        ("divergence_epoch", "divergence"),
        ("epoch_of_minimum_train_loss", "minimum train loss"),
        ("epoch_of_minimum_test_loss", "minimum test loss"),
    ):
        epoch = summary[quantity].values.astype(float)
        x, y, deviation = points[f"{label}, N = 150"]
        assert (x, y) == (pytest.approx(epoch.mean()), 150)
        assert deviation == pytest.approx(epoch.std(ddof=1))
    assert "divergence, N = 500" not in points
    assert "minimum train loss, N = 500" not in points  # still falling


def arrows(axes):
    """Colours of the arrows at each width or epoch they start from."""
    return [text.arrow_patch for text in axes.texts if getattr(text, "arrow_patch", None)]


def test_figure_2_draws_what_has_not_happened_as_arrows() -> None:
    strong = {300: synthetic_run(300, 1000, "strong", dataset="mnist", joint_layers=())}
    axes = panels(figure_2(strong))["c"]
    assert len(arrows(axes)) == 2  # no divergence, and the train loss still falling
    unstable = {300: synthetic_run(300, 1000, "unstable", dataset="mnist", joint_layers=())}
    assert not arrows(panels(figure_2(unstable))["c"])


def test_what_most_runs_of_a_width_have_not_reached_has_no_mean() -> None:
    def mixed(diverging: int):
        run = synthetic_run(300, 1000, "strong", replicas=3, joint_layers=())
        other = synthetic_run(300, 1000, "unstable", replicas=3, joint_layers=())
        return run.where(run["replica"] >= diverging, other)

    few, many = mixed(1), mixed(2)
    for run in (few, many):
        run.attrs = synthetic_run(300, 2, joint_layers=()).attrs
    assert "divergence, N = 300" not in bars(panels(figure_2({300: few}))["c"])
    table = table_2({300: few}).set_index("quantity")
    assert table.loc["divergence_epoch", "ours"] == "not by 1000"
    assert np.isnan(table.loc["divergence_epoch", "ours_value"])

    at = regimes.summary(many)["divergence_epoch"].values[:2]
    axes = panels(figure_2({300: many}))["c"]
    assert bars(axes)["divergence, N = 300"][0] == pytest.approx(at.mean())
    table = table_2({300: many}).set_index("quantity")
    assert table.loc["divergence_epoch", "ours_value"] == pytest.approx(at.mean())
    assert table.loc["divergence_epoch", "remark"] == "1 of 3 runs not by epoch 1000"


def test_figure_2_shades_the_three_regions(sweep) -> None:
    axes = panels(figure_2(sweep))["c"]
    names = {text.get_text() for text in axes.texts} - {""}
    assert names == {"low trainability", "high trainability", "untrainability"}
    undecided = {w: synthetic_run(w, 60, "strong", joint_layers=()) for w in (16, 24)}
    axes = panels(figure_2(undecided))["c"]
    assert not {text.get_text() for text in axes.texts} - {""}


def test_figure_2_lowest_losses_with_the_papers_behind(sweep) -> None:
    axes = panels(figure_2(sweep))["d"]
    lines = {c.get_label(): c.lines[0].get_xydata() for c in axes.containers}
    ours = lines["train loss"]
    assert ours[:, 0].tolist() == [10, 150, 275, 500]
    mean = [float(regimes.summary(run)["minimum_train_loss"].mean()) for run in sweep.values()]
    assert ours[:, 1] == pytest.approx(mean)
    theirs = [c.lines[0] for c in axes.containers if c.get_label().startswith("_")]
    assert (250, 0.115) in [tuple(line.get_xydata()[0]) for line in theirs]
    top = max(line.get_zorder() for line in theirs)
    assert top < min(c.lines[0].get_zorder() for c in axes.containers if c.get_label() in lines
                     and not c.get_label().startswith("_"))  # fmt: skip


def test_figure_2_works_with_one_replica_short_runs_and_another_dataset() -> None:
    runs = {
        width: synthetic_run(width, 12, "strong", dataset="mnist", joint_layers=())
        for width in (96, 64)
    }
    figure = figure_2(runs)
    figure.canvas.draw()
    c = panels(figure)["c"]
    assert "1 run per width" in c.get_title(loc="left")
    explained = [text for legend in figure.legends for text in legend_texts(legend)]
    assert not any("paper" in text for text in explained)
    assert figure_2({64: runs[64]}).axes
    styles = {line.get_linestyle() for line in panels(figure)["a"].get_lines()}
    assert len(styles) == 2  # neighbours of nearly one colour differ in their dashes


def test_figure_2_chooses_and_checks_its_lines(sweep) -> None:
    assert single_run_widths([10, 50, 100, 150, 200, 275, 500]) == [10, 150, 275, 500]
    assert single_run_widths([64, 96]) == [64, 96]
    assert len(single_run_widths(range(20, 140, 10))) == 6
    a = panels(figure_2(sweep, lines=[10, 500]))["a"]
    assert {"$N$ = 10", "$N$ = 500"} <= {line.get_label() for line in a.get_lines()}
    assert "$N$ = 150" not in {line.get_label() for line in a.get_lines()}
    with pytest.raises(ReproError, match="no run of width 77"):
        figure_2(sweep, lines=[77])
    with pytest.raises(ReproError, match="at least one"):
        figure_2({})
    other = synthetic_run(64, 20, dataset="mnist", joint_layers=())
    with pytest.raises(ReproError, match="one dataset"):
        figure_2({10: sweep[10], 64: other})


# Figure 3


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 3000),
    shift=st.floats(-1, 1),
    quantile=st.sampled_from([0.0, 0.02, 0.25, 0.5, 0.75, 0.98, 1.0]),
)
def test_quantiles_from_counts_are_those_of_the_samples(seed, count, shift, quantile) -> None:
    sample = np.random.default_rng(seed).normal(shift, 0.7, count)
    edge = np.linspace(-6, 6, 241)
    counts = np.histogram(sample, edge)[0]
    found = conditional_quantiles([counts, 3 * counts], edge, (quantile,))
    # Between two samples any value is a quantile, and a sample is known to within its bin
    low = np.quantile(sample, quantile, method="lower")
    high = np.quantile(sample, quantile, method="higher")
    assert found.shape == (1, 2)
    assert found[0, 0] == pytest.approx(found[0, 1])
    assert low - 0.05 - 1e-9 <= found[0, 0] <= high + 0.05 + 1e-9


def test_quantiles_in_bins_without_an_edge_and_without_counts() -> None:
    edge = np.array([-np.inf, -1.0, 0.0, 1.0, np.inf])
    counts = np.array([[5, 0, 0, 5], [0, 0, 0, 0], [1, 4, 4, 1]])
    low, median, high = conditional_quantiles(counts, edge, (0.05, 0.5, 0.95))
    assert low.tolist() == [-np.inf, pytest.approx(np.nan, nan_ok=True), -np.inf]
    assert high[0] == np.inf
    assert np.isnan(median[1])
    assert median[2] == 0.0
    assert conditional_quantiles([[0, 4, 0, 0]], edge, (0.25,)) == -0.75
    with pytest.raises(ReproError, match="between 0 and 1"):
        conditional_quantiles(counts, edge, (2,))
    with pytest.raises(ReproError, match="edge"):
        conditional_quantiles(counts, edge[1:], (0.5,))


def test_figure_3_draws_the_counts_the_band_and_three_strips() -> None:
    run = synthetic_run(64, 60, "strong")
    figure = figure_3(run)
    figure.canvas.draw()
    by_label = {axes.get_label(): axes for axes in figure.axes}
    joint = by_label["joint counts"]
    assert (joint.get_xlabel(), joint.get_ylabel()) == (
        "initial weight $w_i$",
        "final weight $w_f$",
    )
    (mesh,) = joint.collections[:1]
    assert type(mesh.norm).__name__ == "LogNorm"
    counts = joint_counts(run, "hidden_hidden")
    assert mesh.get_array().sum() == counts[:, 1:-1].sum()
    assert "hidden to hidden, after 60 epochs" in figure.get_suptitle()

    unit = float(run["glorot_std"].sel(layer="hidden_hidden"))
    final = run["final_edge"].values * unit
    quantiles = conditional_quantiles(counts, final, (0.02, 0.25, 0.5, 0.75, 0.98))
    for label, row in (("2 % and 98 %", 0), ("quartiles", 1), ("median", 2)):
        _, values = drawn(joint, label)
        assert np.array_equal(values, quantiles[row], equal_nan=True)
    limit = np.sqrt(3) * unit
    assert joint.get_xlim() == pytest.approx((-limit, limit))
    for column, place in ((0, -0.98 * limit), (1, 0.0), (2, 0.98 * limit)):
        (steps,) = by_label[f"strip {column}"].patches
        in_strip = strip(counts, run["initial_edge"].values * unit, place)
        assert np.array_equal(steps.get_data().values, in_strip[1:-1])
        assert "w_i" in by_label[f"strip {column}"].get_title()


def test_figure_3_takes_any_layer_and_epoch_that_was_kept() -> None:
    run = synthetic_run(20, 100, "strong", replicas=2)
    figure = figure_3(run.sel(replica=[1]), layer="input_hidden", epoch=75)
    assert "input to hidden, after 75 epochs" in figure.get_suptitle()
    figure_3(run, layer="hidden_output", epoch=0).canvas.draw()
    with pytest.raises(ReproError, match="joint epoch 74: choose from 0, 75, 100"):
        figure_3(run, epoch=74)
    with pytest.raises(ReproError, match="layer middle"):
        figure_3(run, layer="middle")
    with pytest.raises(ReproError, match="no joint counts"):
        figure_3(run.drop_vars("joint_histogram"))


def test_figure_3_shows_the_papers_values_for_its_network_only() -> None:
    run = synthetic_run(24, 1000, "strong", joint_layers=("hidden_hidden",))
    assert "paper (read off)" not in legend_texts(figure_3(run).legends[0])
    run.attrs["width"] = 512
    figure = figure_3(run)
    joint = next(axes for axes in figure.axes if axes.get_label() == "joint counts")
    places, values = drawn(joint, "paper (read off)")
    assert (0.075, 0.085) in list(zip(places, values, strict=True))


# Tables


def test_table_2_sets_ours_beside_theirs(sweep) -> None:
    table = table_2(sweep).set_index(["width", "quantity"])
    row = table.loc[(10, "minimum_train_loss")]
    ours = regimes.summary(sweep[10])["minimum_train_loss"].values
    assert row["theirs"] == "2.22 ± 0.08"
    assert row["ours_value"] == pytest.approx(ours.mean())
    assert row["ours_deviation"] == pytest.approx(ours.std(ddof=1))
    assert row["difference_percent"] == pytest.approx(100 * (ours.mean() / 2.22 - 1))
    assert row["difference_in_errors"] == pytest.approx((ours.mean() - 2.22) / 0.08)
    assert row["runs"] == 3
    bound = table.loc[(500, "divergence_epoch")]
    assert (bound["theirs"], bound["ours"]) == ("none by 1000", "not by 1000")
    assert bound["remark"] == "agrees"
    assert np.isnan(bound["difference_percent"])
    assert table.loc[(10, "divergence_epoch"), "theirs"] == ""
    mnist = {64: synthetic_run(64, 20, dataset="mnist", joint_layers=())}
    assert (table_2(mnist)["theirs"] == "").all()


@pytest.mark.parametrize(
    ("theirs", "ours", "not_by", "remark"),
    [
        (paper.Reading(1000, "", kind="more than"), np.nan, 1000, "agrees"),
        (paper.Reading(1000, "", kind="more than"), np.nan, 500, "our runs end earlier"),
        (paper.Reading(1000, "", kind="none by"), 400.0, None, "earlier than theirs"),
        (paper.Reading(1000, "", kind="at least"), 1000.0, None, "agrees"),
        (paper.Reading(421, ""), np.nan, 1000, "later than theirs"),
        (paper.Reading(421, ""), np.nan, 200, "our runs end earlier"),
        (paper.Reading(15.7, "", error=0.35), np.nan, None, "none in ours"),
        (None, 3.0, None, ""),
    ],
)
def test_lower_bounds_are_judged_in_words(theirs, ours, not_by, remark) -> None:
    row = compare(theirs, ours, not_by=not_by)
    assert row["remark"] == remark
    assert np.isnan(row["difference_percent"])


def test_table_1_and_3_set_ours_beside_theirs(marked) -> None:
    stable, unstable = marked
    table = table_1(stable, unstable).set_index(["panel", "quantity"])
    assert table.loc[("a", "final_test_loss"), "theirs_value"] == 2.15
    assert table.loc[("a", "final_test_loss"), "ours_value"] == float(
        stable["test_loss"].sel(replica=0, epoch=1000)
    )
    plateau = table.loc[("b", "plateau_level")]
    assert plateau["difference_in_errors"] == pytest.approx((plateau["ours_value"] - 15.7) / 0.35)
    assert table.loc[("a", "mark_contrast_at_0"), "ours_value"] == 1

    run = synthetic_run(24, 1000, "strong", joint_layers=("hidden_hidden",))
    assert (table_3(run)["theirs"] == "").all()
    run.attrs["width"] = 512
    table = table_3(run)
    assert (table["theirs"] != "").sum() == len(paper.FIGURE_3)
    middle = table[(table["initial_weight"] == 0) & (table["quantile"] == 0.75)].iloc[0]
    assert middle["theirs_value"] == 0.045


# Words, colours, readings


def test_runs_are_described_in_one_line() -> None:
    run = synthetic_run(150, 30, replicas=2, joint_layers=())
    assert describe_runs(run) == (
        "HASYv2 (fold-1), N = 150, 2 replicas, 30 epochs, clipped loss, archived pixels, seed 0; "
        "tensorflow on CPU, made up; code version 0.0.0+synthetic"
    )
    other = synthetic_run(16, 1, dataset="mnist", loss="logits", mark="k", joint_layers=())
    other.attrs |= {"learning_rate": 0.01, "split": ""}
    text = describe_runs(other)
    assert text.startswith("MNIST, N = 16, 1 replica, 1 epoch, exact loss, archived pixels")
    assert "marked “k”" in text
    assert "learning rate 0.01" in text
    assert "batch size" not in text
    run = run.assign_coords(device=("replica", ["CPU one", "GPU two"]))
    assert "CPU one and GPU two" in describe_runs(run)


def test_widths_have_one_colour_each_growing_lighter_and_readable_on_white() -> None:
    widths = np.geomspace(10, 1000, 60)
    colours = np.array([to_rgb(width_colour(width)) for width in widths])
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) > 0).all()
    assert (1.05 / (luminance + 0.05)).min() > 2.2  # contrast with white
    assert np.abs(np.diff(colours, axis=0)).max() < 0.1  # continuous
    assert width_colour(5) == width_colour(10)
    assert width_colour(2000) == width_colour(1000)


def test_the_papers_values_are_those_of_the_specification() -> None:
    assert str(paper.read("epoch_of_minimum_train_loss", 275)) == "450 ± 118"
    assert str(paper.read("divergence_epoch", 500)) == "none by 1000"
    assert str(paper.read("divergence_epoch", 300)) == "≥ 1000"
    assert str(paper.read("divergence_epoch", 100)) == "≈ 1000"
    assert str(paper.read("epoch_of_minimum_train_loss", 500)) == "> 1000"
    assert paper.read("divergence_epoch", 50) is None
    assert paper.read("minimum_train_loss", 150, "mnist") is None
    assert paper.read("minimum_test_loss", 64) is None
    known = set(regimes.summary(synthetic_run(16, 20, joint_layers=())))
    assert set(paper.FIGURE_2) <= known
    level = paper.PLATEAU_LEVEL
    assert level.value + level.error == pytest.approx(16.118 * (1 - 1 / 369), abs=0.03)


def test_figures_need_no_machine_learning_library() -> None:
    code = (
        "import sys, repro.figures.all;"
        "sys.exit(bool({'tensorflow', 'keras', 'jax', 'matplotlib.pyplot'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_table_as_a_page_shows_it_leaves_out_what_says_nothing() -> None:
    table = table_2({150: synthetic_run(150, 1000, "unstable", joint_layers=())})
    page = shown(table)
    assert page.index.names == ["width", "quantity"]
    assert (150, "minimum train loss") in page.index
    assert not {"theirs_value", "theirs value", "in error bars"} & set(page.columns)
    assert {"theirs", "ours", "difference, %"} <= set(page.columns)


def test_run_and_regime_tables_have_a_row_for_every_run() -> None:
    runs = {
        10: synthetic_run(10, 1000, "weak", joint_layers=()),
        150: synthetic_run(150, 1000, "unstable", replicas=2, joint_layers=()),
    }
    assert run_table(runs).index.tolist() == [10, 150]
    assert run_table(runs)["replicas"].tolist() == [1, 2]
    processor = "CPU Intel(R) Xeon(R) Processor, "
    runs[10].attrs |= {
        "backend": "tensorflow",
        "device": f"{processor}2 cores, then {processor}1 cores from epoch 7",
        "code_version": "0.1.0+g6614b4c8da, then 0.1.0+gd92156a2cd from epoch 7",
    }
    row = run_table(runs).loc[10]
    assert row["backend"] == "tensorflow"
    assert row["device"] == "Intel Xeon, 2 cores, then Intel Xeon, 1 core from epoch 7"
    assert row["commit"] == "6614b4c8da, then d92156a2cd from epoch 7"
    table = regime_table(runs)
    assert table["regime"].tolist() == ["weak", "unstable", "unstable"]
    assert table["diverged at epoch"].tolist()[0] == ""
    assert table["diverged at epoch"].tolist()[1].isdigit()


def test_runs_handed_over_by_the_same_to_the_same_are_told_together() -> None:
    gpu, handed = "a GPU", "a GPU, then CPU from epoch {}"
    assert makers_in_words([gpu, gpu, "CPU"]) == "a GPU and CPU"
    assert makers_in_words([handed.format(7)] * 2) == "a GPU, then CPU from epoch 7"
    told = makers_in_words([handed.format(94), gpu, handed.format(210), handed.format(100)])
    assert told == "a GPU, then CPU from an epoch between 94 and 210; a GPU"
    twice = "A, then B from epoch 3, then A from epoch {}"
    told = makers_in_words([twice.format(5), twice.format(6)])
    assert told == "A, then B from epoch 3, then A from an epoch between 5 and 6"
