// Budgets: what is spent of each and what it comes to at this pace; those of the store are made, changed and deleted.

import * as api from "../api.js";
import { add, ask, empty, field, h, select } from "../dom.js";
import * as format from "../format.js";
import { input, may_change_any, meter, sure } from "./keys.js";

const SHOWN = 200;
const SCOPES = [["all", "everything"], ["key", "a key"], ["team", "a team"], ["org", "an organisation"], ["tag", "a tag"], ["model", "a model"], ["provider", "a provider"]];
const UNITS = [["usd", "dollars"], ["tokens", "tokens"], ["requests", "requests"]];
const OVER = [["refuse", "requests are refused"], ["notify", "requests go on, and the log says so"], ["downgrade", "requests go to another model"]];

const at = (budget) => `/admin/v1/budgets/${encodeURIComponent(budget.name)}`;
const scope = (budget) => (budget.for === "all" ? "everything" : Object.entries(budget.for).map(([kind, id]) => `${kind} ${id}`).join(", "));
/** The server decides; this only hides buttons. Those who manage a team make budgets for its keys. */
const may_change = (budget) => budget.origin === "store" && (api.may_write() || (may_change_any() && budget.for !== "all" && "key" in budget.for));

export default async function budgets(place, { signal, go }) {
  const again = () => go(location.pathname, { replace: true });
  const { items, more } = await api.get("/admin/v1/budgets", { sort: "used", limit: SHOWN }, signal);
  const make = h("button", { type: "button", class: "primary", on: { click: () => create(again) } }, "Make a budget");
  add(place, [h("div", { class: "title" }, h("h1", null, "Budgets"), may_change_any() && make)]);
  if (items.length === 0) {
    add(place, [empty("There is no budget.", "Make one here, give one to a key or a team, or add ", h("code", null, "[[budgets]]"), " to the configuration.")]);
    return;
  }
  add(place, [h("div", { class: "card" }, items.map((budget) => shown(budget, again))),
    more > 0 && h("p", { class: "hint" }, `${format.count(more)} more with smaller shares are not listed.`)]);
}

function shown(budget, again) {
  const bar = meter(budget, `${budget.name} (${scope(budget)})`);
  if (budget.place) return add(bar, [h("p", { class: "hint" }, `Changed in ${budget.place}.`)]);
  if (!may_change(budget)) return bar;
  const remove = () => sure(`Delete ${budget.name}?`, "Nothing is limited by it from the next request on. The sums of use stay.", "Delete",
    () => api.send("DELETE", at(budget)), again);
  return add(bar, [h("div", { class: "buttons" },
    h("button", { type: "button", "aria-label": `Change ${budget.name}`, on: { click: () => change(budget, again) } }, "Change"),
    h("button", { type: "button", class: "danger", "aria-label": `Delete ${budget.name}`, on: { click: remove } }, "Delete"))]);
}

/** The fields that a budget begins with and that may be changed later, with what they are now. */
function settings(now) {
  const unit = UNITS.find(([name]) => now?.[name])?.[0] ?? "usd";
  const over = typeof now?.when_over === "object" ? "downgrade" : now?.when_over ?? "refuse";
  return [
    field("Amount", input("amount", { required: true, inputmode: "decimal", pattern: "[0-9]+(\\.[0-9]+)?", value: String(now?.[unit] ?? "") })),
    field("Of", select({ name: "unit" }, UNITS, unit)),
    field("Window", input("per", { required: true, value: now?.per ?? "month" }), "minute, hour, day, week, month, 30d, or total."),
    field("Time zone", input("tz", { placeholder: "UTC", value: now?.tz ?? "" }), "Where its days begin, such as Europe/Berlin."),
    field("Warn from", input("soft", { inputmode: "decimal", pattern: "0?\\.[0-9]+|[01]", value: now?.soft ?? "" }), "A share such as 0.8; no warning, if empty."),
    field("Without room", select({ name: "over" }, OVER, over)),
    field("The other model", input("model", { value: now?.when_over?.downgrade ?? "" }), "Only where requests go to another model."),
  ];
}

/** A form's settings as the endpoint takes them; null takes away what was set. */
function body(fields) {
  const amount = Object.fromEntries(UNITS.map(([unit]) => [unit, null]));
  amount[fields.unit] = fields.unit === "usd" ? fields.amount : Number(fields.amount);
  const when_over = fields.over === "downgrade" ? { downgrade: fields.model } : fields.over;
  return { ...amount, per: fields.per.trim(), tz: fields.tz.trim() || null, soft: fields.soft || null, when_over };
}

/** Without what is not set, as a new document has it. */
const known = (fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));

function create(again) {
  ask("Make a budget", [
    field("Name", input("id", { required: true, pattern: "[a-z0-9][a-z0-9._\\-]*", maxlength: "64" }), "Small letters, digits and dashes. It never changes."),
    field("Counts the use of", select({ name: "kind" }, SCOPES, "all"), "It never changes."),
    field("Its id or name", input("of"), "Not for everything."),
    settings(null),
  ], "Make it", async (fields) => {
    const of = fields.kind === "all" ? "all" : { [fields.kind]: fields.of.trim() };
    const made = await api.send("POST", "/admin/v1/budgets", { id: fields.id, for: of, ...known(body(fields)) });
    again();
    return made.warnings && [h("p", null, "The budget is made."), made.warnings.map((text) => h("p", { class: "error" }, text))];
  });
}

async function change(budget, again) {
  // Read now: the page may have been open for long. Who changed it in between is not overwritten.
  const found = await api.get(at(budget)).catch((error) => ({ error }));
  const content = found.error
    ? h("p", { class: "error" }, found.error.message)
    : [h("p", null, "What is used stays counted while the unit, the window and the time zone stay the same."), settings(found)];
  ask(`Change ${budget.name}`, content, found.error ? "Close" : "Change it", async (fields) => {
    if (!found.error) await api.send("PATCH", at(budget), body(fields), { "if-match": `"${found.revision}"` });
    again();
  });
}
