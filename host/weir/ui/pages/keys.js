// Keys and teams: made, rotated, disabled, deleted. A key's text is shown once, when it is made.

import * as api from "../api.js";
import { add, ask, badge, card, empty, facts, field, fill, h, name, table } from "../dom.js";
import * as format from "../format.js";

const SIZE = 50;
export const words = (text) => (text ?? "").split(/[\s,]+/).filter(Boolean);
export const input = (name, properties = {}) => h("input", { name, autocomplete: "off", spellcheck: "false", ...properties });
/** May the caller change what belongs to this team? The server decides; this only hides buttons. */
const may_change = (team) => api.who().grants.some((grant) => grant.access === "write" && (!grant.team || grant.team === team));
export const may_change_any = () => api.who().grants.some((grant) => grant.access === "write");

export async function keys(place, { signal, query, go }) {
  const [cursor, team] = [query.get("cursor"), query.get("team") ?? ""];
  const again = () => go(location.pathname + location.search, { replace: true });
  const page = await api.get("/admin/v1/keys", { cursor, team, limit: SIZE }, signal);
  const teams = await api.get("/admin/v1/teams", { limit: 100 }, signal).catch(() => ({ items: [] }));
  const make = h("button", { type: "button", class: "primary", on: { click: () => create(teams.items, again) } }, "Make a key");
  const filter = h("form", { class: "filters" }, field("Team", input("team", { value: team })), h("div", { class: "buttons" }, h("button", null, "Show")));
  filter.addEventListener("submit", (event) => {
    event.preventDefault();
    go(api.url("/ui/keys", Object.fromEntries(new FormData(filter))));
  });
  add(place, [h("div", { class: "title" }, h("h1", null, "Keys"), may_change_any() && make), filter]);
  if (page.items.length === 0) {
    add(place, [empty(team ? "This team has no key." : "The store has no key.", "With the first one, requests without a key are refused. Keys of the configuration (", h("code", null, "[[clients]]"), ") are not listed here.")]);
    return;
  }
  add(place, [h("div", { class: "card" }, table("Keys", [
    { title: "Name", cell: (key) => h("a", { href: `/ui/keys/${key.id}` }, name(key.name)) },
    { title: "State", cell: state },
    { title: "Team", cell: (key) => (key.owner?.team ? h("a", { href: `/ui/teams/${encodeURIComponent(key.owner.team)}` }, name(key.owner.team)) : h("span", { class: "muted" }, "none")) },
    { title: "Id", wide: true, cell: (key) => h("code", null, key.id) },
    { title: "Models", wide: true, cell: (key) => models(key) },
    { title: "Made", wide: true, cell: (key) => format.day(key.created) },
    { title: "Ends", cell: (key) => (key.expires ? format.day(key.expires) : "never") },
  ], page.items)), more(page, "/ui/keys", { team })]);
}

export function more(page, address, parameters) {
  return page.next_cursor && h("div", { class: "buttons" }, h("a", { class: "button", href: api.url(address, { ...parameters, cursor: page.next_cursor }) }, "More"));
}

export function state(document) {
  if (document.disabled) return badge("bad", "disabled");
  if (document.expires && Date.parse(document.expires) < api.now()) return badge("warn", "expired");
  return badge("good", "in use");
}

export const models = (document) => (document.models ? name(document.models.join(", ") || "none", 40) : h("span", { class: "muted" }, "all"));

/** What is allowed to a key or team. */
export function terms(document) {
  const limits = Object.entries(document.limits ?? {}).filter(([, value]) => value !== null).map(([limit, value]) => `${format.count(value)} ${limit.replaceAll("_", " ")}`);
  return [
    ["Models", models(document)],
    ["Operations", document.operations && name(document.operations.join(", "))],
    ["Limits", limits.join(", ") || "none"],
    ["Tags", name((document.tags ?? []).join(", "))],
    ["Aliases", Object.entries(document.aliases ?? {}).map(([from, to]) => `${from} → ${to}`).join(", ")],
  ];
}

