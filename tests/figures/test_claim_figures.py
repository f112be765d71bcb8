"""Figures and tables of the pages of the claims: the numbers drawn, and runs at the edge."""

import numpy as np
import pytest
from synthetic import jumping_run, synthetic_run, with_curves

from repro.analysis import evidence
from repro.figures.climb import climb_figure
from repro.figures.jump import crossings, distribution_figure, jump_figure, lags, lowest_table
from repro.figures.large import large_figure, slope_table, updates_by_size
from repro.figures.near import area_figure, near_figure, near_table
from repro.figures.regimes import (
    agreement_figure,
    agreement_table,
    regime_boundaries,
    regime_table,
    regimes_figure,
)
from repro.figures.run_lines import curves_of, ends_of
from repro.figures.wider import at_losses, exponent_table, learning_figure, wider_figure

FIGURES = (
    near_figure, area_figure, jump_figure, distribution_figure, wider_figure, learning_figure,
    large_figure, regimes_figure, agreement_figure, climb_figure,
)  # fmt: skip
TABLES = (
    near_table, lags, lowest_table, exponent_table, slope_table, regime_table,
    agreement_table,
)  # fmt: skip


def _run(width: int, kind: str = "strong", epochs: int = 1000, **options):
    return synthetic_run(width, epochs, kind, seed=width, joint_layers=(), **options)


@pytest.fixture(scope="module")
def runs() -> list:
    made = [_run(10, "weak", replicas=2), _run(16, "unstable", replicas=2), _run(24)]
    made.append(_run(32, mark="a"))
    made.append(synthetic_run(40, 300, "strong", joint_layers=("hidden_hidden",)))
    made.append(jumping_run(20).assign_coords(replica=[7]))
    return evidence.single_runs(made)


def _lost(width: int = 12):
    """A run whose loss turns infinite at epoch 60, as do its deviations."""
    run = _run(width, "unstable", 100)
    loss, spread = run["train_loss"].to_numpy()[0].copy(), np.linspace(0, 3, 101)
    loss[60:], spread[60:] = np.inf, np.nan
    return with_curves(run, loss, spread)


@pytest.mark.parametrize("draw", FIGURES, ids=lambda draw: draw.__name__)
def test_figures_are_drawn_of_many_runs_of_one_and_of_none(draw, runs) -> None:
    for some in (runs, [_run(8, epochs=5), _lost()]):
        draw(some).draw_without_rendering()
    empty = draw([])
    assert not empty.axes
    assert empty.texts[0].get_text().startswith("no ")


@pytest.mark.parametrize("make", TABLES, ids=lambda make: make.__name__)
def test_tables_of_many_runs_of_one_and_of_none(make, runs) -> None:
    assert len(make([])) == 0
    for some in (runs, runs[-1:], [_run(8, epochs=5)], [_lost()]):
        assert list(make(some).columns)[:1] in ([], ["width"], ["run"], ["loss"], ["regime"])


def test_every_unmarked_run_is_a_line_and_short_ones_are_dotted(runs) -> None:
    over = near_figure(runs).axes[0]
    lengths = [len(line.get_xdata()) for line in over.get_lines()]
    assert sorted(lengths) == [300] + 6 * [1000]
    assert {len(x.get_xdata()) for x in over.get_lines() if x.is_dashed()} == {300}


def test_curves_and_ends_are_those_of_the_runs(runs) -> None:
    curves, ends = curves_of(runs, "train_loss", "relative_deviation"), ends_of(runs)
    for number, run in enumerate(runs):
        own = curves[curves["run"] == number]
        assert own["train_loss"].to_numpy() == pytest.approx(run["train_loss"].values[0, 1:])
        last = float(run["relative_deviation"].sel(layer="hidden_hidden")[0, -1])
        assert own["relative_deviation"].iloc[-1] == pytest.approx(last)
        assert ends["relative_deviation"][number] == pytest.approx(last)
        assert ends["regime"][number] == evidence.regime_of(run)
    assert curves_of([_lost()], "train_loss")["train_loss"].isna().sum() == 41, "not infinite"


