"use strict";

// Charts of what each policy admits and refuses a second.

const POINTS = 150; // five minutes
const MINUTE_MS = 60000;

// The next point of a policy: requests a second since the last answer.
function remember(policy, now_ms) {
  const name = `${policy.zone}/${policy.name}`;
  const series = known.rates.get(name) ?? { last: null, points: [] };
  known.rates.set(name, series);
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
  series.points.push({
    ms: now_ms,
    seconds,
    admitted: (counts.admitted - last.admitted) / seconds,
    refused: (counts.refused - last.refused) / seconds,
    dry: (counts.refused_dry_run - last.refused_dry_run) / seconds,
  });
  if (series.points.length > POINTS) {
    series.points.shift();
  }
  return series;
}

// What a policy decided in the last minute, as far as this page has seen it.
function lastMinute(policy, now_ms) {
  const { points } = known.rates.get(`${policy.zone}/${policy.name}`);
  const sum = { admitted: 0, refused: 0, dry: 0 };
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
function draw(chart, points, now_ms) {
  const top = Math.max(1, ...points.map((p) => p.admitted + p.refused + p.dry));
  const x = (p) => 300 - (now_ms - p.ms) / (POINTS * EVERY_MS) * 300;
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