export async function key(place, { signal, item, go }) {
  const found = await api.get(`/admin/v1/keys/${encodeURIComponent(item)}`, {}, signal);
  const again = () => go(location.pathname, { replace: true });
  const act = (verb, body) => api.send("POST", `/admin/v1/keys/${found.id}/${verb}`, body);
  const team = found.owner?.team;
  add(place, [
    h("p", { class: "crumbs" }, h("a", { href: "/ui/keys" }, "Keys")),
    h("div", { class: "title" }, h("h1", null, name(found.name)), state(found)),
    h("div", { class: "pair" },
      card("Key", facts([
        ["Id", h("code", null, found.id)],
        ["Team", team ? h("a", { href: `/ui/teams/${encodeURIComponent(team)}` }, name(team)) : "none"],
        ["User", name(found.owner?.user)],
        ["Made", format.whole_time(found.created)],
        ["Ends", found.expires ? format.whole_time(found.expires) : "never"],
        ["Rotated", found.rotated && format.whole_time(found.rotated.at)],
        ["The text before ends", found.rotated && format.whole_time(found.rotated.grace_ends)],
        ["Grants", (found.grants ?? []).map((grant) => `${grant.access} ${grant.team ?? "everything"}`).join(", ")],
      ])),
      card("May do", facts(terms(found)))),
    card("Budgets", await spending(`key/${found.id}/`, found.budgets, signal)),
    card("Use of the last 30 days", await usage({ key: found.id }, signal)),
    may_change(team) && card("Change", h("div", { class: "buttons" },
      h("button", { type: "button", on: { click: () => rotate(found, act, again) } }, "Rotate"),
      found.disabled
        ? h("button", { type: "button", on: { click: () => act("enable").then(again, fail) } }, "Enable")
        : h("button", { type: "button", class: "danger", on: { click: () => sure(`Disable ${found.name}?`, "It is refused from the next request on. It can be enabled again.", "Disable", () => act("disable"), again) } }, "Disable"),
      h("button", { type: "button", class: "danger", on: { click: () => sure(`Delete ${found.name}?`, "It is refused from the next request on, for good. Its use stays in the sums.", "Delete", () => api.send("DELETE", `/admin/v1/keys/${found.id}`), () => go("/ui/keys")) } }, "Delete"))),
  ]);
}

export function sure(title, text, action, act, after) {
  ask(title, h("p", null, text), action, async () => {
    await act();
    after();
  });
}

export const fail = (error) => ask("That did not work", h("p", { class: "error" }, error.message), "Close", async () => {});

/** A key's text, to be copied now. */
function secret(text) {
  const copied = h("span", { role: "status", class: "hint" });
  const copy = h("button", { type: "button" }, "Copy");
  copy.addEventListener("click", () => navigator.clipboard?.writeText(text).then(() => fill(copied, "Copied."), () => fill(copied, "Select the text and copy it.")));
  return [h("h2", null, "The key"), h("p", null, "It is shown only now: Weir keeps its hash."), h("p", { class: "secret" }, h("code", null, text)), h("div", { class: "buttons" }, copied, copy)];
}

/** Asks whether a text that is in its grace is replaced: the newer one ends at once. */
function anew(found, act, grace, again) {
  const replace = (event) => {
    event.target.closest("dialog").close();
    const dialog = ask(`Rotate ${found.name} again`, h("p", null, "The text of the last rotation is refused at once, and the one before it stays valid until its grace ends."),
      "Replace it", async () => secret((await act("rotate", { grace, again: true })).key));
    dialog.addEventListener("close", again);
  };
  return [h("h2", null, "It was rotated already"), h("p", null, "The text before is still valid for a while, so nothing was changed."),
    h("p", null, h("button", { type: "button", class: "danger", on: { click: replace } }, "The new text was never received: replace it"))];
}

function rotate(found, act, again) {
  const dialog = ask(`Rotate ${found.name}`, [
    h("p", null, "The key gets a new text under its id. The one before stays valid for a while."),
    field("The text before stays valid for", input("grace", { value: "24h", required: true }), "0s, 15m, 24h, 7d"),
  ], "Rotate", async ({ grace }) => {
    try {
      return secret((await act("rotate", { grace, again: false })).key);
    } catch (error) {
      if (error.code !== "already_rotated") throw error;
      return anew(found, act, grace, again);
    }
  });
  dialog.addEventListener("close", again);
}

