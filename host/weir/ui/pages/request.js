// One request's whole story: where it went and why, how long each part took, what it cost, what was lost, what was said.

import * as api from "../api.js";
import { add, badge, block, card, empty, facts, fill, h, name, table } from "../dom.js";
import * as format from "../format.js";
import { status } from "./requests.js";
import { begin } from "./shadow.js";
import { path } from "./trials.js";

const OUTCOMES = {
  ok: "answered",
  failed: "failed",
  refused: "refused by Weir or the provider",
  cut: "cut off in the middle of the answer",
  cancelled: "the client left",
};

export default async function request(place, { signal, item, go }) {
  const fact = await logged(item, signal);
  const content = await exchange(fact.id, signal);
  const link = (kind, value) => (value ? h("a", { href: api.url("/ui/requests", { [kind]: value }) }, name(value)) : "");
  add(place, [
    h("p", { class: "crumbs" }, h("a", { href: "/ui/requests" }, "Requests")),
    h("div", { class: "title" }, h("h1", null, name(fact.model_asked || "Request", 48)), h("div", null, status(fact), " ", OUTCOMES[fact.outcome] ?? fact.outcome)),
    fact.error_kind && h("div", { class: "failure" }, h("p", { class: "empty-title" }, "Why it failed: ", name(fact.error_kind)), h("p", { class: "long", dir: "auto" }, fact.error_text || "The provider gave no text.")),
    h("div", { class: "pair" },
      card("Request", facts([
        ["Began", format.whole_time(fact.time)],
        ["Id", h("code", null, fact.id)],
        ["Client's id", name(fact.client_request_id)],
        ["Operation", fact.operation],
        ["Format", name(fact.dialect)],
        ["Key", link("key", fact.key)],
        ["Team", link("team", fact.team)],
        ["User", link("user", fact.user)],
        ["Tags", Object.keys(fact.tags).map((tag) => [link("tag", tag), " "])],
        ["Client", name(fact.client)],
        ["Sizes", `${format.bytes(fact.bytes_in)} in, ${format.bytes(fact.bytes_out)} out`],
      ])),
      fact.provider && card("Answer", facts([
        ["Provider", link("provider", fact.provider)],
        ["Model", name(fact.model_served)],
        ["Named by the answer", fact.model_named ? name(fact.model_named) : ""],
        ["Target", name(fact.target)],
        ["Lane", fact.lane && [badge("plain", fact.lane), fact.lane === "relay" ? " the bytes passed unchanged" : " translated by two adapters"]],
        ["Adapter", fact.adapter && [name(fact.adapter), " ", h("code", { title: fact.adapter_digest }, format.digest(fact.adapter_digest))]],
        ["Stopped by", name(fact.finish)],
        ["Service tier", name(fact.service_tier)],
        ["Batch", fact.batch && "yes"],
      ]))),
    fact.lane === "cache" && card("Kept answer", facts([
      ["Saved", format.dollars(fact.saved_nano)],
      ["Question", fact.similarity === null ? "an equal request" : `another one, with a cosine of ${fact.similarity.toFixed(4)}`],
    ])),
    card("Time", waterfall(fact)),
    card("Attempts", attempts(fact)),
    fact.provider && card("Cost", cost(fact)),
    fact.provider && card("Lost in translation", losses(fact)),
    card("Content", content.shown),
    card("What to do with it", actions(fact, content.hasContent, go)),
  ]);
}

/** The request's fact. One that has just ended is written within a second. */
async function logged(id, signal) {
  for (let left = 3; ; left -= 1) {
    try {
      return await api.get(`/admin/v1/requests/${encodeURIComponent(id)}`, {}, signal);
    } catch (error) {
      if (error.code !== "not_found" || left === 0) throw error;
      await new Promise((done) => setTimeout(done, 600));
      signal.throwIfAborted();
    }
  }
}

