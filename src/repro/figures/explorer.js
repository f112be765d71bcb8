// The moving figures of the book. Plain script: no library, no network. Each kind takes the data
// that its Python function wrote into the page (letter_explorer.py, phase_explorer.py).
function reproExplore(root) {
  "use strict";
  if (!root || root.classList.contains("explorer-running")) return;
  const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
  const live = root.querySelector(".explorer-live");

  function html(parent, tag, attributes, text) {
    return fill(document.createElement(tag), parent, attributes, text);
  }

  function drawn(parent, tag, attributes, text) {
    return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), parent, attributes, text);
  }

  function fill(element, parent, attributes, text) {
    for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    parent.appendChild(element);
    return element;
  }

  // Three significant digits, without an exponent for the sizes that occur here.
  function number(value) {
    if (value === null || value === undefined) return "none";
    if (value === 0) return "0";
    return Math.abs(value) >= 1000 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
  }

  function coloured(element, of) {
    element.style.setProperty("--on-light", of.colour);
    element.style.setProperty("--on-dark", of.colourOnDark);
    return element;
  }

  function ticks(low, high, log) {
    const marks = [];
    if (log) {
      const factors = high / low > 300 ? [1] : [1, 2, 5];
      for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
        for (const factor of factors) marks.push(factor * 10 ** power);
    } else {
      const rough = (high - low) / 5;
      const power = 10 ** Math.floor(Math.log10(rough));
      const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
      for (let at = Math.ceil(low / step) * step; at <= high + step / 1e6; at += step)
        marks.push(Number(at.toPrecision(12)));
    }
    return marks.filter((mark) => mark >= low * (1 - 1e-9) - 1e-12 && mark <= high * (1 + 1e-9) + 1e-12);
  }

  // Axes with their labels; `x` and `y` turn values into places.
  function plot(parent, label, xAxis, yAxis, width = 360, height = 210) {
    const box = { left: 46, right: width - 8, top: 18, bottom: height - 32 };
    const svg = drawn(parent, "svg", {
      viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label,
      class: width < 300 ? "small" : "",
    });
    function scale(axis, from, to) {
      const turn = axis.log ? Math.log10 : (value) => value;
      const low = turn(axis.low), span = turn(axis.high) - low || 1;
      return (value) => from + ((turn(Math.min(Math.max(value, axis.low), axis.high)) - low) / span) * (to - from);
    }
    const x = scale(xAxis, box.left, box.right), y = scale(yAxis, box.bottom, box.top);
    drawn(svg, "path", { class: "axis", d: `M${box.left},${box.top}V${box.bottom}H${box.right}` });
    for (const mark of xAxis.marks || ticks(xAxis.low, xAxis.high, xAxis.log)) {
      drawn(svg, "path", { class: "axis", d: `M${x(mark)},${box.bottom}v4` });
      drawn(svg, "text", { x: x(mark), y: box.bottom + 15, "text-anchor": "middle" }, number(mark));
    }
    for (const mark of ticks(yAxis.low, yAxis.high, yAxis.log)) {
      drawn(svg, "path", { class: "axis", d: `M${box.left},${y(mark)}h-4` });
      drawn(svg, "text", { x: box.left - 6, y: y(mark) + 4, "text-anchor": "end" }, number(mark));
    }
    drawn(svg, "text", { x: box.right, y: box.bottom + 29, "text-anchor": "end" }, xAxis.label);
    drawn(svg, "text", { x: 4, y: 10 }, yAxis.label);
    function curve(xs, ys, kind) {
      let d = "", pen = "M";
      xs.forEach((at, index) => {
        if (ys[index] === null) { pen = "M"; return; }
        d += `${pen}${x(at).toFixed(1)},${y(ys[index]).toFixed(1)}`;
        pen = "L";
      });
      return drawn(svg, "path", { class: `curve ${kind || ""}`, d });
    }
    return { svg, box, x, y, curve };
  }

  function range(lists, log) {
    const values = lists.flat().filter((value) => value !== null && (!log || value > 0));
    return { low: log ? Math.min(...values) / 1.1 : 0, high: Math.max(...values) * 1.1 || 1, log };
  }

  const upTo = (last) => Array.from({ length: last }, (_, epoch) => epoch);

  // The index of the last entry that is not after the epoch.
  function latest(epochs, epoch) {
    let index = 0;
    while (index + 1 < epochs.length && epochs[index + 1] <= epoch) index++;
    return index;
  }

  function letter() {
    const controls = html(live, "div", { class: "explorer-controls" });
    html(controls, "label", { for: `${root.id}-epoch` }, "Epoch");
    const slider = html(controls, "input", {
      type: "range", id: `${root.id}-epoch`, min: 0, max: data.steps.length - 1, step: 1, value: 0,
    });
    const shown = html(controls, "span", { class: "explorer-epoch" });
    const play = html(controls, "button", { type: "button" }, "Play");

    const last = Math.max(...data.steps);
    const losses = plot(
      live, "Train loss against epoch of all networks, with the chosen epoch marked",
      { low: 0, high: last, label: "epoch" },
      { ...range(data.networks.map((network) => network.trainLoss), true), label: "train loss" },
      360, 150,
    );
    const cursor = drawn(losses.svg, "path", { class: "cursor" });
    const columns = html(live, "div", { class: "explorer-columns" });
    const views = data.networks.map((network) => {
      const end = network.trainLoss.length - 1;
      coloured(losses.curve(upTo(end + 1), network.trainLoss), network);
      drawn(losses.svg, "text", {
        x: losses.x(end), y: losses.y(network.trainLoss[end] || Infinity) - 6, "text-anchor": "end",
      }, network.name);
      const point = coloured(drawn(losses.svg, "circle", { class: "point", r: 4 }), network);
      const column = html(columns, "div", { role: "group", "aria-label": network.name });
      const heading = html(column, "p", { class: "explorer-heading" }, `${network.name} (${network.about})`);
      coloured(heading, network);
      const image = html(column, "img", { class: "explorer-matrix" });
      const facts = html(column, "dl", { class: "explorer-facts" });
      const values = {};
      for (const name of ["train loss", "relative deviation", "contrast", "matrix of"]) {
        html(facts, "dt", {}, name);
        values[name] = html(facts, "dd", { "data-fact": name });
      }
      const histogram = html(column, "div");
      return { network, point, image, values, histogram };
    });
    const status = html(live, "p", { role: "status", class: "explorer-unseen" });

    function show() {
      const epoch = data.steps[Number(slider.value)];
      slider.setAttribute("aria-valuetext", `epoch ${epoch}`);
      shown.textContent = `epoch ${epoch}`;
      cursor.setAttribute("d", `M${losses.x(epoch)},${losses.box.top}V${losses.box.bottom}`);
      const said = views.map((view) => one(view, epoch));
      status.textContent = `Epoch ${epoch}. ${said.join("; ")}.`;
    }

    function one({ network, point, image, values, histogram }, epoch) {
      const end = network.trainLoss.length - 1;
      const at = Math.min(epoch, end);
      const kept = latest(network.matrixEpochs, at), counted = latest(network.histogramEpochs, at);
      const loss = number(network.trainLoss[at]), spread = number(network.relativeDeviation[at]);
      point.setAttribute("cx", losses.x(at));
      point.setAttribute("cy", losses.y(network.trainLoss[at] === null ? Infinity : network.trainLoss[at]));
      image.src = `data:image/png;base64,${network.pictures[kept]}`;
      image.alt = `Matrix of ${network.name} at epoch ${network.matrixEpochs[kept]}, ` +
        `contrast of the letter ${number(network.contrasts[kept])}`;
      const ended = epoch > end ? ` (the run ends at epoch ${end})` : "";
      values["train loss"].textContent = loss + ended;
      values["relative deviation"].textContent = spread;
      values["contrast"].textContent = number(network.contrasts[kept]);
      values["matrix of"].textContent = `epoch ${network.matrixEpochs[kept]}`;
      bars(network, counted, histogram);
      return `${network.name}: train loss ${loss}${ended}, relative deviation ${spread}, ` +
        `contrast ${number(network.contrasts[kept])}`;
    }

    function bars(network, index, place) {
      const shares = network.histograms[index], epoch = network.histogramEpochs[index];
      place.textContent = "";
      const within = shares.reduce((sum, share) => sum + share, 0);
      const figure = plot(
        place,
        `Deviations of ${network.name} at epoch ${epoch}: ${number(100 * Math.min(within, 1))} % of ` +
          `the links lie within ${data.limit} Glorot standard deviations`,
        { low: -data.limit, high: data.limit, label: `deviation, epoch ${epoch}` },
        { low: 0, high: 100 * data.highest, label: "% of links" }, 220, 130,
      );
      const step = (2 * data.limit) / shares.length;
      let d = `M${figure.x(-data.limit)},${figure.y(0)}`;
      shares.forEach((share, number) => {
        const left = -data.limit + number * step;
        d += `L${figure.x(left).toFixed(1)},${figure.y(100 * share).toFixed(1)}`;
        d += `L${figure.x(left + step).toFixed(1)},${figure.y(100 * share).toFixed(1)}`;
      });
      coloured(drawn(figure.svg, "path", { class: "area", d: `${d}V${figure.y(0)}Z` }), network);
    }

    let timer = null;
    function stop() {
      clearInterval(timer);
      timer = null;
      play.textContent = "Play";
      status.removeAttribute("aria-live");
    }
    play.addEventListener("click", () => {
      if (timer) return stop();
      if (Number(slider.value) === data.steps.length - 1) slider.value = 0;
      play.textContent = "Pause";
      status.setAttribute("aria-live", "off"); // else a screen reader would read every step
      timer = setInterval(() => {
        slider.value = Number(slider.value) + 1;
        show();
        if (Number(slider.value) === data.steps.length - 1) stop();
      }, 500);
    });
    slider.addEventListener("input", () => { if (timer) stop(); show(); });
    show();
  }

  function phases() {
    const controls = html(live, "div", { class: "explorer-controls" });
    html(controls, "label", { for: `${root.id}-set` }, "Dataset");
    const sets = html(controls, "select", { id: `${root.id}-set` });
    data.sets.forEach((set, index) => html(sets, "option", { value: index }, set.name));
    html(controls, "label", { for: `${root.id}-width` }, "Width");
    const widths = html(controls, "select", { id: `${root.id}-width` });
    const status = html(live, "p", { role: "status" });
    const columns = html(live, "div", { class: "explorer-columns" });
    const table = html(live, "div", {
      class: "explorer-table", role: "region", tabindex: 0, "aria-label": "Every run of this width",
    });

    function choose() {
      const set = data.sets[Number(sets.value)];
      widths.textContent = "";
      set.widths.forEach((one, index) => html(widths, "option", { value: index }, one.width));
      const unstable = set.widths.findIndex((one) => one.runs.some((run) => run.regime === "unstable"));
      widths.value = Math.max(unstable, 0);
      show();
    }

    function show() {
      const set = data.sets[Number(sets.value)], chosen = set.widths[Number(widths.value)];
      const kinds = {};
      for (const run of chosen.runs) kinds[run.regime] = (kinds[run.regime] || 0) + 1;
      const regimes = Object.entries(kinds).map(([kind, count]) => `${kind} (${count})`).join(", ");
      const count = `${chosen.runs.length} run${chosen.runs.length === 1 ? "" : "s"}`;
      status.textContent = `${set.name}, N = ${chosen.width}, ${count}: ${regimes}.`;
      columns.textContent = "";
      diagram(set, chosen);
      curves(chosen);
      list(chosen);
    }

    function diagram(set, chosen) {
      const runs = set.widths.flatMap((one) => one.runs);
      const all = set.widths.map((one) => one.width);
      const figure = plot(
        columns, `Phase diagram of ${set.name}: epochs of minimum losses and divergence by width`,
        { low: Math.min(...all) / 1.2, high: Math.max(...all) * 1.2, log: true, label: "width N" },
        { low: 1, high: 1.1 * Math.max(...runs.map((run) => run.epochs)), log: true,
          label: "epoch: ■ min. test, ● min. train, ✕ divergence" },
      );
      const middle = figure.x(chosen.width);
      drawn(figure.svg, "rect", {
        class: "chosen", x: middle - 9, y: figure.box.top, width: 18, height: figure.box.bottom - figure.box.top,
      });
      for (const one of set.widths) for (const run of one.runs) {
        const x = figure.x(one.width), y = (epoch) => figure.y(Math.max(epoch, 1));
        drawn(figure.svg, "rect", {
          class: "point test-point", x: x - 3.5, y: y(run.minimumTestEpoch) - 3.5, width: 7, height: 7,
        });
        drawn(figure.svg, "circle", { class: "point", cx: x, cy: y(run.minimumTrainEpoch), r: 4 });
        if (run.divergence !== null) drawn(figure.svg, "path", {
          class: "divergence-point", d: `M${x - 4},${y(run.divergence) - 4}l8,8m0,-8l-8,8`,
        });
      }
    }

    function curves(chosen) {
      const last = Math.max(...chosen.runs.map((run) => run.epochs));
      const epochs = { low: 0, high: last, label: "epoch" };
      const both = chosen.runs.flatMap((run) => [run.train, run.test]);
      const losses = plot(
        columns, `Train and test loss of N = ${chosen.width} against epoch`, epochs,
        { ...range(both, true), label: "loss: — train, - - test" },
      );
      const spread = plot(
        columns, `Relative deviation between the hidden layers of N = ${chosen.width} against epoch`,
        epochs, { ...range(chosen.runs.map((run) => run.deviation)), label: "relative deviation" },
      );
      for (const run of chosen.runs) {
        coloured(losses.curve(run.at, run.train), chosen);
        losses.curve(run.at, run.test, "second");
        coloured(spread.curve(run.at, run.deviation), chosen);
      }
    }

    function list(chosen) {
      table.textContent = "";
      const rows = html(table, "table");
      const head = html(html(rows, "thead"), "tr");
      for (const name of ["run", "epochs", "regime", "min. train loss", "at epoch", "min. test loss", "at epoch", "diverged at"])
        html(head, "th", { scope: "col" }, name);
      const body = html(rows, "tbody");
      for (const run of chosen.runs) {
        const row = html(body, "tr");
        for (const [fact, value] of [
          ["replica", run.replica], ["epochs", run.epochs], ["regime", run.regime],
          ["minimum train loss", number(run.minimumTrain)],
          ["epoch of minimum train loss", `${run.minimumTrainEpoch}${run.minimumTrainAtEnd ? " or later" : ""}`],
          ["minimum test loss", number(run.minimumTest)],
          ["epoch of minimum test loss", run.minimumTestEpoch],
          ["divergence", run.divergence === null ? "not by the end" : run.divergence],
        ]) html(row, "td", { "data-fact": fact }, value);
      }
    }

    sets.addEventListener("change", choose);
    widths.addEventListener("change", show);
    choose();
  }

  ({ letter, phases })[root.dataset.kind]();
  root.classList.add("explorer-running"); // only now: if anything failed, the still figure stays
  live.hidden = false;
}
