// What it cost, what was asked, what failed and how long it took, against the time before.

import * as api from "../api.js";
import { chart } from "../chart.js";
import { add, badge, card, empty, fill, h, name, table } from "../dom.js";
import * as format from "../format.js";

const HOUR = 3_600_000;
const PERIODS = { "24h": ["24 hours", 24], "7d": ["7 days", 168], "30d": ["30 days", 720] };
/** How often the figures are read again. */
const EVERY = 15_000;

export default async function overview(place, { signal, query, now }) {
  const chosen = PERIODS[query.get("period")] ? query.get("period") : "24h";
  const [words, hours] = PERIODS[chosen];
  const periods = h("div", { class: "switch", role: "group", "aria-label": "Time" }, Object.entries(PERIODS).map(([id, [text]]) =>
    h("a", { href: `/ui/?period=${id}`, "aria-current": id === chosen ? "true" : undefined }, text)));
  const figures = h("div", { class: "stack" });
  add(place, [h("div", { class: "title" }, h("h1", null, "Overview"), periods), figures, await live(signal)]);
  await load();
  const timer = setInterval(() => document.hidden || place.querySelector("details[open]") || load().catch(() => {}), EVERY);
  signal.addEventListener("abort", () => clearInterval(timer));

  async function load() {
    const to = Math.ceil((now() + 1) / HOUR) * HOUR;
    const span = { from: to - hours * HOUR, to };
    const [sums, keys, teams] = await Promise.all([
      api.get("/admin/v1/overview", span, signal),
      api.get("/admin/v1/usage", { by: "key", top: 8, ...span }, signal),
      api.get("/admin/v1/usage", { by: "team", top: 8, ...span }, signal),
    ]);
    if (!signal.aborted) fill(figures, shown(sums, keys, teams, words, hours, span));
  }
}

function shown(sums, keys, teams, words, hours, span) {
  if (sums.now.requests === 0 && sums.before.requests === 0) {
    return empty("No request in this time.",
      "Send one to this gateway, and it appears here within a second or two. ", h("code", null, "GET /"), " of the clients' address lists the endpoints.");
  }
  const points = grouped(sums.hours, hours > 48 ? 24 : 1);
  return [
    tiles(sums.now, sums.before, words),
    h("div", { class: "pair" },
      h("div", { class: "card" }, chart("Cost", points, [{ label: "Cost", colour: "accent", bars: true, value: (point) => point.cost }], (value) => (value === null ? "–" : format.dollars(value * 1e9)))),
      h("div", { class: "card" }, chart("Requests", points, [
        { label: "All", colour: "accent", bars: true, value: (point) => point.requests },
        { label: "Failed", colour: "bad", bars: true, value: (point) => point.failed },
      ], format.brief))),
    h("div", { class: "card" }, chart("Time to the first token", points, [
      { label: "Median", colour: "accent", value: (point) => point.first50 },
      { label: "99 of 100 are faster", colour: "accent-2", value: (point) => point.first99 },
    ], format.duration)),
    h("div", { class: "pair" },
      card("Models", groups(sums.models, "model", span)),
      card("Providers", groups(sums.providers, "provider", span))),
    h("div", { class: "pair" },
      card("Teams", spenders(teams, "team", span)),
      card("Keys", spenders(keys, "key", span))),
  ];
}

/** The hours as points of the charts, or the days made of them. */
function grouped(hours, size) {
  const points = [];
  for (let at = 0; at < hours.length; at += size) {
    const part = hours.slice(at, at + size);
    const sum = (read) => part.reduce((all, hour) => all + read(hour), 0);
    // Medians cannot be added; the busiest hour stands for a day.
    const busiest = part.reduce((most, hour) => (hour.requests > most.requests ? hour : most), part[0]);
    points.push({
      at: Date.parse(part[0].start) / 1000,
      cost: sum((hour) => hour.cost_nano) / 1e9,
      requests: sum((hour) => hour.requests),
      failed: sum((hour) => hour.failed),
      first50: busiest.first_token_ms.p50,
      first99: busiest.first_token_ms.p99,
    });
  }
  return points;
}

function tiles(now, before, words) {
  const used = format.tokens(now.tokens);
  const then = format.tokens(before.tokens);
  const part = (sums) => (sums.requests ? sums.failed / sums.requests : null);
  // What failed has no usage, so it needs no price.
  const lacking = now.unpriced_requests - now.failed;
  const unpriced = lacking > 0 && `for ${format.count(lacking)} requests no price is known`;
  return h("div", { class: "tiles" },
    tile("Cost", format.dollars(now.cost_nano), change(now.cost_nano, before.cost_nano, words), unpriced),
    tile("Requests", format.brief(now.requests), change(now.requests, before.requests, words)),
    tile("Failed", format.share(now.failed, now.requests), change(part(now), part(before), words, "bad"), `${format.count(now.failed)} requests`),
    tile("Tokens", format.brief(used.input + used.output), change(used.input + used.output, then.input + then.output, words), `${format.brief(used.input)} in, ${format.brief(used.output)} out`),
    tile("First token", format.duration(now.first_token_ms.p50), change(now.first_token_ms.p50, before.first_token_ms.p50, words, "bad"), `99 of 100 within ${format.duration(now.first_token_ms.p99)}`),
    tile("Whole answer", format.duration(now.took_ms.p50), change(now.took_ms.p50, before.took_ms.p50, words, "bad"), `99 of 100 within ${format.duration(now.took_ms.p99)}`));
}

