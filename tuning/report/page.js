// The page: pictures that follow the window, what is pointed at, the table, downloads, and a page that is kept up to date.

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const tip = document.getElementById("tip"), spoken = document.getElementById("spoken");

// Pointing ------------------------------------------------------------------------------------------------

function point(hit, svg) {
  all(".hot").forEach(one => one.classList.remove("hot"));
  if (!hit) { tip.hidden = true; return; }
  const said = [hit.say, hit.trial !== undefined ? TIPS[hit.trial] || `trial ${hit.trial}` : ""].filter(Boolean).join("\n");
  if (hit.trial !== undefined) all(`[data-t="${hit.trial}"]`).forEach(one => one.classList.add("hot"));
  tip.textContent = said;
  tip.hidden = false;
  const at = svg.getBoundingClientRect(), wide = document.documentElement.clientWidth;
  const x = Math.min(at.left + hit.x + 14, wide - tip.offsetWidth - 8), y = at.top + hit.y + 14;
  tip.style.left = `${Math.max(4, x)}px`;
  tip.style.top = `${y + tip.offsetHeight > innerHeight ? Math.max(4, y - tip.offsetHeight - 28) : y}px`;
  return said;
}

function nearest(hits, x, y) {
  let found = null, least = 26 ** 2;
  for (const hit of hits) {
    const far = (hit.x - x) ** 2 + (hit.y - y) ** 2;
    if (far < least) { least = far; found = hit; }
  }
  return found;
}

function listen(place) {
  place.addEventListener("pointermove", event => {
    const svg = place.firstElementChild, at = svg && svg.getBoundingClientRect();
    if (svg) point(nearest(place.hits, event.clientX - at.left, event.clientY - at.top), svg);
  });
  place.addEventListener("pointerleave", () => point(null));
  place.addEventListener("focusout", () => point(null));
  place.addEventListener("keydown", event => {
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (!step || !place.hits.length) return;
    event.preventDefault();
    place.at = ((place.at === undefined ? (step > 0 ? -1 : 0) : place.at) + step + place.hits.length) % place.hits.length;
    spoken.textContent = point(place.hits[place.at], place.firstElementChild);
  });
}

// Downloads -----------------------------------------------------------------------------------------------

const LOOKS = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "opacity", "fill-opacity", "font", "text-anchor", "paint-order"];

// Return the picture as a file of its own: what the page's style makes of each element is written into it.
function alone(svg) {
  const copy = svg.cloneNode(true), theirs = all("*", copy);
  all("*", svg).forEach((one, i) => {
    const style = getComputedStyle(one);
    theirs[i].setAttribute("style", LOOKS.map(look => `${look}:${style.getPropertyValue(look)}`).join(";"));
    theirs[i].removeAttribute("class");
  });
  copy.setAttribute("xmlns", NS);
  copy.style.background = getComputedStyle(document.body).getPropertyValue("--paper");
  return new XMLSerializer().serializeToString(copy);
}

