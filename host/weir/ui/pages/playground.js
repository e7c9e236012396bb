// A request in any format on the left; on the right what the provider would be sent, what is lost, and what comes back.

import * as api from "../api.js";
import { add, badge, block, card, empty, facts, field, fill, h, name, select, table } from "../dom.js";
import * as format from "../format.js";
import { example } from "./examples.js";

/** The most characters of an answer that are read. */
const MOST = 2_000_000;

export default async function playground(place, { signal, query }) {
  const [endpoints, models, former] = await Promise.all([
    api.get("/admin/v1/endpoints", {}, signal),
    api.get("/admin/v1/targets", {}, signal),
    logged(query.get("request"), signal),
  ]);
  const chats = endpoints.items.filter((one) => one.operation === "chat" && one.method === "POST");
  add(place, [h("h1", null, "Playground")]);
  if (chats.length === 0 || models.items.length === 0) {
    add(place, [empty("There is nothing to send a request to.", "It needs an adapter and a model of the configuration.")]);
    return;
  }
  const left = form(chats, models.items.map(({ model }) => model), former);
  const upstream = h("div", { role: "status", class: "stack" }, h("p", { class: "hint" }, "“Show what goes upstream” fills this. Nothing is sent for it."));
  const answer = h("div", { class: "stack" }, h("p", { class: "hint" }, "A request that is sent is a client's request: it needs a client's key where clients have keys, counts against its budgets, and costs what it costs."));
  add(place, [
    former?.problem && h("p", { class: "error" }, former.problem),
    h("div", { class: "pair" }, card("Request", left.form), h("div", { class: "stack" }, card("What goes upstream", upstream), card("What comes back", answer), former?.fact && card("What came back then", then(former)))),
  ]);
  left.form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const asked = left.read();
    if (asked.problem) return fill(upstream, h("p", { class: "error" }, asked.problem));
    if (event.submitter?.value === "send") await Promise.all([explain(asked, upstream), send(asked, answer, signal)]);
    else await explain(asked, upstream);
  });
}

/** A request of the log that is to be sent again, with its content. */
async function logged(id, signal) {
  if (!id) return null;
  try {
    const path = `/admin/v1/requests/${encodeURIComponent(id)}`;
    const [fact, content] = await Promise.all([api.get(path, {}, signal), api.get(`${path}/exchange`, {}, signal)]);
    return { fact, content };
  } catch (error) {
    if (signal.aborted) throw error;
    return { problem: `The logged request cannot be taken: ${error.message}` };
  }
}

/** The answer of the logged request, to be compared. */
function then({ fact, content }) {
  const answer = content.client.response;
  const text = answer?.chunks ? answer.chunks.map((chunk) => chunk.text ?? "").join("") : answer?.body_text ?? (answer?.body === undefined ? "" : JSON.stringify(answer.body, null, 2));
  return [
    facts([
      ["Status", badge(fact.error_kind ? "bad" : "good", String(fact.status))],
      ["Target", name(fact.target)],
      ["First token", fact.first_token_us && format.micros(fact.first_token_us)],
      ["Whole answer", format.micros(fact.total_us)],
      ["Cost", format.dollars(fact.cost_nano)],
      ["Losses", Array.isArray(fact.losses) ? String(fact.losses.length) : "none"],
      ["Its story", h("a", { href: `/ui/requests/${fact.id}` }, "open the request of then")],
    ]),
    text && block(text, "The answer of then"),
  ];
}

/** What a logged request's path is if it was sent to an endpoint, whose path may have places: `{model}`, `{model...}`. */
function pattern({ path }) {
  const literal = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const parts = path.split(/(\{[^}]*\})/).map((part) => (/^\{.*\}$/.test(part) ? (part.endsWith("...}") ? ".+" : "[^/]+") : literal(part)));
  return new RegExp(`^${parts.join("")}$`);
}

/** The place of the endpoint that a logged request was sent to; otherwise of one that takes its model in the body. */
function place_of(chats, former) {
  const path = former?.content?.client.request?.path_and_query?.split("?")[0];
  const find = (is_it) => {
    const at = chats.findIndex(is_it);
    return at < 0 ? null : at;
  };
  const is_its_path = (one) => path !== undefined && pattern(one).test(path);
  const is_its_format = ({ format }) => format === former?.fact?.dialect;
  const is_plain = ({ path: own }) => !own.includes("{");
  return find((one) => is_its_format(one) && is_its_path(one)) ?? find(is_its_path)
    ?? find((one) => is_its_format(one) && is_plain(one)) ?? find(is_its_format) ?? find(is_plain) ?? 0;
}

function form(chats, models, former) {
  const asked = former?.content?.client.request;
  const options = chats.map((one, at) => [String(at), `${one.format}: ${one.path}`]);
  const input = (name, properties) => h("input", { name, autocomplete: "off", spellcheck: "false", ...properties });
  const endpoint = select({ name: "endpoint" }, options, String(place_of(chats, former)));
  const plain = models.filter((model) => !model.includes("*"));
  const model = input("model", { list: "models", required: true, value: former?.fact?.model_asked || (plain[0] ?? "") });
  const key = input("key", { type: "password", autocomplete: "off" });
  const body = h("textarea", { name: "body", rows: "12", spellcheck: "false" });
  const chosen = () => chats[Number(endpoint.value)];
  // What was written here, and not by hand.
  let written = null;
  const write = (content) => (body.value = written = JSON.stringify(content, null, 2));
  model.addEventListener("change", () => {
    const content = parsed(body.value);
    // Formats with the model in the path have none in the body.
    if (content && Object.hasOwn(content, "model")) write({ ...content, model: model.value });
  });
  endpoint.addEventListener("change", () => body.value === written && write(example(chosen().format, model.value)));
  write(asked?.body ?? example(chosen().format, model.value));
  const list = h("datalist", { id: "models" }, plain.map((one) => h("option", { value: one })));
  const element = h("form", { class: "stack" }, list,
    field("Endpoint", endpoint), field("Model", model),
    field("Client's key", key, "Kept in this page only, and sent to this server only. None, where clients have no keys."),
    field("Body (JSON)", body),
    h("div", { class: "buttons" }, h("button", { value: "explain" }, "Show what goes upstream"), h("button", { value: "send", class: "primary" }, "Send")));
  const read = () => {
    try {
      return { ...chosen(), model: model.value, key: key.value, body: JSON.parse(body.value), text: body.value };
    } catch (error) {
      return { problem: `The body is no JSON: ${error.message}` };
    }
  };
  return { form: element, read };
}