function create(teams, again) {
  const list = h("datalist", { id: "teams" }, teams.map((team) => h("option", { value: team.id })));
  const dialog = ask("Make a key", [
    list,
    field("Name", input("name", { required: true, maxlength: "100" })),
    field("Key's team", input("team", { list: "teams" }), "None, or the id of a team."),
    field("Ends", input("expires", { type: "date" }), "Never, if empty."),
    field("Key's models", input("models", { placeholder: "gpt-4o, claude-*" }), "Names or patterns; all, if empty."),
    field("Dollars a month", input("usd", { inputmode: "decimal" }), "A budget; none, if empty."),
    field("Requests a minute", input("rpm", { inputmode: "numeric" }), "A limit; none, if empty."),
  ], "Make it", async (fields) => {
    const body = {
      name: fields.name,
      ...(fields.team && { owner: { team: fields.team } }),
      ...(fields.expires && { expires: `${fields.expires}T00:00:00Z` }),
      ...allowed(fields),
    };
    return secret((await api.send("POST", "/admin/v1/keys", body)).key);
  });
  dialog.addEventListener("close", again);
}

/** Models, budget and limit of a form. */
export function allowed(fields) {
  return {
    ...(words(fields.models).length > 0 && { models: words(fields.models) }),
    ...(fields.usd && { budgets: [{ name: "month", usd: fields.usd, per: "month" }] }),
    ...(fields.rpm && { limits: { requests_per_minute: Number(fields.rpm) } }),
  };
}

async function usage(parameters, signal) {
  let sums;
  try {
    sums = await api.get("/admin/v1/usage", { by: "model", top: 20, ...parameters }, signal);
  } catch (error) {
    if (error.status !== 403) throw error;
    return h("p", null, "It is for those who may read everything: a key may have been another team's before. The team's page has the team's use.");
  }
  if (sums.items.length === 0) return empty("Not used in this time.");
  // The log is of all teams.
  const is_linked = api.who()?.access !== "teams";
  const model = (item) => name(item.name || "none answered");
  return table("Use by model", [
    { title: "Model", cell: (item) => (is_linked ? h("a", { href: api.url("/ui/requests", { model: item.name, ...parameters }) }, model(item)) : model(item)) },
    { title: "Requests", number: true, cell: (item) => format.count(item.requests) },
    { title: "Tokens", number: true, cell: (item) => { const used = format.tokens(item.tokens); return format.brief(used.input + used.output); } },
    { title: "Cost", number: true, cell: (item) => format.dollars(item.cost_nano) },
  ], sums.items);
}

export async function spending(prefix, budgets, signal) {
  if (!budgets?.length) return h("p", null, "None of its own.");
  const { items: own } = await api.get("/admin/v1/budgets", { prefix, limit: 1000 }, signal).catch(() => ({ items: [] }));
  return own.length ? h("div", { class: "stack" }, own.map((budget) => meter(budget, budget.name.slice(prefix.length)))) : h("p", null, "Their state cannot be shown.");
}

/** A budget as a bar, with where it will end if it goes on as so far. */
export function meter(budget, title) {
  const amount = (value) => (budget.unit === "usd" ? format.dollars(Number(value) * 1e9) : `${format.brief(value)} ${budget.unit}`);
  const [limit, spent, reserved] = [budget.limit, budget.spent, budget.reserved].map(Number);
  const part = limit ? (spent + reserved) / limit : 1;
  const [start, end] = [Date.parse(budget.window?.start), Date.parse(budget.resets)];
  const passed = (api.now() - start) / (end - start);
  const forecast = end && passed > 0.02 && passed < 1 ? spent / passed : null;
  const bar = h("span", null);
  bar.style.inlineSize = `${Math.min(100, 100 * part)}%`;
  const kind = part >= 1 ? "bad" : part >= 0.8 || forecast > limit ? "warn" : "";
  return h("div", { class: "budget" },
    h("div", { class: "title" }, h("h3", null, name(title, 60)), h("span", { class: "number" }, `${amount(spent)} of ${amount(limit)}`)),
    h("span", { class: `bar ${kind}`, role: "img", "aria-label": `${Math.round(100 * part)} % used` }, bar),
    h("p", { class: "hint" }, `${Math.round(100 * part)} % used`, reserved > 0 && `, ${amount(reserved)} of it reserved`,
      end && `, resets ${format.whole_time(budget.resets)}`,
      forecast !== null && [", ", h("span", { class: forecast > limit ? "worse" : "" }, `at this pace ${amount(budget.unit === "usd" ? forecast.toFixed(9) : Math.round(forecast))} by then`)]));
}

