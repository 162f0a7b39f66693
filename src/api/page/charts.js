"use strict";

// Charts of what each policy admits and refuses a second, in the last hour.

const MINUTE_MS = 60000;
const HOUR_MS = 60 * MINUTE_MS;
const STEP_S = 10; // as the server's own samples

const seriesName = (policy) => `${policy.zone}/${policy.name}`;

// What the server has kept of the last hour, before this page asked.
function rememberPast(history) {
  for (const policy of history.policies) {
    const points = policy.samples.map(([at, seconds, admitted, refused, dry]) =>
      ({ ms: at * 1000, seconds, admitted: admitted / seconds,
        refused: refused / seconds, dry: dry / seconds }));
    known.rates.set(seriesName(policy), { last: null, now: NOTHING, points });
  }
}

const NOTHING = { admitted: 0, refused: 0, dry: 0 };

// Adds a point, to the last one as long as that is shorter than a step.
function addPoint(points, point) {
  const before = points[points.length - 1];
  const seconds = before ? before.seconds + point.seconds : Infinity;
  if (seconds > STEP_S) {
    points.push({ ...point });
    return;
  }
  for (const what of Object.keys(NOTHING)) {
    before[what] = (before[what] * before.seconds + point[what] * point.seconds)
      / seconds;
  }
  before.ms = point.ms;
  before.seconds = seconds;
}

// The next point of a policy: requests a second since the last answer.
function remember(policy, now_ms) {
  const series = known.rates.get(seriesName(policy))
    ?? { last: null, now: NOTHING, points: [] };
  known.rates.set(seriesName(policy), series);
  const counts = policy.requests;
  const last = series.last;
  series.last = { ms: now_ms, ...counts };
  // Another worker's clock may be a little behind; a restart begins anew.
  if (!last || now_ms <= last.ms) {
    return series;
  }
  if (counts.admitted < last.admitted || counts.refused < last.refused) {
    series.points = [];
    return series;
  }
  const seconds = (now_ms - last.ms) / 1000;
  series.now = {
    ms: now_ms,
    seconds,
    admitted: (counts.admitted - last.admitted) / seconds,
    refused: (counts.refused - last.refused) / seconds,
    dry: (counts.refused_dry_run - last.refused_dry_run) / seconds,
  };
  addPoint(series.points, series.now);
  if (now_ms - series.points[0].ms > HOUR_MS) {
    series.points.shift();
  }
  return series;
}

// What a policy decided in about the last minute.
function lastMinute(policy, now_ms) {
  const { points } = known.rates.get(seriesName(policy));
  const sum = { ...NOTHING };
  for (const point of points.filter((p) => now_ms - p.ms < MINUTE_MS)) {
    for (const what of Object.keys(sum)) {
      sum[what] += point[what] * point.seconds;
    }
  }
  return sum;
}

function svg(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  return element;
}

function makeChart() {
  const chart = svg("svg", { viewBox: "0 0 300 100",
    preserveAspectRatio: "none", role: "img" });
  for (const kind of ["admitted", "refused", "dry"]) {
    chart.append(svg("path", { class: kind }));
  }
  return chart;
}

// Returns the top of the chart's scale: admitted, and refused on top of it.
function draw(chart, ends, now_ms) {
  // A point is where its span ends; the first one begins somewhere as well.
  const points = ends.slice(0, 1).map((p) =>
    ({ ...p, ms: p.ms - 1000 * p.seconds })).concat(ends);
  const top = Math.max(1, ...points.map((p) => p.admitted + p.refused + p.dry));
  const x = (p) => 300 - (now_ms - p.ms) / HOUR_MS * 300;
  const y = (value) => 99 - value / top * 95;
  const line = (value) => points.map((p) =>
    `${x(p).toFixed(1)},${y(value(p)).toFixed(1)}`);
  const area = (upper, lower) => points.length < 2 ? ""
    : `M${line(upper).join("L")}L${line(lower).reverse().join("L")}Z`;
  const all = (p) => p.admitted + p.refused;

  const [admitted, refused, dry] = chart.children;
  admitted.setAttribute("d", area((p) => p.admitted, () => 0));
  refused.setAttribute("d", points.some((p) => p.refused > 0)
    ? area(all, (p) => p.admitted) : "");
  dry.setAttribute("d", points.some((p) => p.dry > 0)
    ? `M${line((p) => p.dry).join("L")}` : "");
  return top;
}