/** A text as JSON; null if it is none, or no object. */
function parsed(text) {
  try {
    const value = JSON.parse(text);
    return value instanceof Object ? value : null;
  } catch {
    return null;
  }
}

async function explain(asked, place) {
  try {
    // Whether it asks for a stream stands in the body, but in formats that have an endpoint for streams.
    const stream = /stream/i.test(asked.path);
    const route = await api.send("POST", "/admin/v1/routes/explain", { model: asked.model, from: asked.format, stream, request: asked.body });
    const [first, ...others] = route.targets;
    fill(place, first ? target(first) : empty("No target would be tried."), others.length > 0 && h("p", { class: "hint" }, `${others.length} more targets follow if this one fails: the page “Targets” explains the order.`));
  } catch (error) {
    fill(place, h("p", { class: "error" }, error.message));
  }
}

function target(one) {
  const request = one.upstream;
  return [
    facts([["Target", name(`${one.provider}/${one.model}`)], ["Adapter", name(one.adapter)], ["Lane", one.lane && badge("plain", one.lane)], ["Why", one.reason ? h("span", { class: "long" }, one.reason) : ""]]),
    one.refused && h("div", { class: "failure" }, h("p", { class: "long" }, one.refused)),
    request && [
      h("p", null, h("code", null, `${request.method} ${request.path}${request.query.length ? `?${request.query.map(([key, value]) => `${key}=${value}`).join("&")}` : ""}`)),
      block(pretty(request.body), "The body that goes upstream"),
    ],
    one.losses.length > 0
      ? table("Lost in translation", [
        { title: "Field", cell: (loss) => h("code", null, name(loss.field)) },
        { title: "What happens", cell: (loss) => badge("warn", loss.kind) },
        { title: "Why", cell: (loss) => h("span", { class: "long" }, loss.note ?? "") },
      ], one.losses, { caption: true })
      : request && h("p", { class: "better" }, "Nothing is lost."),
  ];
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

async function send(asked, place, signal) {
  const path = asked.path.replace(/\{[^}]*model[^}]*\}/i, encodeURIComponent(asked.model));
  const headers = { "content-type": "application/json", ...(asked.key && { authorization: `Bearer ${asked.key}` }) };
  const begun = performance.now();
  fill(place, h("p", { class: "hint" }, "Waiting…"));
  let response;
  try {
    response = await fetch(path, { method: asked.method, headers, body: asked.text, signal, credentials: "omit" });
    // With `admin.listen`, clients have another address: the admin side hands the request on.
    if (response.status === 404 && response.headers.get("x-weir-request-id") === null) response = await handed_on(asked, path, signal);
  } catch (error) {
    return fill(place, h("p", { class: "error" }, error.message));
  }
  const [summary, holder, trouble] = [h("div", null), h("div", null), h("p", { class: "error", role: "alert" })];
  fill(place, summary, holder, trouble);
  let first = null;
  try {
    const text = await whole(response, (so_far) => {
      first ??= performance.now() - begun;
      fill(holder, block(so_far, "The answer"));
    });
    fill(holder, block(pretty(text), "The answer"));
  } catch (error) {
    if (signal.aborted) return;
    fill(trouble, `The answer broke off: ${error.message}`);
  }
  const header = (name) => response.headers.get(`x-weir-${name}`) ?? "";
  const id = header("request-id");
  fill(summary, facts([
    ["Status", badge(response.ok ? "good" : "bad", String(response.status))],
    ["First piece", first !== null && format.duration(first)],
    ["Whole answer", format.duration(performance.now() - begun)],
    ["Cost", header("cost-usd") && `$${header("cost-usd")}`],
    ["Attempts", name(header("attempts"))],
    ["Losses", name(header("losses"), 120)],
    ["Its story", id && h("a", { href: `/ui/requests/${encodeURIComponent(id)}` }, "open")],
  ]));
}

/** Sends a client's request by way of the admin side. */
function handed_on(asked, path, signal) {
  const headers = { "content-type": "application/json", "x-csrf-token": api.csrf(), ...(asked.key && { "x-weir-client-key": asked.key }) };
  return fetch(`/admin/v1/playground${path}`, { method: "POST", headers, body: asked.text, signal, credentials: "same-origin" });
}

/** An answer's text, as far as it is shown; `show` gets what there is of it after each piece. */
async function whole(response, show) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (let part = await reader.read(); !part.done && text.length < MOST; part = await reader.read()) {
      text += part.value;
      show(text);
    }
  } finally {
    // Otherwise the rest of a long answer would still arrive, and wait in memory.
    reader.cancel().catch(() => {});
  }
  return text;
}
