// Vercel's AI SDK with its packages for OpenAI (responses, chat) and Anthropic.

import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { APICallError, generateText, jsonSchema, streamText, tool as declare } from "ai";

import { question, tool, turns } from "./turns.mjs";

const tools = { [tool.name]: declare({ description: tool.description, inputSchema: jsonSchema(tool.parameters) }) };
const user = [{ role: "user", content: question }];

async function turn(answer) {
  const [text, made, finish, usage] = await Promise.all([answer.text, answer.toolCalls, answer.finishReason, answer.usage]);
  const calls = made.map((it) => [it.toolName, it.input]);
  const { messages } = await answer.response;
  return { text, calls, finish, tokens: [usage.inputTokens, usage.outputTokens], made, messages };
}

const opening = (language) => (lane) => {
  const ask = (model, wanted, messages = user) => ({
    model: language(lane)(model),
    messages,
    maxRetries: 0,
    ...(wanted && { tools }),
  });
  return {
    whole: async (model, wanted) => turn(await generateText(ask(model, wanted))),
    streamed: async (model, wanted) => {
      // A failure is an event of the stream here; the exception that follows is a consequence of it.
      let failed;
      const answer = streamText({ ...ask(model, wanted), onError: ({ error }) => (failed ??= error) });
      const out = await turn(answer).catch((error) => {
        throw failed ?? error;
      });
      if (failed) throw failed;
      return out;
    },
    again: async (model, { made, messages }, results) => {
      const content = made.map(({ toolCallId, toolName }, at) => ({
        type: "tool-result",
        toolCallId,
        toolName,
        output: { type: "text", value: results[at] },
      }));
      return (await generateText(ask(model, true, [...user, ...messages, { role: "tool", content }]))).text;
    },
  };
};

const expected = {
  finishes: { stop: "stop", calls: "tool-calls" },
  tokens: [32, 9],
  failure: (error) => APICallError.isInstance(error),
  broken: (error) => error != null,
  status: (error) => error.statusCode,
};
const openai = (lane) => createOpenAI({ baseURL: `${lane.address}/v1`, apiKey: lane.key });
const anthropic = (lane) => createAnthropic({ baseURL: `${lane.address}/v1`, apiKey: lane.key });

turns("ai-sdk openai chat", "openai", opening((lane) => openai(lane).chat), expected);
turns("ai-sdk openai responses", "responses", opening((lane) => openai(lane).responses), expected);
turns("ai-sdk anthropic", "anthropic", opening((lane) => anthropic(lane)), expected);
