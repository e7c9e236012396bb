// Adapters: which version serves, whether it proved itself, how it does, and the ways to change that.

import * as api from "../api.js";
import { add, ask, badge, card, empty, facts, field, fill, h, name, table } from "../dom.js";
import * as format from "../format.js";
import { begin } from "./shadow.js";
import { losses, path, tryAgain, upload } from "./trials.js";

const KINDS = { serving: "good", candidate: "warn", quarantined: "bad", refused: "bad", "rolled back": "warn" };
const state = (status) => badge(KINDS[status] ?? "plain", status ?? "unknown");
const short = (digest) => (digest ? h("code", { title: digest }, format.digest(digest)) : "–");
const since = (seconds) => (seconds ? `${format.ago(api.now() - seconds * 1000)} ago` : "–");
const each = (seconds, calls) => (calls ? format.duration((1000 * seconds) / calls) : "–");

export async function adapters(place, { signal, go }) {
  const list = await api.get("/admin/v1/adapters", {}, signal);
  const rescan = h("button", { type: "button" }, "Look at the folder again");
  rescan.addEventListener("click", async () => {
    rescan.disabled = true;
    await api.send("POST", "/admin/v1/adapters/rescan").catch(() => {});
    go(location.pathname, { replace: true });
  });
  const put = h("button", { type: "button", class: "primary", on: { click: () => upload(undefined, (made) => go(`/ui/adapters/${encodeURIComponent(made)}`)) } }, "Upload an adapter");
  add(place, [h("div", { class: "title" }, h("h1", null, "Adapters"), api.may_write() && h("div", { class: "buttons" }, rescan, put))]);
  if (list.items.length === 0) {
    add(place, [empty("No adapter is here.", "Upload a component, put one (NAME.wasm) into the adapters' folder, or install one: ", h("code", null, "weir plugin install"), ".")]);
    return;
  }
  add(place, [h("div", { class: "card" }, table("Adapters", [
    { title: "Adapter", cell: (one) => h("a", { href: `/ui/adapters/${encodeURIComponent(one.name)}` }, name(one.name)) },
    { title: "State", cell: (one) => state(one.status) },
    { title: "Version", wide: true, cell: (one) => name(one.version) },
    { title: "Digest", wide: true, cell: (one) => short(one.digest) },
    { title: "Fixtures", number: true, cell: (one) => proof(one) },
    { title: "Exchanges", number: true, cell: (one) => format.brief(one.exchanges) },
    { title: "A call", number: true, wide: true, cell: (one) => each(one.seconds, one.calls) },
    { title: "Memory", number: true, wide: true, cell: (one) => format.bytes(one.memory_bytes) },
    { title: "Faults", number: true, cell: (one) => (one.faults ? h("span", { class: "worse" }, format.count(one.faults)) : format.count(one.faults ?? 0)) },
  ], list.items)), quarantined(list.quarantined)]);
}

function proof(one) {
  if (one.status === "refused") return h("span", { class: "worse" }, "refused");
  if (one.recordings_passed) return `${one.recordings_passed} passed`;
  return h("span", { class: "muted" }, one.recordings_passed === 0 ? "none" : "not replayed");
}

function quarantined(list) {
  if (!list?.length) return null;
  return card("In quarantine", table("Versions that failed too often", [
    { title: "Adapter", cell: (one) => name(one.name) },
    { title: "Digest", cell: (one) => short(one.digest) },
    { title: "Since", cell: (one) => since(one.since) },
    { title: "By", wide: true, cell: (one) => one.by },
    { title: "Reason", cell: (one) => h("span", { class: "long" }, one.reason) },
  ], list));
}

