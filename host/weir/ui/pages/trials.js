// Changes of an adapter that ask for more than a yes: a file that is uploaded, a version that is tried first.

import * as api from "../api.js";
import { ask, empty, field, h, name, select, table } from "../dom.js";
import * as format from "../format.js";

/** Of an adapter's file with that name, once in all addresses. */
export const path = (adapter, verb) => `/admin/v1/adapters/${encodeURIComponent(adapter)}${verb ? `/${verb}` : ""}`;

const share = (value) => field("Share of the exchanges (%)", h("input", { name: "share", type: "number", min: "0.1", max: "100", step: "any", value, required: true }), "The others are served by the version that serves now.");
const exchanges = (value) => field("Exchanges", h("input", { name: "requests", type: "number", min: "1", step: "1", value, required: true }), "After so many it serves all exchanges, unless it fails more often than the other version.");
const rule = (fields) => ({ share: Number(fields.share) / 100, requests: Number(fields.requests) });

/** Asks for a component and puts it into the folder, for all exchanges or on trial. */
export function upload(adapter, done) {
  const trial = h("div", { class: "stack", hidden: true }, share(10), exchanges(200));
  const inputs = [...trial.querySelectorAll("input")];
  const begin = select({ name: "begin" }, [["all", "Serves all exchanges"], ["trial", "On trial, beside the version that serves"]], "all");
  const show = () => {
    trial.hidden = begin.value === "all";
    for (const input of inputs) input.disabled = trial.hidden;
  };
  begin.addEventListener("change", show);
  show();
  const named = h("input", { name: "name", required: true, pattern: "[A-Za-z0-9][A-Za-z0-9_\\-]{0,63}", value: adapter ?? "", readonly: adapter !== undefined, autocomplete: "off", spellcheck: "false" });
  const file = h("input", { name: "file", type: "file", accept: ".wasm,application/wasm", required: true });
  file.addEventListener("change", () => {
    if (adapter === undefined && file.files[0]) named.value = file.files[0].name.replace(/\.wasm$/, "");
  });
  ask(adapter === undefined ? "Upload an adapter" : `Upload a version of ${adapter}`, [
    h("p", null, "It is checked as a file that is put into the folder: its structure, its manifest, its signature or pin where they are required, and the fixtures beside it. What fails a check is not put there."),
    field("Component", file, "NAME.wasm"),
    field("Name", named, "The name that it calls itself by."),
    field("Signature", h("input", { name: "signature", type: "file", accept: ".sig" }), "NAME.wasm.sig, if it is signed."),
    field("At first", begin),
    trial,
  ], "Upload", async (fields) => {
    const headers = { "content-type": "application/wasm" };
    const lines = fields.signature?.size ? (await fields.signature.text()).split("\n").map((line) => line.trim()) : [];
    const signature = lines.filter((line) => line && !line.startsWith("#")).join(",");
    if (signature) headers["x-weir-adapter-signature"] = signature;
    await api.send("PUT", api.url(path(fields.name), fields.begin === "trial" ? rule(fields) : {}), fields.file, headers);
    done(fields.name);
  });
}

/** Asks for a share, and puts the version in the folder on trial with it. */
export function tryAgain(one, done) {
  const isRunning = Boolean(one.canary);
  ask(isRunning ? "Give the trial another share?" : `Try ${one.name} again?`, [
    h("p", null, isRunning ? "Its exchanges are counted anew." : "The version in the folder, which was rolled back from, serves a part of the exchanges."),
    share(isRunning ? Math.round(1000 * one.canary.share) / 10 : 10),
    exchanges(isRunning ? one.canary.wanted : 200),
  ], isRunning ? "Begin anew" : "Try it", async (fields) => {
    await api.send("POST", path(one.name, "trial"), rule(fields));
    done();
  });
}

const STEPS = { request: "reading the request", upstream: "writing the provider's request", answer: "reading the answer", client: "writing the client's answer" };
/** The most rows of a table of losses. */
const MOST = 50;

/** What the translations lost, by step and field; with a trial, of both versions. */
export function losses(one) {
  const rows = new Map();
  const note = (list, at) => {
    for (const { step, field, kind, count } of list ?? []) {
      const key = `${step} ${field} ${kind}`;
      if (!rows.has(key)) rows.set(key, { step, field, kind, counts: [0, 0] });
      rows.get(key).counts[at] += count;
    }
  };
  note(one.losses, 0);
  note(one.canary?.losses, 1);
  const all = [...rows.values()].sort((a, b) => Math.max(...b.counts) - Math.max(...a.counts));
  if (all.length === 0) return empty("Nothing was lost since it was loaded.", "Fields that a translation drops, clamps or approximates are counted here.");
  return [table("Losses by field", [
    { title: "Field", cell: (row) => h("code", null, name(row.field)) },
    { title: "Lost while", cell: (row) => STEPS[row.step] ?? row.step },
    { title: "How", cell: (row) => row.kind },
    { title: one.canary ? "Serving" : "Times", number: true, cell: (row) => format.count(row.counts[0]) },
    one.canary && { title: "On trial", number: true, cell: (row) => format.count(row.counts[1]) },
  ].filter(Boolean), all.slice(0, MOST)),
  all.length > MOST && h("p", { class: "hint" }, `${format.count(all.length - MOST)} rarer ones are not listed.`)];
}
