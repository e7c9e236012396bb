// The official Anthropic client.

import Anthropic from "@anthropic-ai/sdk";

import { question, tool, turns } from "./turns.mjs";

const user = [{ role: "user", content: question }];
const tools = [{ name: tool.name, description: tool.description, input_schema: tool.parameters }];

function turn({ content, stop_reason, usage }) {
  const text = content.filter((it) => it.type === "text").map((it) => it.text).join("");
  const calls = content.filter((it) => it.type === "tool_use").map((it) => [it.name, it.input]);
  return { text, calls, finish: stop_reason, tokens: [usage.input_tokens, usage.output_tokens], content };
}

function open(lane) {
  const { messages } = new Anthropic({ baseURL: lane.address, apiKey: lane.key, maxRetries: 0 });
  const ask = (model, wanted, turns = user) => ({ model, max_tokens: 2048, messages: turns, ...(wanted && { tools }) });
  return {
    whole: async (model, wanted) => turn(await messages.create(ask(model, wanted))),
    streamed: async (model, wanted) => turn(await messages.stream(ask(model, wanted)).finalMessage()),
    again: async (model, { content }, results) => {
      const ids = content.filter((it) => it.type === "tool_use").map((it) => it.id);
      const answers = ids.map((id, at) => ({ type: "tool_result", tool_use_id: id, content: results[at] }));
      const history = [...user, { role: "assistant", content }, { role: "user", content: answers }];
      return turn(await messages.create(ask(model, true, history))).text;
    },
  };
}

turns("anthropic", "anthropic", open, {
  finishes: { stop: "end_turn", calls: "tool_use" },
  tokens: [20, 9],
  failure: (error) => error instanceof Anthropic.APIError,
  broken: (error) => error instanceof Anthropic.AnthropicError,
  status: (error) => error.status,
});
