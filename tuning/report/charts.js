// Pictures: SVG drawn from the data of the page, at the width that there is. All text is set as text, never as markup.

const NS = "http://www.w3.org/2000/svg";
const {figures: FIGURES, tips: TIPS} = JSON.parse(document.getElementById("data").textContent);

function make(tag, attributes = {}, ...inside) {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) element.setAttribute(name, value);
  for (const one of inside) element.append(one);
  return element;
}

const n1 = value => Math.round(value * 10) / 10;
const write = (x, y, text, attributes = {}) => make("text", {x: n1(x), y: n1(y), ...attributes}, text);

// Shapes tell states apart besides colours: circle, diamond, cross, ring, square, hollow square.
function shape(look, x, y, r = 4) {
  const [a, b] = [n1(x), n1(y)];
  if (look === "pruned") return `M${a} ${n1(b - r - 1)}l${r + 1} ${r + 1}l${-r - 1} ${r + 1}l${-r - 1} ${-r - 1}z`;
  if (look === "failed") return `M${n1(a - r)} ${n1(b - r)}l${2 * r} ${2 * r}m0 ${-2 * r}l${-2 * r} ${2 * r}`;
  if (look === "front" || look === "infeasible") return `M${n1(a - r)} ${n1(b - r)}h${2 * r}v${2 * r}h${-2 * r}z`;
  if (look === "dot") r = 2;
  return `M${n1(a - r)} ${b}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
}

// The legend of what has a name, in as many rows as it needs; returns its height.
function legend(svg, marks, left, width) {
  let x = left, y = 14, rows = 0;
  for (const mark of marks) {
    const text = cut(mark.name, width - 40), needed = wide(text) + 44;
    if (x > left && x + needed > left + width) { x = left; y += 20; }
    rows = y;
    const isLine = mark.kind === "line" || mark.kind === "whiskers";
    svg.append(isLine
      ? make("path", {d: `M${x} ${y - 4}h22`, class: `line ${mark.look || "whiskers"}`})
      : make("path", {d: shape(mark.look, x + 11, y - 4), class: `point ${mark.look}`}));
    svg.append(write(x + 27, y, text, {class: "key"}));
    x += needed;
  }
  return rows ? rows + 10 : 6;
}

function path(mark, x, y) {
  let d = "", before = null;
  mark.x.forEach((value, i) => {
    if (mark.y[i] === null) { before = null; return; }
    const px = n1(x.at(value)), py = n1(y.at(mark.y[i]));
    d += before === null ? `M${px} ${py}` : mark.step ? `H${px}V${py}` : `L${px} ${py}`;
    before = py;
  });
  return d;
}

function xy(figure, svg, width, height, hits) {
  const named = figure.legend === false ? [] : figure.marks.filter(mark => mark.name);
  const labels = figure.y.scale === "category"
    ? Math.max(...figure.y.labels.map(wide)) : scaleOf(figure.y, 300, 0, 40).marks.reduce((m, k) => Math.max(m, wide(k.text)), 7);
  const left = Math.min(width * 0.34, 30 + labels + (figure.y.title ? 14 : 0)), right = width - 14;
  const top = legend(svg, named, 8, width - 16) + 6, bottom = height - 46;
  const x = scaleOf(figure.x, left, right, 74), y = scaleOf(figure.y, bottom, top, 42);
  const roomX = (right - left) / Math.max(1, x.marks.length);
  for (const mark of y.marks) {
    svg.append(make("line", {x1: left, x2: right, y1: n1(mark.at), y2: n1(mark.at), class: "grid"}));
    const text = cut(mark.text, left - 28);
    svg.append(write(left - 7, mark.at + 4, text, {class: "tick end"}));
  }
  for (const mark of x.marks) {
    if (!x.isCategory) svg.append(make("line", {x1: n1(mark.at), x2: n1(mark.at), y1: top, y2: bottom, class: "grid"}));
    svg.append(write(mark.at, bottom + 19, cut(mark.text, roomX - 3), {class: "tick middle"}));
  }
  svg.append(make("path", {d: `M${left} ${top}V${bottom}H${right}`, class: "frame"}));
  svg.append(write((left + right) / 2, height - 8, cut(figure.x.title, right - left), {class: "title middle"}));
  if (figure.y.title)
    svg.append(write(0, 0, cut(figure.y.title, bottom - top), {class: "title middle", transform: `translate(13 ${(top + bottom) / 2}) rotate(-90)`}));
  for (const mark of figure.marks) MARKS[mark.kind](mark, svg, x, y, hits);
}

const MARKS = {
  points(mark, svg, x, y, hits) {
    mark.x.forEach((value, i) => {
      const px = x.at(value), py = y.at(mark.y[i]), n = mark.trial && mark.trial[i];
      const tone = mark.tone ? ` t${mark.tone[i]}` : "";
      svg.append(make("path", {d: shape(mark.look, px, py), class: `point ${mark.look}${tone}`, "data-t": n}));
      hits.push({x: px, y: py, trial: n});
    });
  },
  line(mark, svg, x, y, hits) {
    svg.append(make("path", {d: path(mark, x, y), class: `line ${mark.look}`, "data-t": mark.trial}));
    if (mark.trial !== undefined)
      mark.x.forEach((value, i) => { if (mark.y[i] !== null) hits.push({x: x.at(value), y: y.at(mark.y[i]), trial: mark.trial, say: `${value}: ${mark.y[i]}`}); });
    if (mark.tip)
      mark.x.forEach((value, i) => hits.push({x: x.at(value), y: y.at(mark.y[i]), say: `${mark.tip}: ${mark.y[i]}`}));
  },
  band(mark, svg, x, y) {
    const there = mark.x.map((value, i) => [x.at(value), y.at(mark.low[i]), y.at(mark.high[i])]);
    let d = "";
    there.forEach(([px, , high], i) => { d += i ? `H${n1(px)}V${n1(high)}` : `M${n1(px)} ${n1(high)}`; });
    d += `V${n1(there[there.length - 1][1])}`;
    for (let i = there.length - 1; i > 0; i--) d += `V${n1(there[i - 1][1])}H${n1(there[i - 1][0])}`;
    svg.append(make("path", {d: d + "z", class: `band ${mark.look}`}));
  },
  whiskers(mark, svg, x, y) {
    mark.x.forEach((value, i) => {
      const px = n1(x.at(value)), low = n1(y.at(mark.low[i])), high = n1(y.at(mark.high[i]));
      svg.append(make("path", {d: `M${px} ${low}V${high}M${px - 5} ${low}h10M${px - 5} ${high}h10`, class: "line whiskers"}));
    });
  },
  names(mark, svg, x, y) {
    let last = {x: -99, y: -99};
    mark.x.forEach((value, i) => {
      const px = x.at(value), py = y.at(mark.y[i]);
      if (Math.abs(px - last.x) < wide(mark.text[i]) + 6 && Math.abs(py - last.y) < 15) return; // the pointer names it
      last = {x: px, y: py};
      const isLate = px > x.end - 30;
      svg.append(write(px + (isLate ? -8 : 8), py - 6, mark.text[i], {class: isLate ? "name end" : "name"}));
    });
  },
  spans(mark, svg, x, y, hits) {
    const thick = Math.min(18, Math.max(2, Math.abs(y.at(0) - y.at(1)) * 0.7 || 18));
    for (const [from, to, lane, look, n] of mark.spans) {
      const px = x.at(from), wide = Math.max(1.5, x.at(to) - px - 0.5), py = y.at(lane);
      svg.append(make("rect", {x: n1(px), y: n1(py - thick / 2), width: n1(wide), height: n1(thick), class: `span ${look}`, "data-t": n}));
      if (look === "failed" || look === "pruned")
        svg.append(make("path", {d: shape(look, px + wide / 2, py, 3), class: `point ${look} on`}));
      hits.push({x: px + wide / 2, y: py, trial: n});
    }
  },
  cells(mark, svg, x, y) {
    const wide = (x.end - x.start) / mark.nx, high = (y.end - y.start) / mark.ny;
    for (const [row, first, last, tone] of mark.cells) {
      const top = y.start + (row + 1) * high;
      svg.append(make("rect", {x: n1(x.start + first * wide), y: n1(top), width: n1((last - first) * wide + 0.4), height: n1(-high + 0.4), class: `cell t${tone}`}));
    }
  },
};

function bars(figure, svg, width) {
  const left = Math.min(width * 0.42, 18 + Math.max(...figure.items.map(item => wide(item.label))));
  const most = Math.max(...figure.items.map(item => item.value), 0.01), room = width - left - 60;
  figure.items.forEach((item, i) => {
    const y = 10 + i * 28;
    svg.append(write(left - 8, y + 14, cut(item.label, left - 10), {class: "key end"}));
    svg.append(make("rect", {x: left, y, width: n1(Math.max(1, room * item.value / most)), height: 19, rx: 3, class: "bar"}));
    svg.append(write(left + Math.max(1, room * item.value / most) + 7, y + 14, item.text, {class: "key"}));
  });
}

const barsHeight = figure => Math.max(64, 20 + 28 * figure.items.length);

// Parallel coordinates: axes stand side by side where there is room, and below each other on a phone.
const isTall = (figure, width) => width < 74 * figure.axes.length;
const parallelHeight = (figure, width) => (isTall(figure, width) ? 30 + 66 * figure.axes.length : 400);

function parallel(figure, svg, width, height, hits) {
  const tall = isTall(figure, width), n = figure.axes.length;
  const first = tall ? 34 : 60, spacing = tall ? 66 : (width - 60 - 66) / (n - 1);
  const scales = figure.axes.map(axis => (tall ? scaleOf(axis, 22, width - 22, 76) : scaleOf(axis, height - 24, 60, 44)));
  figure.lines.forEach((line, j) => {
    const points = line.map((value, i) => (tall ? [scales[i].at(value), first + i * spacing] : [first + i * spacing, scales[i].at(value)]));
    svg.append(make("path", {d: "M" + points.map(p => `${n1(p[0])} ${n1(p[1])}`).join("L"), class: `thread t${figure.tone[j]}`, "data-t": figure.trial[j]}));
    for (const p of points) hits.push({x: p[0], y: p[1], trial: figure.trial[j]});
  });
  figure.axes.forEach((axis, i) => {
    const at = first + i * spacing;
    if (tall) {
      svg.append(make("line", {x1: 16, x2: width - 16, y1: at, y2: at, class: "axis"}));
      svg.append(write(16, at - 8, cut(axis.title, width - 32), {class: "title halo"}));
      const room = (width - 44) / Math.max(1, scales[i].marks.length);
      for (const mark of scales[i].marks) svg.append(write(mark.at, at + 16, cut(mark.text, room - 3), {class: "tick middle halo"}));
    } else {
      svg.append(make("line", {x1: n1(at), x2: n1(at), y1: 56, y2: height - 20, class: "axis"}));
      const title = write(at, i % 2 ? 40 : 20, cut(axis.title, 2 * spacing - 16), {class: "title middle"});
      svg.append(title);
      for (const mark of scales[i].marks)
        svg.append(write(at - 6, mark.at + 4, cut(mark.text, (i ? spacing : 60) - 8), {class: "tick end halo"}));
    }
  });
}

function draw(holder) {
  const figure = FIGURES[holder.dataset.figure], place = holder.querySelector(".plot");
  const width = Math.floor(place.clientWidth);
  if (!figure || width < 50) return;
  const height = figure.kind === "bars" ? barsHeight(figure) : figure.kind === "parallel" ? parallelHeight(figure, width) : figure.height;
  const svg = make("svg", {viewBox: `0 0 ${width} ${height}`, width, height, role: "img", tabindex: 0, "aria-label": figure.alt});
  svg.append(make("title", {}, figure.alt));
  const hits = [];
  ({xy, bars, parallel})[figure.kind](figure, svg, width, height, hits);
  svg.removeChild(svg.firstChild); // the label says it, and a title would hide what the pointer finds
  place.style.minHeight = `${height}px`;
  place.replaceChildren(svg);
  place.hits = hits.sort((a, b) => a.x - b.x);
}