function tile(title, value, ...more) {
  return h("section", { class: "tile" }, h("h2", null, title), h("p", { class: "figure" }, value), more.filter(Boolean).map((text) => h("p", { class: "hint" }, text)));
}

/** The change against the time before. More is neither good nor bad, except where `rise` says so. */
function change(now, before, words, rise) {
  if (before === null || before === undefined || now === null || now === undefined) return h("span", { class: "muted" }, `nothing in the ${words} before`);
  const part = before ? now / before - 1 : now ? Infinity : 0;
  if (Math.abs(part) < 0.005) return h("span", { class: "muted" }, `as in the ${words} before`);
  if (part === Infinity) return h("span", { class: rise ? "worse" : "muted" }, `▲ none in the ${words} before`);
  const percent = part >= 9.995 ? `${(part + 1).toFixed(0)} times that of` : `${Math.abs(100 * part).toFixed(Math.abs(part) < 0.1 ? 1 : 0)} % ${part > 0 ? "more" : "less"} than`;
  // Small changes of times and shares are noise.
  const kind = rise && Math.abs(part) > 0.1 ? (part > 0 ? "worse" : "better") : "muted";
  return h("span", { class: kind }, part > 0 ? "▲ " : "▼ ", percent, h("span", { class: "unseen" }, ` in the ${words}`), " before");
}

function groups({ items, more }, kind, span) {
  if (items.length === 0) return empty("None in this time.");
  const link = (item) => (item.name
    ? h("a", { href: api.url("/ui/requests", { [kind]: item.name, from: new Date(span.from).toISOString() }) }, name(item.name, 36))
    : h("span", { class: "muted" }, kind === "model" ? "no model answered" : "no provider was asked"));
  return [table(`By ${kind}`, [
    { title: kind === "model" ? "Model" : "Provider", cell: link },
    { title: "Requests", number: true, cell: (item) => format.brief(item.requests) },
    { title: "Failed", number: true, cell: (item) => (item.failed ? h("span", { class: "worse" }, format.share(item.failed, item.requests)) : "0 %") },
    { title: "First token", number: true, wide: true, cell: (item) => format.duration(item.first_token_ms.p50) },
    { title: "Answer", number: true, wide: true, cell: (item) => format.duration(item.took_ms.p50) },
    { title: "Cost", number: true, cell: (item) => format.dollars(item.cost_nano) },
  ], items), more > 0 && h("p", { class: "hint" }, `${more} more are not listed.`)];
}

function spenders({ items, more }, kind, span) {
  if (items.length === 0) {
    return kind === "team"
      ? empty("No team used anything.", "Give a key a team, and its use is summed here.")
      : empty("No key used anything.");
  }
  const link = (item) => (item.name ? h("a", { href: api.url("/ui/requests", { [kind]: item.name, from: new Date(span.from).toISOString() }) }, name(item.title ?? item.name, 36)) : h("span", { class: "muted" }, "without a key"));
  return [table(`By ${kind}`, [
    { title: kind === "team" ? "Team" : "Key", cell: link },
    { title: "Requests", number: true, cell: (item) => format.brief(item.requests) },
    { title: "Tokens", number: true, wide: true, cell: (item) => { const used = format.tokens(item.tokens); return format.brief(used.input + used.output); } },
    { title: "Cost", number: true, cell: (item) => format.dollars(item.cost_nano) },
  ], items), more > 0 && h("p", { class: "hint" }, `${more} more are not listed.`)];
}

/** The requests that end now. */
async function live(signal) {
  const most = 8;
  const list = h("ol", { class: "live" });
  const count = h("p", { class: "hint" }, "Waiting for the next request.");
  const seen = [];
  api.follow({ per_second: 4 }, signal, (fact) => {
    note(1);
    const status = badge(fact.error_kind ? "bad" : fact.outcome === "ok" ? "good" : "warn", String(fact.status));
    list.prepend(h("li", null, h("a", { href: `/ui/requests/${fact.id}` }, h("span", { class: "number" }, format.time(fact.time, api.now())), status,
      name(fact.model_asked || "no model", 32), h("span", { class: "number" }, format.micros(fact.total_us)), h("span", { class: "number" }, format.dollars(fact.cost_nano)))));
    while (list.children.length > most) list.lastChild.remove();
  }, note);
  function note(added) {
    seen.push([Date.now(), added]);
    while (seen.length && seen[0][0] < Date.now() - 60_000) seen.shift();
    const sum = seen.reduce((all, [, one]) => all + one, 0);
    fill(count, `${format.count(sum)} in the last minute; at most four a second are listed.`);
  }
  return card("Live", count, list);
}