/** The parts of the time, one below the other as they followed. */
function waterfall(fact) {
  if (!fact.provider) return h("p", null, `${format.micros(fact.total_us)}, all of it Weir's own.`);
  const whole = Math.max(fact.total_us, 1);
  const bar = ({ from, to, colour }) => {
    const inner = h("span", { class: `span ${colour}` });
    inner.style.marginInlineStart = `${(100 * from) / whole}%`;
    inner.style.inlineSize = `${Math.max(0.4, (100 * (to - from)) / whole)}%`;
    return h("span", { class: "track", "aria-hidden": "true" }, inner);
  };
  const lines = parts(fact, whole).map((part) => h("div", { class: "step" }, h("dt", null, part.title), h("dd", null, bar(part),
    h("span", { class: "number" }, h("span", { class: "unseen" }, `begins after ${format.micros(part.from)} and takes `), format.micros(part.to - part.from)))));
  return [h("dl", { class: "waterfall" }, lines),
    h("p", { class: "hint" }, `${format.micros(fact.total_us)} in all. What is not the provider's time is shown at the beginning; parts of it fall between the provider's pieces.`)];
}

/** The parts of a request's time, each with its place between the head and the end. */
function parts(fact, whole) {
  const part = (title, from, to, colour) => ({ title, from: Math.min(from, whole), to: Math.min(Math.max(from, to), whole), colour });
  const first = fact.first_token_us ?? null;
  const own = Math.min(fact.own_us, whole);
  // Requests that were logged before attempts had times have none; where the first target answered, none are needed.
  const timed = (Array.isArray(fact.attempts) ? fact.attempts : []).filter((attempt) => Number.isFinite(attempt.took_us));
  if (timed.length === 0) {
    const before = Array.isArray(fact.attempts) ? "Weir and failed attempts" : "Weir itself";
    return first === null
      ? [part(before, 0, own, "accent-2"), part("Provider", own, whole, "accent")]
      : [part(before, 0, own, "accent-2"), part("Until the first token", own, first, "accent"), part("The rest of the stream", Math.max(first, own), whole, "ok")];
  }
  const end = ({ began_us, took_us }) => began_us + took_us;
  const tried = (attempt) => [name(attempt.target, 48), h("span", { class: "hint" }, attempt.failed ? " failed" : " answered")];
  const bars = timed.map((attempt) => part(tried(attempt), attempt.began_us, end(attempt), attempt.failed ? "bad" : "accent"));
  const answered = timed.find((attempt) => !attempt.failed);
  const head = answered ? end(answered) : null;
  const rest = head === null ? [] : first === null
    ? [part("The rest of the answer", head, whole, "ok")]
    : [part("Until the first token", head, first, "accent"), part("The rest of the stream", Math.max(first, head), whole, "ok")];
  return [part("Weir itself", 0, own, "accent-2"), ...bars, ...rest];
}

function attempts(fact) {
  if (!Array.isArray(fact.attempts) || fact.attempts.length === 0) {
    const none = fact.lane === "cache" ? "None: a kept answer served it." : "None: the request was refused before a target was chosen.";
    return h("p", null, fact.provider ? "One attempt, at the first target." : none);
  }
  const line = (attempt) => {
    if (attempt.failed) return [badge("bad", "failed"), " ", name(attempt.failed)];
    if (attempt.skipped) return [badge("warn", "not tried"), " ", name(attempt.skipped)];
    if (attempt.charged) return [badge("warn", "charged"), " ", format.count(Object.values(attempt.charged.tokens).reduce((sum, count) => sum + count, 0)), " tokens"];
    return [badge("good", String(attempt.status)), " answered"];
  };
  return h("ol", { class: "attempts" }, fact.attempts.map((attempt) => h("li", null, h("b", null, name(attempt.target)), " ", line(attempt))));
}

