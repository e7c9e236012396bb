// Shadow runs: logged requests through another version of an adapter, beside the one that serves.

import * as api from "../api.js";
import { add, ask, badge, block, card, empty, facts, field, fill, h, name, table } from "../dom.js";
import * as format from "../format.js";
import { path } from "./trials.js";

const EVERY = 1_000;
const KINDS = { running: "warn", done: "good", cancelled: "plain" };
const state = (run) => badge(KINDS[run.status] ?? "bad", run.status);
const short = (digest) => h("code", { title: digest }, format.digest(digest));

export async function runs(place, { signal }) {
  const list = await api.get("/admin/v1/shadow-runs", {}, signal);
  add(place, [h("h1", null, "Shadow runs")]);
  if (list.items.length === 0) {
    return add(place, [empty("No shadow run was begun since Weir started.", "Open an adapter and choose “Shadow run”: logged requests are replayed through another version, and no provider is asked. ", h("a", { href: "/ui/adapters" }, "Adapters"))]);
  }
  add(place, [h("div", { class: "card" }, table("Shadow runs, the latest first", [
    { title: "Adapter", cell: (run) => h("a", { href: `/ui/shadow-runs/${run.id}` }, name(run.adapter)) },
    { title: "State", cell: state },
    { title: "Tried", cell: (run) => short(run.candidate.digest) },
    { title: "Begun", wide: true, cell: (run) => format.time(run.begun, api.now()) },
    { title: "Compared", number: true, cell: (run) => format.count(run.compared) },
    { title: "Different", number: true, cell: (run) => format.count(run.different) },
  ], list.items))]);
}

export async function run(place, { signal, item }) {
  const shown = h("div", { class: "stack" });
  add(place, [h("p", { class: "crumbs" }, h("a", { href: "/ui/shadow-runs" }, "Shadow runs")), h("h1", null, "Shadow run"), shown]);
  const load = async () => {
    const now = await api.get(`/admin/v1/shadow-runs/${encodeURIComponent(item)}`, {}, signal);
    if (!signal.aborted) fill(shown, whole(now));
    return now.status === "running";
  };
  if (!await load()) return;
  const timer = setInterval(() => load().then((goesOn) => goesOn || clearInterval(timer), () => {}), EVERY);
  signal.addEventListener("abort", () => clearInterval(timer));
}

function whole(now) {
  const cancel = h("button", { type: "button" }, "Cancel the run");
  cancel.addEventListener("click", () => {
    cancel.disabled = true;
    api.send("DELETE", `/admin/v1/shadow-runs/${now.id}`).catch(() => {});
  });
  const each = (which) => (now.compared ? format.micros(now.micros[which] / now.compared) : "–");
  const left = Object.entries(now.left_out);
  const sides = (title, of) => ({ title, number: true, cell: of });
  return [
    h("p", { role: "status" }, state(now), ` ${format.count(now.compared)} of at most ${format.count(now.wanted)} requests compared, ${format.count(now.different)} of them different.`),
    h("p", null, h("a", { href: `/ui/adapters/${encodeURIComponent(now.adapter)}` }, name(now.adapter)), " ", name(now.candidate.version), " ", short(now.candidate.digest), " beside ", name(now.serving.version), " ", short(now.serving.digest), ", which serves. The answers of the providers are those of the log."),
    now.status === "running" && api.may_write() && h("div", { class: "buttons" }, cancel),
    card("Sums", table("Both versions side by side", [
      { title: "Version", cell: (row) => row[0] },
      sides("Faults", (row) => format.count(now.faults[row[1]])),
      sides("Cost", (row) => format.dollars(now.cost_nano[row[1]])),
      sides("Time a request", (row) => each(row[1])),
    ], [["Serving", "serving"], ["Tried", "candidate"]]),
    now.unpriced > 0 && h("p", { class: "hint" }, `The cost of ${format.count(now.unpriced)} requests is not known of both, and not summed.`)),
    card("Losses", now.losses.length === 0 ? h("p", null, "Neither version lost anything.") : table("Losses of both versions", [
      { title: "Field", cell: (loss) => h("code", null, name(loss.field)) },
      { title: "Step", cell: (loss) => loss.step },
      { title: "How", cell: (loss) => loss.kind },
      sides("Serving", (loss) => format.count(loss.serving)),
      sides("Tried", (loss) => h("span", { class: loss.candidate > loss.serving ? "worse" : undefined }, format.count(loss.candidate))),
    ], now.losses)),
    card("Requests", now.requests.length === 0
      ? h("p", null, now.status === "running" ? "None differs so far." : now.compared ? "None differs." : "No request of this adapter could be compared.")
      : h("ul", { class: "stack" }, now.requests.map(one))),
    left.length > 0 && card("Left out", facts(left.map(([reason, count]) => [reason, format.count(count)]))),
  ];
}

