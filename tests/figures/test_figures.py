"""What the paper's figures show: panels, axes, pictures and numbers, not pixels."""

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.patches import ConnectionPatch
from synthetic import synthetic_run

from repro import paper
from repro.analysis import regimes
from repro.analysis.weights import conditional_quantiles, joint_counts, strip_index
from repro.errors import ReproError
from repro.figures.figure_1 import figure_1, figure_1_numbers, front_figure
from repro.figures.figure_2 import figure_2, means, outcomes, single_run_widths
from repro.figures.figure_3 import figure_3, figure_3_numbers
from repro.figures.style import new_figure, styled, width_bar, width_colour


@pytest.fixture(scope="module")
def marked():
    """Small marked runs that bear the paper's widths only by name (so as to be quick)."""
    stable = synthetic_run(48, 1000, "strong", mark="a", joint_layers=())
    unstable = synthetic_run(32, 1000, "unstable", mark="a", joint_layers=())
    stable.attrs["width"], unstable.attrs["width"] = 512, 256
    return stable, unstable


@pytest.fixture(scope="module")
def sweep():
    """Small runs under the names of the paper's widths."""
    kinds = {10: "weak", 150: "unstable", 275: "unstable", 500: "strong"}
    made = {
        width: synthetic_run(16, 1000, kind, replicas=3, joint_layers=(), seed=width)
        for width, kind in kinds.items()
    }
    return {width: run.assign_attrs(run.attrs | {"width": width}) for width, run in made.items()}


def panel(figure, letter):
    """The panel labelled (a), (b), ..."""
    (found,) = [axes for axes in figure.axes if rf"$\bf{{({letter})}}$" in axes.get_title("left")]
    return found


def named(figure):
    """The panels by their names, where they have some."""
    return {axes.get_label(): axes for axes in figure.axes}


def drawn(axes, label):
    """The points of the line with a label."""
    (line,) = [line for line in axes.get_lines() if line.get_label() == label]
    return np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)


def bars(axes):
    """Error bars by label: the points."""
    return {c.get_label(): c.lines[0].get_xydata() for c in axes.containers}


def test_figure_1_draws_losses_and_pictures_tied_to_their_epochs(marked) -> None:
    panels = named(figure_1(*marked))
    pictured = (0, 250, 500, 750, 1000), (0, 75, 200, 500, 1000)
    for letter, run, epochs in zip("ab", marked, pictured, strict=True):
        axes = panels[f"losses {letter}"]
        assert (axes.get_yscale(), axes.get_xlim()) == ("log", (0, 1000))
        assert np.array_equal(drawn(axes, "train loss")[1], run["train_loss"].sel(replica=0))
        ties = [artist for artist in axes.get_children() if isinstance(artist, ConnectionPatch)]
        at = run["train_loss"].sel(replica=0, epoch=list(epochs)).values
        assert [tie.xy2 for tie in ties] == list(zip(epochs, at, strict=True))
    (image,) = panels["matrix at epoch 0"].get_images()
    limit = np.sqrt(3) * float(marked[1]["glorot_std"].sel(layer="hidden_hidden"))
    size = np.abs(marked[1]["matrix"].sel(replica=0, matrix_epoch=0).values) / limit
    assert np.asarray(image.get_array()) == pytest.approx(size)
    assert (image.origin, image.axes.get_title()) == ("upper", "epoch 0\ncontrast 1.00")
    points = zip(*drawn(panels["losses a"], "paper (read off)"), strict=True)
    assert sorted(points) == [(20, 0.82), (1000, 0.015), (1000, 2.15)]


def test_figure_1_of_other_networks_shows_nothing_of_the_papers() -> None:
    short = synthetic_run(24, 60, "strong", mark="k", joint_layers=())
    one = synthetic_run(16, 1, "strong", mark="ß", dataset="digits", joint_layers=())
    figure = figure_1(short, one)
    figure.draw_without_rendering()
    labels = [line.get_label() for axes in figure.axes for line in axes.get_lines()]
    assert not any("paper" in label for label in labels)
    assert {f"matrix at epoch {epoch}" for epoch in (0, 25, 50, 60)} <= set(named(figure))
    assert figure_1_numbers(short, one)["paper"].isna().all()
    with pytest.raises(ReproError, match="mark"):
        figure_1(synthetic_run(16, 20), short)