export async function adapter(place, { signal, item, go }) {
  const one = await api.get(path(item), {}, signal).catch((error) => {
    if (error.code !== "not_found") throw error;
  });
  add(place, [h("p", { class: "crumbs" }, h("a", { href: "/ui/adapters" }, "Adapters"))]);
  if (!one) {
    add(place, [h("h1", null, name(item)), empty("There is no adapter of this name.", h("a", { href: "/ui/adapters" }, "All adapters"))]);
    return;
  }
  const again = () => go(location.pathname, { replace: true });
  add(place, [
    h("div", { class: "title" }, h("h1", null, name(one.name)), state(one.status)),
    one.reason && h("div", { class: "failure" }, h("p", { class: "empty-title" }, "Why it does not serve"), h("p", { class: "long" }, one.reason)),
    one.refused && one.refused.reason !== one.reason && h("div", { class: "failure" }, h("p", { class: "empty-title" }, "The file in the folder does not serve"), h("p", { class: "long" }, one.refused.reason), one.refused.digest && h("p", null, short(one.refused.digest))),
    one.status !== "refused" && h("div", { class: "pair" },
      card("Version", facts([
        ["Version", name(one.version)],
        ["Digest", h("code", null, one.digest)],
        ["Signed by", name(one.signed_by ?? "not signed")],
        ["Trusted", one.trusted ? "yes: pinned or configured" : "no"],
        ["Serves since", one.since && `${since(one.since)} (${one.cause})`],
        ["Rolled back from", one.rolled_back_from && short(one.rolled_back_from)],
        ["Isolation", one.isolation],
        ["Grants", one.impurity ? name(one.impurity) : ""],
        ["Size", format.bytes(one.bytes)],
      ])),
      card("At work", facts([
        ["Exchanges", format.count(one.exchanges)],
        ["Calls", format.count(one.calls)],
        ["Time a call", each(one.seconds, one.calls)],
        ["Time in all", format.duration(1000 * (one.seconds ?? 0))],
        ["Instances", `${format.count(one.instances_live)} live, ${format.count(one.instances_idle)} idle, ${format.count(one.instances_made)} made`],
        ["Memory", `${format.bytes(one.memory_bytes)}, at most ${format.bytes(one.memory_highest_bytes)} an instance`],
        ["Faults", Object.entries(one.faults_by_kind ?? {}).map(([kind, count]) => `${kind} ${count}`).join(", ") || "none"],
      ]))),
    one.canary && card("On trial", canary(one, one.canary)),
    card("Fixtures", fixtures(one)),
    one.status !== "refused" && card("Lost in translation", losses(one)),
    one.left_out?.length > 0 && card("Claims that are not served", h("ul", null, one.left_out.map((text) => h("li", { class: "long" }, text)))),
    card("Versions", versions(one, again)),
    api.may_write() && one.status !== "refused" && card("Change", changes(one, again, go)),
  ]);
}

function canary(one, trial) {
  const part = (of) => format.share(of.failed, of.exchanges);
  return [
    h("p", null, "Version ", name(trial.version), " ", short(trial.digest), ` serves ${Math.round(1000 * trial.share) / 10} % of the exchanges, until ${format.count(trial.wanted)} have shown what it does.`),
    table("The new version beside the one that serves", [
      { title: "Version", cell: (row) => row[0] },
      { title: "Exchanges", number: true, cell: (row) => format.count(row[1].exchanges) },
      { title: "Failed", number: true, cell: (row) => `${format.count(row[1].failed)} (${part(row[1])})` },
      { title: "A call", number: true, wide: true, cell: (row) => each(row[2].seconds, row[2].calls) },
      { title: "Memory", number: true, wide: true, cell: (row) => format.bytes(row[2].memory_bytes) },
      { title: "Faults", number: true, wide: true, cell: (row) => format.count(row[2].faults) },
    ], [["On trial", trial, trial.figures ?? {}], ["Serving, in the same time", trial.beside, one]]),
  ];
}

function fixtures(one) {
  const result = h("div", { role: "status" });
  const replay = h("button", { type: "button" }, "Replay them now");
  replay.addEventListener("click", async () => {
    replay.disabled = true;
    fill(result, h("p", { class: "hint" }, "Replaying…"));
    try {
      const tested = await api.send("POST", path(one.name, "test"));
      fill(result, tested.passed ? h("p", { class: "better" }, "All were reproduced.") : differences(tested.report));
    } catch (error) {
      fill(result, h("p", { class: "error" }, error.message));
    } finally {
      replay.disabled = false;
    }
  });
  const text = one.recordings_passed
    ? `${one.recordings_passed} recorded exchanges were reproduced before it served, however their streams were split.`
    : "None were replayed before it served: put recordings beside its file, and it has to reproduce them.";
  return [h("p", null, text), api.may_write() && one.status !== "refused" && h("div", { class: "buttons" }, replay), result];
}