function one(entry) {
  const list = (texts) => (texts.length ? texts.join(", ") : "none");
  const areLossesEqual = list(entry.losses.serving) === list(entry.losses.candidate);
  const [serving, candidate] = entry.steps ?? [{}, {}];
  return h("li", { class: "stack" },
    h("h3", null, h("a", { href: `/ui/requests/${entry.id}` }, name(entry.model || entry.id)), " ", h("span", { class: "muted" }, name(entry.dialect), " to ", name(entry.provider))),
    entry.differences.length > 0 && table(`Differences of ${entry.id}`, [
      { title: "Step", cell: (difference) => difference.step },
      { title: "At", cell: (difference) => h("code", null, name(difference.at || "/", 120)) },
      { title: "Serving", cell: (difference) => h("code", { class: "removed" }, difference.serving) },
      { title: "Tried", cell: (difference) => h("code", { class: "added" }, difference.candidate) },
    ], entry.differences),
    facts([
      ["Losses", !areLossesEqual && `${list(entry.losses.serving)}; tried: ${list(entry.losses.candidate)}`],
      ["Cost", `${format.dollars(entry.cost_nano.serving)}; tried: ${format.dollars(entry.cost_nano.candidate)}`],
    ]),
    Object.keys(serving).map((step) => h("details", null, h("summary", null, `${step}, whole`), h("div", { class: "pair" },
      h("div", null, h("p", { class: "hint" }, "Serving"), block(serving[step], `${step}, serving`)),
      h("div", null, h("p", { class: "hint" }, "Tried"), block(candidate[step] ?? "", `${step}, tried`))))));
}

/** Asks what is to be tried and begins a run: `id` for one request alone. */
export function begin(one, go, id) {
  const kept = [...(one.canary ? [one.canary] : []), ...(one.versions ?? [])];
  const version = h("select", { name: "digest" }, kept.map((other) => h("option", { value: other.digest }, `${other.version} ${format.digest(other.digest)}`)), h("option", { value: "" }, "A component of mine"));
  const file = h("input", { name: "file", type: "file", accept: ".wasm,application/wasm" });
  const own = field("Component", file, "NAME.wasm. It is checked as an upload is, and not put into the folder.");
  const show = () => { own.hidden = version.value !== ""; };
  version.addEventListener("change", show);
  show();
  ask(`Try another version of ${one.name}`, [
    h("p", null, id ? "The request is replayed through both versions, with the provider's recorded answer. No provider is asked." : "Logged requests are replayed through both versions, with the providers' recorded answers. No provider is asked. It needs the requests' content (store.bodies)."),
    field("Version", version),
    own,
    !id && field("Requests", h("input", { name: "requests", type: "number", min: "1", max: "5000", value: "200", required: true }), "The newest ones, at most."),
    !id && field("Model", h("input", { name: "model", autocomplete: "off", spellcheck: "false" }), "Only requests for this model."),
  ], "Begin", async ({ digest, requests, model }) => {
    const parameters = { digest, requests: id ? 1 : requests, model, id };
    const begun = await api.send("POST", api.url(path(one.name, "shadow"), parameters), digest ? undefined : file.files[0] ?? new Blob(), { "content-type": "application/wasm" });
    go(`/ui/shadow-runs/${begun.id}`);
  });
}
