// Scales: from values to places on the screen, the marks along an axis, and how wide texts are. Nothing here changes the page.

const PEN = document.createElement("canvas").getContext("2d");
PEN.font = "12px system-ui, sans-serif"; // of pictures, in page.css

const wide = text => PEN.measureText(text).width;

// Return a text that is at most so many pixels wide.
function cut(text, room) {
  const all = wide(text);
  if (all <= room) return text;
  const letters = [...text];
  let n = Math.min(letters.length, Math.ceil(letters.length * room / all) + 2);
  while (n > 1 && wide(letters.slice(0, n).join("") + "…") > room) n -= 1;
  return letters.slice(0, n).join("") + "…";
}

// Return a number as a person writes it, with the digits that tell neighbours `step` apart.
function say(value, step) {
  if (value === 0) return "0";
  const size = Math.abs(value), digits = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9 + (isRound(step) ? 0 : 1)));
  if (size >= 1e9 || size < 1e-4) return Number(value.toPrecision(3)).toExponential().replace("e+", "e");
  if (size >= 1e6) return Number((value / 1e6).toPrecision(4)) + "M";
  if (size >= 1e4) return Number((value / 1e3).toPrecision(4)) + "k";
  return value.toFixed(Math.min(digits, 8));
}

const isRound = step => Math.abs(Math.log10(step) - Math.round(Math.log10(step))) < 1e-9 || step % 1 === 0
  || Math.abs(step * 10 ** Math.ceil(-Math.log10(step)) % 1) < 1e-9;

function sayTime(seconds, step) {
  if (seconds === 0) return "0";
  if (step >= 86400) return Math.round(seconds / 86400) + " d";
  if (step >= 3600) return Math.round(seconds / 3600) + " h";
  if (step >= 60) {
    const minutes = Math.round(seconds / 60);
    return minutes < 60 ? minutes + " min" : Math.floor(minutes / 60) + " h" + (minutes % 60 ? " " + minutes % 60 : "");
  }
  if (seconds >= 60 && step >= 1) return Math.floor(seconds / 60) + ":" + String(Math.round(seconds % 60)).padStart(2, "0");
  return say(seconds, step) + " s";
}

const TIMES = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];

function stepOf(axis, n) {
  const rough = (axis.high - axis.low) / Math.max(1, n);
  if (axis.scale === "time" && rough > 0.5)
    return TIMES.find(step => step >= rough) || 86400 * Math.ceil(rough / 86400);
  const power = 10 ** Math.floor(Math.log10(rough));
  const round = axis.whole && power < 10 ? [1, 2, 5, 10] : [1, 2, 2.5, 5, 10];
  const step = power * round.find(times => power * times >= rough * 0.999);
  return axis.whole ? Math.max(1, Math.round(step)) : step;
}

function steps(axis, n) {
  const step = stepOf(axis, n), found = [];
  for (let i = Math.ceil(axis.low / step - 1e-9); i * step <= axis.high + 1e-9 * step && found.length < 100; i++)
    found.push({value: i * step, text: axis.scale === "time" ? sayTime(i * step, step) : say(i * step, step)});
  return found;
}

function powers(axis, n) {
  const found = [], low = Math.ceil(Math.log10(axis.low) - 1e-9), high = Math.floor(Math.log10(axis.high) + 1e-9);
  const every = Math.max(1, Math.ceil((high - low + 1) / Math.max(2, n)));
  for (let power = low; power <= high; power += every) found.push(10 ** power);
  if (found.length < 2) {
    for (let power = low - 1; power <= high; power++)
      for (const times of [1, 2, 5]) found.push(times * 10 ** power);
  }
  const inside = [...new Set(found)].filter(v => v >= axis.low * (1 - 1e-9) && v <= axis.high * (1 + 1e-9));
  const values = inside.length ? inside : [axis.low, axis.high];
  return values.sort((a, b) => a - b).map(value => ({value, text: say(value, 10 ** Math.floor(Math.log10(value)))}));
}

const GAP = 44; // pixels for what does not apply

// Return `at(value)` and the marks of an axis between two places in pixels; `room` is what a mark needs.
function scaleOf(axis, from, to, room) {
  const bend = axis.scale === "log" ? v => Math.log10(Math.max(v, 1e-300))
    : axis.scale === "reverse_log" ? v => -Math.log10(Math.max(axis.low + axis.high - v, 1e-300)) : v => v;
  const start = from + (axis.gap ? Math.sign(to - from) * GAP : 0);
  const low = bend(axis.low), high = bend(axis.high);
  const part = value => Math.min(1, Math.max(0, (bend(value) - low) / (high - low || 1)));
  const at = value => (value === null ? (axis.gap ? from + Math.sign(to - from) * 8 : axis.worse ? to : from) : start + part(value) * (to - start));
  const n = Math.max(2, Math.floor(Math.abs(to - start) / room));
  let marks;
  if (axis.scale === "category") {
    const labels = axis.labels || [], every = Math.max(1, Math.ceil(labels.length / Math.max(1, Math.abs(to - start) / 18)));
    marks = labels.map((text, i) => ({at: at(i), text})).filter((_, i) => i % every === 0);
  } else {
    marks = (axis.scale === "log" ? powers(axis, n) : steps(axis, n)).map(m => ({at: at(m.value), text: m.text}));
  }
  if (axis.gap) marks.unshift({at: at(null), text: "—", gap: true});
  return {at, marks, start, end: to, isCategory: axis.scale === "category"};
}