/** The fixtures that failed, each with its first difference. */
function differences(report) {
  const most = 20;
  const failed = report.verdicts.filter((verdict) => verdict.outcome === "failed");
  return [h("p", { class: "worse" }, `${format.count(report.failed)} of ${format.count(report.verdicts.length)} differ:`),
    h("ul", { class: "stack" }, failed.slice(0, most).map(({ fixture, because: { step, reason, difference } }) => h("li", null,
      h("h3", null, name(fixture)),
      h("p", { class: "long" }, step, ": ", reason),
      difference && facts([["At", h("code", null, difference.at || "/")], ["Expected", h("code", { class: "added" }, difference.expected)], ["Got", h("code", { class: "removed" }, difference.got)]])))),
    failed.length > most && h("p", { class: "hint" }, `${format.count(failed.length - most)} more are not listed.`)];
}

function versions(one, again) {
  if (!one.versions?.length) return h("p", null, "Only this one is known. The last few versions stay here when the file is replaced.");
  const act = (version) => api.may_write() && h("button", { type: "button", on: { click: () => confirm(`Serve ${one.name} ${version.version} again?`, "It takes the place of the version that serves now, for new requests.", "Serve it", () => api.send("POST", path(one.name, "activate"), { digest: version.digest }), again) } }, "Serve this one");
  return table("Former versions", [
    { title: "Version", cell: (version) => name(version.version) },
    { title: "Digest", cell: (version) => short(version.digest) },
    { title: "State", cell: (version) => state(version.status) },
    { title: "Since", wide: true, cell: (version) => since(version.since) },
    { title: "Exchanges", number: true, wide: true, cell: (version) => format.brief(version.exchanges) },
    { title: "Faults", number: true, wide: true, cell: (version) => format.count(version.faults) },
    { title: "", cell: act },
  ], one.versions);
}

/** Asks before something is changed. */
function confirm(title, text, action, act, again) {
  ask(title, h("p", null, text), action, async (fields) => {
    await act(fields);
    again();
  });
}

function changes(one, again, go) {
  const button = (title, kind, act) => h("button", { type: "button", class: kind, on: { click: act } }, title);
  const isOut = one.status === "quarantined";
  return h("div", { class: "buttons" },
    button("Shadow run", "", () => begin(one, go)),
    button("Upload a version", "", () => upload(one.name, again)),
    (one.canary || one.rolled_back_from) && button(one.canary ? "Change the trial's share" : "Try the version in the folder", "", () => tryAgain(one, again)),
    one.canary && button("Promote the version on trial", "primary", () => confirm("Promote the version on trial?", "It then serves all exchanges.", "Promote", () => api.send("POST", path(one.name, "activate"), { digest: one.canary.digest }), again)),
    (one.canary || one.versions?.some((version) => version.status === "retired")) && button(one.canary ? "End the trial" : "Roll back", "", () => confirm(one.canary ? "End the trial?" : `Roll ${one.name} back?`, one.canary ? "The version on trial is put aside, until another file comes or you try it again." : "The version before serves again, until you change that.", one.canary ? "End it" : "Roll back", () => api.send("POST", path(one.name, "rollback")), again)),
    isOut
      ? button("Release from quarantine", "", () => confirm(`Release ${one.name}?`, "It serves again, and its failures are counted anew.", "Release", () => api.send("POST", path(one.name, "release")), again))
      : button("Quarantine", "danger", () => ask(`Quarantine ${one.name}?`, [
        h("p", null, "This version no longer runs. The version before takes over; if there is none, requests that need it fail, and those that are relayed go on."),
        field("Why", h("input", { name: "reason", maxlength: "200", autocomplete: "off" }), "For those who read it later."),
      ], "Quarantine", async ({ reason }) => {
        await api.send("POST", path(one.name, "quarantine"), reason ? { reason } : {});
        again();
      })));
}