export async function teams(place, { signal, query, go }) {
  const again = () => go(location.pathname, { replace: true });
  const page = await api.get("/admin/v1/teams", { cursor: query.get("cursor"), limit: SIZE }, signal);
  const make = h("button", { type: "button", class: "primary", on: { click: () => create_team(again) } }, "Make a team");
  add(place, [h("div", { class: "title" }, h("h1", null, "Teams"), api.may_write() && make)]);
  if (page.items.length === 0) {
    add(place, [empty("The store has no team.", "A team's rights, limits and budgets apply to all of its keys together.")]);
    return;
  }
  add(place, [h("div", { class: "card" }, table("Teams", [
    { title: "Team", cell: (team) => h("a", { href: `/ui/teams/${encodeURIComponent(team.id)}` }, name(team.id)) },
    { title: "Name", cell: (team) => name(team.name) },
    { title: "State", cell: state },
    { title: "Organisation", wide: true, cell: (team) => name(team.organisation) },
    { title: "Models", wide: true, cell: models },
    { title: "Budgets", number: true, cell: (team) => format.count(team.budgets?.length ?? 0) },
  ], page.items)), more(page, "/ui/teams", {})]);
}

function create_team(again) {
  ask("Make a team", [
    field("Team's id", input("id", { required: true, pattern: "[a-z0-9][a-z0-9._\\-]*", maxlength: "64" }), "Small letters, digits and dashes. It never changes."),
    field("Name", input("name", { required: true })),
    field("Team's models", input("models", { placeholder: "gpt-4o, claude-*" }), "Names or patterns; all, if empty."),
    field("Dollars a month", input("usd", { inputmode: "decimal" }), "A budget; none, if empty."),
    field("Requests a minute", input("rpm", { inputmode: "numeric" }), "A limit; none, if empty."),
  ], "Make it", async (fields) => {
    await api.send("POST", "/admin/v1/teams", { id: fields.id, name: fields.name, ...allowed(fields) });
    again();
  });
}

export async function team(place, { signal, item, go }) {
  const found = await api.get(`/admin/v1/teams/${encodeURIComponent(item)}`, {}, signal);
  const again = () => go(location.pathname, { replace: true });
  const change = (disabled) => api.send("PATCH", `/admin/v1/teams/${encodeURIComponent(found.id)}`, { disabled });
  add(place, [
    h("p", { class: "crumbs" }, h("a", { href: "/ui/teams" }, "Teams")),
    h("div", { class: "title" }, h("h1", null, name(found.name)), state(found)),
    h("div", { class: "pair" },
      card("Team", facts([["Id", h("code", null, found.id)], ["Organisation", name(found.organisation)], ["Made", format.whole_time(found.created)],
        ["Keys", h("a", { href: api.url("/ui/keys", { team: found.id }) }, "the team's keys")]])),
      card("May do", facts(terms(found)))),
    card("Budgets", await spending(`team/${found.id}/`, found.budgets, signal)),
    card("Use of the last 30 days", await usage({ team: found.id }, signal)),
    may_change(found.id) && card("Change", h("div", { class: "buttons" }, found.disabled
      ? h("button", { type: "button", on: { click: () => change(false).then(again, fail) } }, "Enable")
      : h("button", { type: "button", class: "danger", on: { click: () => sure(`Disable ${found.id}?`, "All its keys are refused from the next request on.", "Disable", () => change(true), again) } }, "Disable"))),
  ]);
}