@pytest.mark.parametrize("lag", [0, -10])
def test_the_crossing_is_aligned_and_the_lag_is_the_deviations(lag) -> None:
    epoch, runs = np.arange(1001), []
    for number, middle in enumerate((400, 500, 600)):
        loss = 0.2 + 5.7 * np.exp(-epoch / 20) + 15 / (1 + np.exp((middle - epoch) / 12.0))
        spread = 1 + 4 / (1 + np.exp((middle + lag - epoch) / 12.0))
        run = with_curves(_run(20, "unstable"), loss, spread)
        runs.append(run.assign_coords(replica=[number]))
    table = crossings(runs)
    for curve, middle in (("loss", 0), ("deviation", lag)):
        for _, one in table[table["curve"] == curve].groupby("run"):
            assert one.loc[one["share"] >= 0.5, "epoch"].min() == pytest.approx(middle, abs=1.5)
    assert lags(runs)["lag"].to_list() == pytest.approx([lag] * 3, abs=1)
    panel, behind = jump_figure(runs).axes
    assert len(panel.get_lines()) >= 6, "loss and deviation of each run"
    drawn = behind.collections[0].get_offsets()[:, 1]
    assert drawn.tolist() == pytest.approx(lags(runs)["lag"].to_list())


def test_the_lowest_loss_before_and_after(runs) -> None:
    table = lowest_table([jumping_run(20)]).iloc[0]
    assert (table["runs"], table["lower after"]) == (1, 0)
    assert table["before"] == pytest.approx(0.3, abs=0.01)
    assert table["after"] > 1


def test_the_deviation_at_a_loss_and_its_exponent() -> None:
    epoch = np.arange(1001)
    runs = []
    for width in (10, 20, 40):
        loss = 6 * np.exp(-epoch / 100.0)
        runs.append(with_curves(_run(width), loss, 0.01 * epoch / width))
    table = at_losses(runs)
    first = table[(table["width"] == 20) & (table["loss"] == 0.5)].iloc[0]
    assert first["relative_deviation"] == pytest.approx(0.01 * 70 / 20, rel=1e-5)
    assert exponent_table(runs)["relative"].to_numpy() == pytest.approx(-1, abs=1e-4)


def test_updates_and_slopes_are_those_of_the_width() -> None:
    runs = [
        synthetic_run(24, 1000, "strong", joint_layers=("hidden_hidden",), seed=n) for n in (1, 2)
    ]
    table = updates_by_size(runs)
    assert table.groupby("run").size().to_list() == [32, 32]
    (row,) = slope_table(runs).to_dict("records")
    assert (row["regime"], row["width"], row["runs"]) == ("strong", 24, 2)
    assert row["outward"] > 0


def test_regimes_are_counted_parted_and_held_against_the_paper() -> None:
    runs = [_run(8, "weak"), _run(12, "unstable"), _run(16)]
    for run, width in zip(runs, (50, 150, 300), strict=True):
        run.attrs["width"] = width
    runs[1]["train_loss"][0, 200] = 0.1  # the paper: 0.29, 3 % for the reading
    table = regime_table(runs)
    assert table[["weak", "unstable", "strong"]].to_numpy().tolist() == np.eye(3).tolist()
    low, high = regime_boundaries(ends_of(runs))
    assert 50 < low < 150 < high < 300
    assert regime_boundaries(ends_of([])) == (np.inf, np.inf)
    told = agreement_table(runs).set_index(["width", "quantity"]).loc[(150, "minimum_train_loss")]
    assert (told["difference"], told["agrees"]) == (pytest.approx(0.1 - 0.29), False)
    drawn = np.concatenate([c.get_offsets() for c in agreement_figure(runs).axes[0].collections])
    assert [150, (0.1 - 0.29) / (0.03 * 0.29)] in [pytest.approx(point) for point in drawn]