def test_figure_1_in_numbers(marked) -> None:
    table = figure_1_numbers(*marked).set_index(["panel", "quantity"])
    assert table.loc[("a", "final_test_loss"), "paper"].value == 2.15
    assert table.loc[("a", "final_test_loss"), "ours"] == float(marked[0]["test_loss"][0, -1])
    assert table.loc[("a", "contrast_at_0"), "ours"] == 1
    assert table.loc[("a", "divergence_epoch"), "later_than"] == 1000
    assert table.loc[("b", "divergence_epoch"), "ours"] > 0


def test_the_first_pages_letter_before_and_after_and_its_phase_diagram(marked, sweep) -> None:
    figure = front_figure(dict(zip((512, 256), marked, strict=True)), outcomes(sweep.values()))
    pictures = [axes for axes in figure.axes if axes.get_images()]
    assert [axes.get_title() for axes in pictures] == ["epoch 0", "epoch 1000"] * 2
    before, after = (np.asarray(axes.get_images()[0].get_array()) for axes in pictures[:2])
    assert (before == 0).mean() > 0.5 > (after == 0).mean()
    assert [axes.get_ylabel() for axes in figure.axes][-1] == "epoch"


def test_figure_2_has_the_papers_panels_and_the_runs_values(sweep) -> None:
    figure = figure_2(sweep)
    figure.draw_without_rendering()
    a, b, c, d = (panel(figure, letter) for letter in "abcd")
    assert (a.get_yscale(), b.get_yscale(), d.get_yscale()) == ("log",) * 3
    assert (c.get_xlabel(), c.get_ylabel(), c.get_yscale()) == ("width $N$", "epoch", "linear")
    for axes, which in ((a, "train"), (b, "test")):
        for width, run in sweep.items():
            _, loss = drawn(axes, f"$N$ = {width}")
            assert np.array_equal(loss, run[f"{which}_loss"].sel(replica=0))
    ours, theirs = (bars(d)[f"minimum train loss{kind}"] for kind in ("", ", paper"))
    lowest = [float(regimes.summary(run)["minimum_train_loss"].mean()) for run in sweep.values()]
    assert ours.tolist() == [[w, pytest.approx(v)] for w, v in zip(sweep, lowest, strict=True)]
    assert [250, 0.115] in theirs.tolist()
    names = {text.get_text() for text in c.texts}
    assert names == {"low trainability", "high trainability", "untrainability"}
    later = [one for one in c.containers if one.get_label() == "divergence, later"]
    ends = {one.get_segments()[0][0][1] for bar in later for one in bar.lines[2]}
    assert 1000 in ends


@pytest.mark.parametrize("diverged", [1, 2, 3])
def test_means_are_of_what_most_runs_have_reached_beside_the_papers(sweep, diverged) -> None:
    strong, unstable = sweep[500], sweep[150]
    mixed = strong.where(strong["replica"] >= diverged, unstable).assign_attrs(unstable.attrs)
    row = means(outcomes([mixed])).set_index("quantity").loc["divergence_epoch"]
    at = regimes.summary(mixed)["divergence_epoch"].values[:diverged]
    wanted = [at.mean(), at.std(ddof=1), np.nan] if diverged > 1 else [np.nan, np.nan, 1000]
    found = row[["ours", "deviation", "later_than"]].to_list()
    assert found == pytest.approx(wanted, nan_ok=True)
    assert row["paper"].value == paper.read("divergence_epoch", 150).value


def test_figure_2_takes_short_single_runs_and_says_what_it_cannot_draw(sweep) -> None:
    runs = {w: synthetic_run(w, 12, dataset="mnist", joint_layers=()) for w in (96, 64)}
    diagram = panel(figure_2(runs), "c")
    assert not diagram.texts  # nothing is decided, so no region is named
    assert not any("paper" in name for name in bars(diagram))
    figure_2({64: runs[64]}).draw_without_rendering()
    assert single_run_widths([10, 50, 100, 150, 200, 275, 500]) == [10, 150, 275, 500]
    assert len(single_run_widths(range(20, 140, 10))) == 6
    with pytest.raises(ReproError, match="at least one"):
        figure_2({})
    with pytest.raises(ReproError, match="one dataset"):
        figure_2({10: sweep[10], 64: runs[64]})


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 3000),
    quantile=st.sampled_from([0.0, 0.02, 0.25, 0.5, 0.75, 0.98, 1.0]),
)
def test_quantiles_from_counts_are_those_of_the_samples(seed, count, quantile) -> None:
    sample = np.random.default_rng(seed).normal(0.3, 0.7, count)
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
    assert (high[0], median[2]) == (np.inf, 0.0)
    assert np.isnan(median[1])


