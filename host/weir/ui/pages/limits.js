// Limits: what is allowed, what is used of it now, and when that is back; the nearest first.

import * as api from "../api.js";
import { badge, card, empty, fill, h, name, table } from "../dom.js";
import * as format from "../format.js";

const SHOWN = 25;
/** From this part on a limit is near. */
const NEAR = 0.8;
const RESOURCES = {
  requests: "requests a minute",
  tokens: "tokens a minute",
  input_tokens: "input tokens a minute",
  output_tokens: "output tokens a minute",
  streams: "streams at a time",
  concurrency: "requests at a time",
  queue: "requests that wait",
  sessions: "sessions at a time",
  buffered_bytes: "bytes in memory",
};
const OWNERS = { key: "/ui/keys/", team: "/ui/teams/", organisation: "/ui/organisations/" };

const is_used_up = (item) => item.left === 0;
const is_near = (item) => is_used_up(item) || item.used_part >= NEAR;

/** A card with the limits that are nearest, and a function that reads them again. */
export function limits(signal) {
  const place = h("div", { class: "stack" });
  return [card("Limits", place), async () => {
    const page = await api.get("/admin/v1/limits", { sort: "used", limit: SHOWN }, signal);
    if (!signal.aborted) fill(place, shown(page));
  }];
}

function shown({ items, more }) {
  if (items.length === 0) {
    return empty("Nothing is limited.", "Set ", h("code", null, "limits"), " of a client, a key, a team, a model or a provider, or ", h("code", null, "max_concurrency"), ".");
  }
  const near = items.filter(is_near).length;
  return [
    h("p", null, near ? badge("warn", `${near === SHOWN ? "at least " : ""}${format.count(near)} near`) : badge("good", "none near"),
      " ", h("span", { class: "muted" }, `the nearest first; near is ${100 * NEAR} % and more`)),
    table("Limits in force, the nearest first", [
      { title: "Whose", cell: owner },
      { title: "Limit", cell: (item) => [amount(item, item.limit), " ", h("span", { class: "muted" }, RESOURCES[item.resource] ?? item.resource)] },
      { title: "Used now", cell: meter },
      { title: "Left", number: true, wide: true, cell: (item) => amount(item, item.left) },
      { title: "All back in", number: true, wide: true, cell: (item) => (item.back_in === null ? h("span", { class: "muted" }, "as they end") : item.back_in > 0 ? format.duration(1000 * item.back_in) : "–") },
    ], items),
    more > 0 && h("p", { class: "hint" }, `${format.count(more)} more are not as near and not listed.`),
  ];
}

const amount = (item, value) => (item.resource === "buffered_bytes" ? format.bytes(value) : format.brief(value));

function owner(item) {
  if (item.scope === "server") return "All requests";
  const link = OWNERS[item.scope] && h("a", { href: OWNERS[item.scope] + encodeURIComponent(item.name) }, name(item.title ?? item.name, 32));
  return [link ?? name(item.name, 32), " ", h("span", { class: "muted" }, item.scope, item.title && item.team && [" of ", name(item.team, 24)])];
}

/** The used part as a bar, with its figure: the colour is not the only sign. */
function meter(item) {
  const percent = item.used_part > 0 && item.used_part < 0.01 ? "<1 %" : `${Math.floor(100 * item.used_part)} %`;
  const bar = h("span", null);
  bar.style.inlineSize = `${Math.min(100, 100 * item.used_part)}%`;
  const kind = is_used_up(item) ? "bad" : is_near(item) ? "warn" : "";
  return h("span", { class: "meter" },
    h("span", { class: `bar ${kind}`, role: "img", "aria-label": `${percent} used` }, bar),
    h("span", { class: "number" }, is_used_up(item) ? badge("bad", "used up") : percent, " ", h("span", { class: "muted" }, amount(item, item.used))));
}