function cost(fact) {
  const explained = fact.explained ?? {};
  const lines = explained.lines ?? [];
  const counts = Object.entries(fact.tokens ?? {}).map(([bucket, amount]) => [bucket.replaceAll("_", " "), format.count(amount)]);
  return [
    h("p", { class: "figure" }, format.dollars(fact.cost_nano)),
    facts([...counts, ["Counted by", fact.estimated ? "an estimate: the provider gave no count" : ""], ["Prices", name(fact.price_version)], ["Region", fact.region ? name(fact.region) : ""]]),
    lines.length > 0 && table("Cost line by line", [
      { title: "Measure", cell: (line) => line.measure },
      { title: "Count", number: true, cell: (line) => line.count },
      { title: "Rate", number: true, cell: (line) => line.rate },
      { title: "Amount", number: true, cell: (line) => `$${line.amount_usd}` },
      { title: "From", wide: true, cell: (line) => name(`${line.file}: ${line.place}`, 48) },
    ], lines),
    (explained.without_price ?? []).length > 0 && h("p", { class: "worse" }, "Without a price: ", explained.without_price.join(", "), ". Add one with ", h("code", null, "price_file"), "."),
    (explained.assumptions ?? []).map((text) => h("p", { class: "hint" }, text)),
    explained.note && h("p", { class: "hint" }, explained.note),
  ];
}

function losses(fact) {
  if (!Array.isArray(fact.losses) || fact.losses.length === 0) {
    return h("p", null, fact.lane === "relay" ? "Nothing: the bytes passed unchanged." : "Nothing is reported.");
  }
  return h("ul", { class: "losses" }, fact.losses.map((loss) => h("li", null, h("code", null, name(loss, 120)))));
}

async function exchange(id, signal) {
  try {
    return { hasContent: true, shown: sides(await api.get(`/admin/v1/requests/${id}/exchange`, {}, signal)) };
  } catch (error) {
    if (signal.aborted) throw error;
    const shown = error.code === "no_content"
      ? empty("The content of this request is not kept.", "Set ", h("code", null, 'bodies = "errors"'), " or ", h("code", null, '"all"'), " in ", h("code", null, "[store]"), " to keep it, cleaned of secrets.")
      : empty("The content cannot be shown.", error.message);
    return { hasContent: false, shown };
  }
}

function sides(content) {
  const part = (title, value) => value && h("details", null, h("summary", null, title), block(pretty(value), title));
  const shown = [
    part("The client's request", content.client.request),
    part("What the provider was sent", content.upstream.request),
    part("What the provider answered", content.upstream.response),
    part("What the client got", content.client.response),
  ].filter(Boolean);
  shown[0]?.setAttribute("open", "");
  return shown;
}

const pretty = (value) => JSON.stringify(value, null, 2);

function actions(fact, hasContent, go) {
  const result = h("div", { role: "status" });
  const explain = h("button", { type: "button" }, "Explain its route as of now");
  explain.addEventListener("click", async () => {
    explain.disabled = true;
    try {
      const route = await api.send("POST", "/admin/v1/routes/explain", { model: fact.model_asked });
      fill(result, block(pretty(route), "The route"));
    } catch (error) {
      fill(result, h("p", { class: "error" }, error.message));
    } finally {
      explain.disabled = false;
    }
  });
  const tried = h("button", { type: "button" }, "Try another adapter version");
  tried.addEventListener("click", async () => {
    try {
      begin(await api.get(path(fact.adapter)), go, fact.id);
    } catch (error) {
      fill(result, h("p", { class: "error" }, error.message));
    }
  });
  return [
    h("div", { class: "buttons" }, fact.model_asked && explain, hasContent && fact.adapter && api.may_write() && tried,
      fact.operation === "chat" && h("a", { class: "button", href: api.url("/ui/playground", { request: fact.id }) }, "Send it again and compare"),
      hasContent && fact.provider && h("a", { class: "button", href: `/admin/v1/requests/${fact.id}/fixture`, download: `${fact.id}.json` }, "Save it as a fixture")),
    result,
    facts([
      ["Keep it as a fixture", h("code", null, `weir fixture pin ${fact.id}`)],
      ["Read it in a terminal", h("code", null, `weir log show ${fact.id}`)],
    ]),
  ];
}