function hand(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function download(holder, format) {
  const svg = holder.querySelector(".plot svg"), name = `${document.title.split(":")[0]}-${holder.dataset.figure}.${format}`;
  const blob = new Blob([alone(svg)], {type: "image/svg+xml"});
  if (format === "svg") { hand(blob, name); return; }
  const image = new Image(), canvas = document.createElement("canvas"), box = svg.viewBox.baseVal;
  image.onload = () => {
    canvas.width = 2 * box.width;
    canvas.height = 2 * box.height;
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    canvas.toBlob(made => hand(made, name));
    URL.revokeObjectURL(image.src);
  };
  image.src = URL.createObjectURL(blob);
}

// The table -----------------------------------------------------------------------------------------------

const cellValue = (row, i) => {
  const cell = row.cells[i], text = cell.dataset.v || cell.textContent;
  return text === "" ? null : isNaN(text) ? text : Number(text);
};

function sort(table, i, isFalling) {
  const body = table.tBodies[0], sign = isFalling ? -1 : 1;
  const rows = [...body.rows].map(row => [cellValue(row, i), Number(row.dataset.i), row]);
  rows.sort(([a, i1], [b, i2]) => {
    if (a === b) return i1 - i2;
    if (a === null || b === null) return a === null ? 1 : -1; // what is not there comes last
    if (typeof a === typeof b) return (a < b ? -1 : 1) * sign;
    return typeof a === "number" ? -1 : 1;
  });
  body.append(...rows.map(row => row[2]));
  all("th", table.tHead).forEach((th, j) => (j === i ? th.setAttribute("aria-sort", isFalling ? "descending" : "ascending") : th.removeAttribute("aria-sort")));
}

// Return a test of a row for one word: NAME=TEXT, NAME<NUMBER, ... or text that stands anywhere.
function testOf(word, heads) {
  const match = /^(.+?)(<=|>=|!=|=|<|>)(.+)$/.exec(word), i = match ? heads.indexOf(match[1].toLowerCase()) : -1;
  if (i < 0) return row => row.textContent.toLowerCase().includes(word);
  const [, , sign, wanted] = match, number = Number(wanted);
  return row => {
    const value = cellValue(row, i), text = row.cells[i].textContent.toLowerCase();
    if (sign === "=") return text === wanted || value === number;
    if (sign === "!=") return text !== wanted && value !== number;
    if (typeof value !== "number" || isNaN(number)) return false;
    return {"<": value < number, "<=": value <= number, ">": value > number, ">=": value >= number}[sign];
  };
}

function filter(table, text) {
  const heads = all("th", table.tHead).map(th => th.textContent.trim().toLowerCase());
  const tests = text.toLowerCase().split(/\s+/).filter(Boolean).map(word => testOf(word, heads));
  const left = new Set(), rows = [...table.tBodies[0].rows];
  for (const row of rows) {
    row.hidden = !tests.every(test => test(row));
    if (!row.hidden) left.add(row.dataset.t);
  }
  document.getElementById("matching").textContent = tests.length ? `${left.size} of ${rows.length}` : "";
  all("svg [data-t]").forEach(one => one.classList.toggle("out", tests.length > 0 && !left.has(one.dataset.t)));
}

// Beginning, and again when the page is brought up to date ---------------------------------------------------

const redraw = new ResizeObserver(entries => entries.forEach(({target}) => {
  const width = Math.floor(target.clientWidth);
  if (width !== target.drawnAt) { target.drawnAt = width; draw(target.closest("figure")); refilter(); }
}));

const refilter = () => {
  const box = document.getElementById("filter");
  if (box && box.value) filter(document.getElementById("trials"), box.value);
};

function begin() {
  for (const holder of all("figure[data-figure]")) {
    const place = holder.querySelector(".plot");
    draw(holder);
    place.drawnAt = Math.floor(place.clientWidth);
    listen(place);
    redraw.observe(place);
    all("button[data-format]", holder).forEach(button => button.addEventListener("click", () => download(holder, button.dataset.format)));
  }
  const table = document.getElementById("trials"), box = document.getElementById("filter");
  if (!table) return;
  all("th button", table).forEach((button, i) => button.addEventListener("click", () =>
    sort(table, i, button.parentElement.getAttribute("aria-sort") === "ascending")));
  box.addEventListener("input", () => filter(table, box.value));
}

async function renew(seconds) {
  let next = seconds, tag = document.documentElement.dataset.tag;
  const begun = performance.now();
  try {
    const answer = await fetch(location.href, {headers: tag ? {"If-None-Match": tag} : {}, cache: "no-store"});
    if (answer.status === 200) {
      document.documentElement.dataset.tag = answer.headers.get("ETag");
      take(new DOMParser().parseFromString(await answer.text(), "text/html"));
    }
    document.body.classList.remove("alone");
    next = Math.max(seconds, (performance.now() - begun) / 333); // at most a quarter of the time is spent on it
  } catch {
    document.body.classList.add("alone"); // the server has ended; what is there stays
  }
  setTimeout(renew, 1000 * next, seconds);
}

function take(newer) {
  const box = document.getElementById("filter"), text = box ? box.value : "", isOn = document.activeElement === box;
  const open = new Set(all("details[open]").map(one => one.id)), sorted = all("th[aria-sort]").map(th => [th.cellIndex, th.getAttribute("aria-sort")]);
  const data = JSON.parse(newer.getElementById("data").textContent);
  for (const [mine, theirs] of [[FIGURES, data.figures], [TIPS, data.tips]]) {
    for (const name of Object.keys(mine)) delete mine[name];
    Object.assign(mine, theirs);
  }
  redraw.disconnect();
  const scroller = document.querySelector(".wide.trials"), across = scroller ? scroller.scrollLeft : 0, at = scrollY;
  document.querySelector("main").replaceWith(document.adoptNode(newer.querySelector("main")));
  all("details").forEach(one => { if (open.has(one.id)) one.open = true; });
  begin();
  const table = document.getElementById("trials"), again = document.getElementById("filter");
  for (const [i, way] of table ? sorted : []) sort(table, i, way === "descending");
  if (again && text) { again.value = text; filter(table, text); }
  if (again && isOn) again.focus();
  const wide = document.querySelector(".wide.trials");
  if (wide) wide.scrollLeft = across;
  scrollTo(0, at);
}

addEventListener("beforeprint", () => all("figure[data-figure]").forEach(draw));
addEventListener("keydown", event => { if (event.key === "Escape") point(null); });
begin();
if (document.documentElement.dataset.live) setTimeout(renew, 2000, Number(document.documentElement.dataset.live));
