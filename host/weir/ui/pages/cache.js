// Kept answers: how many requests they served, how near questions come that mean the same, and their removal.

import * as api from "../api.js";
import { add, ask, card, empty, facts, field, fill, h, name, select, table } from "../dom.js";
import * as format from "../format.js";

/** How often the page is read again. */
const EVERY = 5_000;
const PATH = "/admin/v1/cache";

export default async function cache(place, { signal }) {
  const shown = h("div", { class: "stack" });
  const remove = h("button", { type: "button", on: { click: () => forget(load) } }, "Remove all");
  const report = h("button", { type: "button", on: { click: () => tell(load) } }, "Report an answer");
  add(place, [h("h1", null, "Cache"), shown, api.may_write() && h("div", { class: "buttons" }, report, remove)]);
  await load();
  const timer = setInterval(() => document.hidden || shown.querySelector(":focus-visible") || load().catch(() => {}), EVERY);
  signal.addEventListener("abort", () => clearInterval(timer));

  async function load() {
    const kept = await api.get(PATH, {}, signal);
    if (!signal.aborted) fill(shown, whole(kept));
  }
}

function whole(kept) {
  const models = Object.entries(kept.models).map(([model, results]) => ({ model, ...results }));
  if (models.length === 0) {
    return empty("No answer was asked for that may be kept.", "Give a model ", h("code", null, "cache = \"1h\""), " in the configuration, and equal requests of the same caller share its answers.");
  }
  const questions = Object.entries(kept.semantic).map(([model, results]) => ({ model, ...results }));
  const model = { title: "Model", cell: (row) => h("b", null, name(row.model)) };
  const number = (title, value) => ({ title, number: true, cell: (row) => format.count(row[value] ?? 0) });
  const rate = (title, served, of) => ({ title, number: true, cell: (row) => format.share(sum(row, served), sum(row, of)) });
  return [
    facts([
      ["Kept", `${format.count(kept.entries)} answers, ${format.bytes(kept.bytes)} of ${format.bytes(kept.limit_bytes)}`],
      ["Generation", format.count(kept.generation)],
    ]),
    card("Requests", table("Requests by model and how they were answered", [
      model,
      rate("Served", ["hit", "coalesced", "semantic"], ["hit", "coalesced", "semantic", "miss", "bypass"]),
      number("Hits", "hit"), number("Same meaning", "semantic"), number("With another", "coalesced"), number("Misses", "miss"), number("Not kept", "bypass"),
    ], models)),
    questions.length > 0 && card("Questions that mean the same", table("Questions by model and how near others came", [
      model,
      rate("Served", ["hit"], ["hit", "near", "miss", "failed"]),
      number("Hits", "hit"), number("Near, in other words", "near"), number("Misses", "miss"), number("Without a vector", "failed"),
    ], questions),
    h("p", { class: "hint" }, `Reported: ${format.count(kept.feedback.right ?? 0)} right, ${format.count(kept.feedback.wrong ?? 0)} wrong.`)),
  ];
}

const sum = (row, names) => names.reduce((all, one) => all + (row[one] ?? 0), 0);

function forget(again) {
  ask("Remove all kept answers?", h("p", null, "The next request for each is sent to a provider. Nodes that share answers forget them too."), "Remove", async () => {
    await api.send("DELETE", PATH);
    again().catch(() => {});
  });
}

function tell(again) {
  ask("Report an answer", [
    field("Key", h("input", { name: "key", required: true, pattern: "[0-9a-f]{64}" }), "The answer's x-weir-cache-key."),
    field("The answer was", select({ name: "verdict" }, [["wrong", "wrong: an answer to another question"], ["right", "right"]], "wrong"), "A wrong one is not given to other questions again."),
  ], "Report", async ({ key, verdict }) => {
    await api.send("POST", `${PATH}/feedback`, { key, verdict });
    again().catch(() => {});
  });
}
