// The moving figures of the book. Plain script: no library, no network. Each kind takes the data
// that its function in explorers.py wrote into the page.
function reproExplore(root) {
  "use strict";
  if (!root || root.querySelector(".explorer-live")) return;
  const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
  const drawn = new Set(["svg", "path", "text", "circle", "rect"]);

  function add(parent, tag, attributes = {}, text) {
    const element = drawn.has(tag)
      ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    return parent.appendChild(element);
  }
  const live = add(root, "div", { class: "explorer-live" });
  const wide = Math.min(Math.max(live.clientWidth, 300), 720);

  // Three significant digits, without an exponent for the sizes that occur here.
  const number = (value) => value === null || value === undefined ? "none"
    : Math.abs(value) >= 1000 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));

  function coloured(element, of) {
    element.classList.add("own");
    element.style.setProperty("--colour", of.colour);
    return element;
  }

  function ticks({ low, high, log }) {
    const marks = [];
    if (log) {
      for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
        for (const factor of high / low > 300 ? [1] : [1, 2, 5]) marks.push(factor * 10 ** power);
    } else {
      const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
      const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
      for (let at = Math.ceil(low / step) * step; at <= high + step / 1e6; at += step)
        marks.push(Number(at.toPrecision(12)));
    }
    return marks.filter((mark) => mark >= low && mark <= high);
  }

  // Axes with their labels; `x` and `y` turn values into places.
  function plot(parent, label, xAxis, yAxis, width = 360, height = 230) {
    const box = { left: 44, right: width - 10, top: 18, bottom: height - 32 };
    const svg = add(parent, "svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
    const scale = (axis, from, to) => (value) => {
      const turn = axis.log ? Math.log10 : (one) => one;
      const within = Math.min(Math.max(value, axis.low), axis.high);
      return from + ((turn(within) - turn(axis.low)) / (turn(axis.high) - turn(axis.low) || 1)) * (to - from);
    };
    const x = scale(xAxis, box.left, box.right), y = scale(yAxis, box.bottom, box.top);
    let axes = `M${box.left},${box.top}V${box.bottom}H${box.right}`;
    for (const mark of ticks(xAxis)) {
      axes += `M${x(mark)},${box.bottom}v4`;
      add(svg, "text", { x: x(mark), y: box.bottom + 16, "text-anchor": "middle" }, number(mark));
    }
    for (const mark of ticks(yAxis)) {
      axes += `M${box.left},${y(mark)}h-4`;
      add(svg, "text", { x: box.left - 6, y: y(mark) + 4, "text-anchor": "end" }, number(mark));
    }
    add(svg, "path", { class: "axis", d: axes });
    add(svg, "text", { x: box.right, y: box.bottom + 30, "text-anchor": "end" }, xAxis.label);
    add(svg, "text", { x: 2, y: 10 }, yAxis.label);
    function curve(xs, ys, kind = "") {
      let d = "";
      ys.forEach((one, index) => {
        if (one === null) return;
        const pen = index && ys[index - 1] !== null ? "L" : "M";
        d += `${pen}${x(xs[index]).toFixed(1)},${y(one).toFixed(1)}`;
      });
      return add(svg, "path", { class: `curve ${kind}`, d });
    }
    return { svg, box, x, y, curve };
  }

  function range(lists, log) {
    const values = lists.flat().filter((value) => value !== null && (!log || value > 0));
    return { low: log ? Math.min(...values) / 1.1 : 0, high: Math.max(...values) * 1.1 || 1, log };
  }

  // The index of the last entry that is not after the epoch.
  const latest = (epochs, epoch) => Math.max(epochs.findLastIndex((one) => one <= epoch), 0);

  const controls = add(live, "div", { class: "explorer-controls" });
  function control(tag, label, attributes = {}) {
    const id = `${root.id}-${label.toLowerCase()}`;
    add(controls, "label", { for: id }, label);
    return add(controls, tag, { id, ...attributes });
  }

  function letter() {
    const play = add(controls, "button", { type: "button" }, "Play");
    const end = data.steps.length - 1;
    const slider = control("input", "Epoch", { type: "range", min: 0, max: end, value: 0 });
    const shown = add(controls, "span", { class: "explorer-epoch" });
    const columns = add(live, "div", { class: "explorer-columns" });
    const views = data.networks.map((network) => {
      const column = add(columns, "div", { role: "group", "aria-label": network.name });
      coloured(add(column, "p", { class: "explorer-heading" }, `${network.name} (${network.about})`), network);
      const image = add(column, "img", { class: "explorer-matrix" });
      const facts = add(column, "dl", { class: "explorer-facts" }), values = {};
      for (const name of ["train loss", "relative deviation", "contrast", "matrix of"]) {
        add(facts, "dt", {}, name);
        values[name] = add(facts, "dd", { "data-fact": name });
      }
      return { network, image, values, histogram: add(column, "div") };
    });
    const losses = plot(
      live, "Train loss against epoch of all networks, with the chosen epoch marked",
      { low: 0, high: data.steps[end], label: "epoch" },
      { ...range(data.networks.map((network) => network.trainLoss), true), label: "train loss" }, wide, 200,
    );
    const cursor = add(losses.svg, "path", { class: "cursor" });
    for (const view of views) {
      const { trainLoss, epochs, name } = view.network;
      coloured(losses.curve(Object.keys(trainLoss).map(Number), trainLoss), view.network);
      view.point = coloured(add(losses.svg, "circle", { class: "point", r: 5 }), view.network);
      const at = { x: losses.x(epochs), y: losses.y(trainLoss[epochs] ?? Infinity) - 7, "text-anchor": "end" };
      add(losses.svg, "text", at, name);
    }
    const status = add(live, "p", { role: "status", class: "explorer-unseen" });

    function show() {
      const epoch = data.steps[Number(slider.value)];
      slider.setAttribute("aria-valuetext", `epoch ${epoch}`);
      shown.textContent = `epoch ${epoch}`;
      cursor.setAttribute("d", `M${losses.x(epoch)},${losses.box.top}V${losses.box.bottom}`);
      status.textContent = `Epoch ${epoch}. ${views.map((view) => one(view, epoch)).join("; ")}.`;
    }

    function one({ network, image, values, histogram, point }, epoch) {
      const at = Math.min(epoch, network.epochs);
      const kept = latest(network.matrixEpochs, at), contrast = number(network.contrasts[kept]);
      const loss = number(network.trainLoss[at]), spread = number(network.relativeDeviation[at]);
      const ended = epoch > network.epochs ? ` (the run ends at epoch ${network.epochs})` : "";
      image.src = `data:image/png;base64,${network.pictures[kept]}`;
      image.alt = `Matrix of ${network.name} at epoch ${network.matrixEpochs[kept]}, contrast of the letter ${contrast}`;
      values["train loss"].textContent = loss + ended;
      values["relative deviation"].textContent = spread;
      values.contrast.textContent = contrast;
      values["matrix of"].textContent = `epoch ${network.matrixEpochs[kept]}`;
      point.setAttribute("cx", losses.x(at));
      point.setAttribute("cy", losses.y(network.trainLoss[at] ?? Infinity));
      bars(network, latest(network.histogramEpochs, at), histogram);
      return `${network.name}: train loss ${loss}${ended}, relative deviation ${spread}, contrast ${contrast}`;
    }

    function bars(network, index, place) {
      const shares = network.histograms[index], step = (2 * data.limit) / shares.length;
      const within = number(100 * Math.min(shares.reduce((sum, share) => sum + share, 0), 1));
      place.textContent = "";
      const epoch = network.histogramEpochs[index];
      const figure = plot(
        place, `Deviations of ${network.name} at epoch ${epoch}: ${within} % of the weights lie within ` +
          `${data.limit} Glorot standard deviations`,
        { low: -data.limit, high: data.limit, label: `deviation, epoch ${epoch}` },
        { low: 0, high: 100 * data.highest, label: "% of weights" }, place.clientWidth || 300, 150,
      );
      const tops = shares.map((share, number) =>
        `V${figure.y(100 * share).toFixed(1)}H${figure.x((number + 1) * step - data.limit).toFixed(1)}`);
      const d = `M${figure.box.left},${figure.box.bottom}${tops.join("")}V${figure.box.bottom}Z`;
      coloured(add(figure.svg, "path", { class: "area", d }), network);
    }

    let timer = null;
    function stop() {
      seen.disconnect();
      clearInterval(timer);
      timer = null;
      play.textContent = "Play";
      status.removeAttribute("aria-live");
    }
    function start() {
      stop();
      if (Number(slider.value) === end) slider.value = 0;
      play.textContent = "Pause";
      status.setAttribute("aria-live", "off"); // else a screen reader would read every step
      timer = setInterval(() => {
        slider.value = Number(slider.value) + 1;
        show();
        if (Number(slider.value) === end) stop();
      }, 400);
    }
    // Plays once by itself when it comes into view, and never again after a touch.
    const seen = new IntersectionObserver((entries) => entries.some((one) => one.isIntersecting) && start(), { threshold: 0.4 });
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) seen.observe(columns);
    play.addEventListener("click", () => (timer ? stop() : start()));
    for (const touch of ["input", "keydown", "pointerdown"]) slider.addEventListener(touch, stop);
    slider.addEventListener("input", show);
    show();
  }

  function phases() {
    const sets = control("select", "Dataset"), widths = control("select", "Width");
    data.sets.forEach((set, index) => add(sets, "option", { value: index }, set.name));
    const status = add(live, "p", { role: "status" });
    const above = add(live, "div"), columns = add(live, "div", { class: "explorer-columns" });
    const details = add(live, "details", { class: "explorer-table" });
    add(details, "summary", {}, "Every run of this width");
    const table = add(details, "table");

    function choose() {
      const set = data.sets[Number(sets.value)];
      widths.textContent = "";
      set.widths.forEach((one, index) => add(widths, "option", { value: index }, one.width));
      widths.value = Math.max(set.widths.findIndex((one) => one.runs.some((run) => run.regime === "unstable")), 0);
      show();
    }

    function show() {
      const set = data.sets[Number(sets.value)], chosen = set.widths[Number(widths.value)], kinds = {};
      for (const run of chosen.runs) kinds[run.regime] = (kinds[run.regime] || 0) + 1;
      const regimes = Object.entries(kinds).map(([kind, count]) => `${kind} (${count})`).join(", ");
      const count = `${chosen.runs.length} run${chosen.runs.length === 1 ? "" : "s"}`;
      status.textContent = `${set.name}, N = ${chosen.width}, ${count}: ${regimes}.`;
      for (const part of [above, columns, table]) part.textContent = "";
      diagram(set, chosen);
      curves(chosen);
      list(chosen);
    }

    function diagram(set, chosen) {
      const runs = set.widths.flatMap((one) => one.runs), all = set.widths.map((one) => one.width);
      const { svg, box, x, y } = plot(
        above, `Phase diagram of ${set.name}: epochs of minimum losses and divergence by width`,
        { low: 0, high: Math.max(...all) * 1.05, label: "width N (click to choose)" },
        { low: 0, high: Math.max(...runs.map((run) => run.epochs)), label: "epoch: ■ min. test, ● min. train, ✕ divergence" },
        wide, 260,
      );
      const strip = { x: x(chosen.width) - 8, y: box.top, width: 16, height: box.bottom - box.top };
      add(svg, "rect", { class: "chosen", ...strip });
      for (const one of set.widths) for (const run of one.runs) {
        const at = x(one.width);
        add(svg, "rect", { class: "point second", x: at - 3.5, y: y(run.epoch_of_minimum_test_loss) - 3.5, width: 7, height: 7 });
        add(svg, "circle", { class: "point", cx: at, cy: y(run.epoch_of_minimum_train_loss), r: 4 });
        if (run.divergence_epoch !== null)
          add(svg, "path", { class: "divergence", d: `M${at - 4},${y(run.divergence_epoch) - 4}l8,8m0,-8l-8,8` });
      }
      svg.addEventListener("click", (event) => {
        const place = (event.offsetX / svg.clientWidth) * wide;
        const apart = all.map((width) => Math.abs(x(width) - place));
        widths.value = apart.indexOf(Math.min(...apart));
        show();
      });
    }

    function curves({ runs, width, ...look }) {
      const epochs = { low: 0, high: Math.max(...runs.map((run) => run.epochs)), label: "epoch" };
      const losses = plot(columns, `Train and test loss of N = ${width} against epoch`, epochs,
        { ...range(runs.flatMap((run) => [run.train_loss, run.test_loss]), true), label: "loss: — train, - - test" });
      const spread = plot(columns, `Relative deviation between the hidden layers of N = ${width} against epoch`,
        epochs, { ...range(runs.map((run) => run.relative_deviation)), label: "relative deviation" });
      for (const run of runs) {
        coloured(losses.curve(data.at[run.epochs], run.train_loss), look);
        losses.curve(data.at[run.epochs], run.test_loss, "second");
        coloured(spread.curve(data.at[run.epochs], run.relative_deviation), look);
      }
    }

    function list(chosen) {
      const facts = [
        ["replica", (run) => run.replica], ["epochs", (run) => run.epochs], ["regime", (run) => run.regime],
        ["minimum train loss", (run) => number(run.minimum_train_loss)],
        ["epoch of minimum train loss", (run) => run.epoch_of_minimum_train_loss + (run.minimum_at_end ? " or later" : "")],
        ["minimum test loss", (run) => number(run.minimum_test_loss)],
        ["epoch of minimum test loss", (run) => run.epoch_of_minimum_test_loss],
        ["divergence", (run) => run.divergence_epoch ?? "not by the end"],
      ];
      const head = add(add(table, "thead"), "tr"), body = add(table, "tbody");
      for (const [name] of facts) add(head, "th", { scope: "col" }, name);
      for (const run of chosen.runs) {
        const row = add(body, "tr");
        for (const [name, value] of facts) add(row, "td", { "data-fact": name }, value(run));
      }
    }

    sets.addEventListener("change", choose);
    widths.addEventListener("change", show);
    choose();
  }

  ({ letter, phases })[root.dataset.kind]();
}
