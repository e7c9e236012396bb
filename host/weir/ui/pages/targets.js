// Targets: which can be used now, which rest and why, how near the limits are, and where a request would go.

import * as api from "../api.js";
import { add, badge, card, empty, field, fill, h, name, table } from "../dom.js";
import * as format from "../format.js";
import { limits } from "./limits.js";

/** How often the page is read again. */
const EVERY = 2_000;
const KINDS = { ok: "good", resting: "warn", unavailable: "bad" };
const BREAKERS = { closed: "plain", "half-open": "warn", half_open: "warn", open: "bad" };

export default async function targets(place, { signal }) {
  const list = h("div", { class: "stack" });
  const [near, load_limits] = limits(signal);
  // Who may use some teams only sees their limits, and none of the rest.
  const is_all = api.who()?.access !== "teams";
  add(place, [h("h1", null, "Targets"), is_all && list, near, is_all && card("Where would a request go?", route())]);
  await load();
  const again = () => document.hidden || is_read(list) || is_read(near) || load().catch(() => {});
  const timer = setInterval(again, EVERY);
  signal.addEventListener("abort", () => clearInterval(timer));

  async function load() {
    await Promise.all([load_limits(), is_all && load_targets()]);
  }

  async function load_targets() {
    const [models, ready] = await Promise.all([api.get("/admin/v1/targets", {}, signal), health(signal)]);
    if (signal.aborted) return;
    fill(list, well(ready), models.items.length === 0
      ? empty("No model is configured.", "Add ", h("code", null, "[[providers]]"), " and ", h("code", null, "[[models]]"), " to the configuration.")
      : h("div", { class: "card" }, shown(models.items)));
  }
}

/** Whether the keyboard is in a part of the page, which is not replaced then. */
const is_read = (part) => part.querySelector(":focus-visible") !== null;

/** The readiness page, which answers 503 while it is not ready. */
async function health(signal) {
  const answer = await fetch("/ready", { signal, cache: "no-store" }).catch(() => null);
  return answer?.json().catch(() => null);
}

function well(ready) {
  if (!ready?.status) return null;
  const store = ready.store ?? {};
  const kind = { ready: "good", degraded: "warn", draining: "bad" }[ready.status] ?? "plain";
  const parts = store.kind === "none" ? "no store" : `store ${store.kind}: log ${store.log}, money ${store.money}, keys ${store.keys}`;
  const lost = (...kinds) => kinds.flatMap((what) => Object.values(store.dropped_by_reason?.[what] ?? {})).reduce((sum, count) => sum + count, 0);
  const drops = [[lost("fact"), "facts"], [lost("body", "exchange"), "contents"]].filter(([count]) => count > 0);
  const words = drops.map(([count, what]) => `, ${format.count(count)} ${what} were dropped`);
  return h("p", null, badge(kind, ready.status), " ", h("span", { class: "muted" }, parts, words));
}

function shown(models) {
  const rows = models.flatMap(({ model, targets }) => targets.map((target, at) => ({ ...target, alias: model, at })));
  return table("Targets of each model, in the order of the configuration", [
    { title: "Model", cell: (row) => (row.at === 0 ? h("b", null, name(row.alias)) : h("span", { class: "unseen" }, name(row.alias))) },
    { title: "Provider", cell: (row) => name(row.provider) },
    { title: "Its model", wide: true, cell: (row) => name(row.model) },
    { title: "State", cell: (row) => [badge(KINDS[row.status] ?? "plain", row.status), row.reason && h("span", { class: "hint long" }, " ", row.reason), row.retry_after > 0 && h("span", { class: "hint" }, `, again in ${format.duration(1000 * row.retry_after)}`)] },
    { title: "Breaker", wide: true, cell: (row) => row.breaker && badge(BREAKERS[row.breaker] ?? "plain", row.breaker) },
    { title: "Keys", number: true, wide: true, cell: (row) => row.keys && (row.keys.length > 1 ? `${row.keys.filter((key) => key.status === "ok").length} of ${row.keys.length}` : row.keys.length) },
    { title: "In flight", number: true, cell: (row) => format.count(row.in_flight) },
    { title: "First piece", number: true, cell: (row) => format.duration(row.first_piece_ms) },
  ], rows, { caption: true });
}

/** Asks where a request for a model would go. */
function route() {
  const result = h("div", { role: "status", class: "stack" });
  const model = h("input", { name: "model", required: true, autocomplete: "off", spellcheck: "false" });
  const session = h("input", { name: "session", autocomplete: "off", spellcheck: "false" });
  const form = h("form", { class: "filters" }, field("Model", model), field("Session", session), h("div", { class: "buttons" }, h("button", { class: "primary" }, "Explain")));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const explained = await api.send("POST", "/admin/v1/routes/explain", { model: model.value, ...(session.value && { session: session.value }) });
      fill(result, order(explained));
    } catch (error) {
      fill(result, h("p", { class: "error" }, error.message));
    }
  });
  return [form, result];
}

function order({ alias, strategy, targets }) {
  return [h("p", null, "The model ", h("b", null, name(alias)), " with the strategy ", h("b", null, strategy), "."), table("Targets in the order in which they would be tried", [
    { title: "Place", cell: (target) => target.place ?? "not tried" },
    { title: "Provider", cell: (target) => name(target.provider) },
    { title: "Model", cell: (target) => name(target.model) },
    { title: "Why", cell: (target) => h("span", { class: "long" }, target.why) },
  ], targets)];
}
