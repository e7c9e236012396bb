// Organisations and users: made, disabled, and what belongs to them.

import * as api from "../api.js";
import { add, ask, card, empty, facts, field, h, name, table } from "../dom.js";
import * as format from "../format.js";
import { allowed, fail, input, models, more, spending, state, sure, terms, words } from "./keys.js";

const SIZE = 50;
const of = (kind, id) => `/admin/v1/${kind}/${encodeURIComponent(id)}`;
const team_link = (team) => [h("a", { href: `/ui/teams/${encodeURIComponent(team)}` }, name(team)), " "];
const grant = ({ access, team }) => (team ? `${access} what belongs to ${team}` : `${access} everything`);

/** A page of a list of documents. */
async function listed(place, { signal, query }, { kind, title, make, columns, nothing }) {
  const page = await api.get(`/admin/v1/${kind}`, { cursor: query.get("cursor"), limit: SIZE }, signal);
  add(place, [h("div", { class: "title" }, h("h1", null, title), api.may_write() && make)]);
  if (page.items.length === 0) return add(place, [nothing]);
  return add(place, [h("div", { class: "card" }, table(title, [
    { title: "Id", cell: (one) => h("a", { href: `/ui/${kind}/${encodeURIComponent(one.id)}` }, name(one.id)) },
    { title: "Name", cell: (one) => name(one.name) },
    { title: "State", cell: state },
    ...columns,
  ], page.items)), more(page, `/ui/${kind}`, {})]);
}

const create = (title, kind, content, body, again) => h("button", { type: "button", class: "primary", on: { click: () => ask(title, [
  field("Id", input("id", { required: true, pattern: "[A-Za-z0-9._@:+=\\-]{1,128}", maxlength: "128" }), "It never changes."),
  field("Name", input("name", { required: true })),
  content(),
], "Make it", async (fields) => {
  await api.send("POST", `/admin/v1/${kind}`, { id: fields.id, name: fields.name, ...body(fields) });
  again();
}) } }, title);

const switches = (kind, found, text, again) => {
  const change = (disabled) => api.send("PATCH", of(kind, found.id), { disabled });
  return card("Change", h("div", { class: "buttons" }, found.disabled
    ? h("button", { type: "button", on: { click: () => change(false).then(again, fail) } }, "Enable")
    : h("button", { type: "button", class: "danger", on: { click: () => sure(`Disable ${found.id}?`, text, "Disable", () => change(true), again) } }, "Disable")));
};

export async function organisations(place, context) {
  const again = () => context.go(location.pathname, { replace: true });
  const content = () => [
    field("Models", input("models", { placeholder: "gpt-4o, claude-*" }), "Names or patterns; all, if empty."),
    field("Dollars a month", input("usd", { inputmode: "decimal" }), "A budget; none, if empty."),
    field("Requests a minute", input("rpm", { inputmode: "numeric" }), "A limit; none, if empty."),
  ];
  await listed(place, context, {
    kind: "organisations",
    title: "Organisations",
    make: create("Make an organisation", "organisations", content, allowed, again),
    nothing: empty("The store has no organisation.", "An organisation's rights, limits and budgets apply to all of its teams together."),
    columns: [
      { title: "Models", wide: true, cell: models },
      { title: "Budgets", number: true, cell: (one) => format.count(one.budgets?.length ?? 0) },
    ],
  });
}

export async function organisation(place, { signal, item, go }) {
  const found = await api.get(of("organisations", item), {}, signal);
  add(place, [
    h("p", { class: "crumbs" }, h("a", { href: "/ui/organisations" }, "Organisations")),
    h("div", { class: "title" }, h("h1", null, name(found.name)), state(found)),
    h("div", { class: "pair" },
      card("Organisation", facts([["Id", h("code", null, found.id)], ["Made", format.whole_time(found.created)],
        ["Requests", h("a", { href: api.url("/ui/requests", { organisation: found.id }) }, "the organisation's requests")]])),
      card("May do", facts(terms(found)))),
    card("Budgets", await spending(`org/${found.id}/`, found.budgets, signal)),
    api.may_write() && switches("organisations", found, "All keys of its teams are refused from the next request on.", () => go(location.pathname, { replace: true })),
  ]);
}

export async function users(place, context) {
  const again = () => context.go(location.pathname, { replace: true });
  const content = () => [
    field("Address", input("email", { type: "email" }), "For those who read it; nothing is sent there."),
    field("Teams", input("teams"), "Ids of teams; none, if empty."),
  ];
  const body = ({ email, teams }) => ({ ...(email && { email }), ...(words(teams).length > 0 && { teams: words(teams) }) });
  await listed(place, context, {
    kind: "users",
    title: "Users",
    make: create("Make a user", "users", content, body, again),
    nothing: empty("The store has no user.", "Keys can belong to a user; what they use can be found and erased by the user."),
    columns: [
      { title: "Address", wide: true, cell: (one) => name(one.email) },
      { title: "Teams", cell: (one) => (one.teams?.length ? one.teams.map(team_link) : name("")) },
    ],
  });
}

export async function user(place, { signal, item, go }) {
  const found = await api.get(of("users", item), {}, signal);
  add(place, [
    h("p", { class: "crumbs" }, h("a", { href: "/ui/users" }, "Users")),
    h("div", { class: "title" }, h("h1", null, name(found.name)), state(found)),
    card("User", facts([
      ["Id", h("code", null, found.id)],
      ["Address", name(found.email)],
      ["Made", format.whole_time(found.created)],
      ["Teams", (found.teams ?? []).map(team_link)],
      ["Logins", (found.logins ?? []).map((login) => h("div", null, name(login.subject), " at ", name(login.issuer)))],
      ["Grants", (found.grants ?? []).map(grant).join(", ")],
      ["Requests", h("a", { href: api.url("/ui/requests", { user: found.id }) }, "the user's requests")],
    ])),
    api.may_write() && switches("users", found, "All keys of the user are refused from the next request on.", () => go(location.pathname, { replace: true })),
  ]);
}