def test_figure_3_draws_the_counts_the_band_and_three_strips() -> None:
    run = synthetic_run(64, 60, "strong", joint_layers=("hidden_hidden",))
    by_label = named(figure_3(run))
    joint = by_label["joint counts"]
    counts = joint_counts(run, "hidden_hidden")
    assert joint.collections[0].get_array().sum() == counts[:, 1:-1].sum()
    unit = float(run["glorot_std"].sel(layer="hidden_hidden"))
    final, limit = run["final_edge"].values * unit, np.sqrt(3) * unit
    quantiles = conditional_quantiles(counts, final, (0.02, 0.25, 0.5, 0.75, 0.98))
    for label, row in (("2 % and 98 %", 0), ("quartiles", 1), ("median", 2)):
        assert np.array_equal(drawn(joint, label)[1], quantiles[row], equal_nan=True)
    table = figure_3_numbers(run).set_index("quantile")["ours"]
    for column, place in enumerate((-0.98 * limit, 0.0, 0.98 * limit)):
        (steps,) = by_label[f"strip {column}"].patches
        in_strip = counts.values[strip_index(run["initial_edge"].values * unit, place)]
        assert np.array_equal(steps.get_data().values, in_strip[1:-1])
        median = conditional_quantiles(in_strip[None], final, (0.5,)).item()
        assert table.loc[0.5].iloc[column] == pytest.approx(median)


def test_figure_3_takes_any_layer_and_epoch_that_was_kept() -> None:
    run = synthetic_run(20, 100, "strong", dataset="digits", replicas=2)
    figure_3(run.sel(replica=[1]), layer="input_hidden", epoch=75).draw_without_rendering()
    for options, told in (
        ({"epoch": 74}, "joint epoch 74: choose from 0, 75, 100"), ({"layer": "middle"}, "middle"),
    ):  # fmt: skip
        with pytest.raises(ReproError, match=told):
            figure_3(run, **options)
    with pytest.raises(ReproError, match="no joint counts"):
        figure_3(run.drop_vars("joint_histogram"))


def test_figure_3_shows_the_papers_values_for_its_network_only() -> None:
    run = synthetic_run(24, 1000, "strong", joint_layers=("hidden_hidden",))
    assert figure_3_numbers(run)["paper"].isna().all()
    run.attrs["width"] = 512
    table = figure_3_numbers(run)
    assert table["paper"].notna().sum() == len(paper.FIGURE_3)
    points = drawn(named(figure_3(run))["joint counts"], "paper (read off)")
    assert (0.075, 0.085) in list(zip(*points, strict=True))


def test_widths_have_one_colour_each_growing_lighter_and_readable_on_white() -> None:
    widths = np.geomspace(10, 1000, 60)
    colours = np.array([to_rgb(width_colour(width)) for width in widths])
    luminance = colours**2.2 @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) > 0).all()
    assert (1.05 / (luminance + 0.05)).min() > 2.2  # contrast with white
    assert (width_colour(5), width_colour(2000)) == (width_colour(10), width_colour(1000))


@pytest.mark.parametrize("widths", [[64], range(200, 300, 5)])
def test_the_bar_of_widths_has_the_colour_of_every_line(widths) -> None:
    figure = new_figure(4, 3)
    bar = width_bar(figure, figure.subplots(), widths)
    shown = [bar.mappable.to_rgba(place)[:3] for place in bar.get_ticks()]
    assert shown == [pytest.approx(to_rgb(width_colour(width))) for width in widths]
    assert [label.get_text() for label in bar.ax.get_yticklabels()] == [str(w) for w in widths]


def test_a_users_settings_change_no_figure_and_stay_the_users() -> None:
    def picture() -> bytes:
        with styled():
            figure = new_figure(2, 1)
            figure.subplots().plot([0, 1], label="$N$")
        return figure._repr_png_()[0]

    plain = picture()
    with mpl.rc_context({"text.usetex": True, "font.size": 30}):
        assert picture() == plain
        assert mpl.rcParams["font.size"] == 30
