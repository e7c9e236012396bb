// The official Google client, `@google/genai`.

import { ApiError, GoogleGenAI } from "@google/genai";

import { question, tool, turns } from "./turns.mjs";

const functionDeclarations = [
  { name: tool.name, description: tool.description, parametersJsonSchema: tool.parameters },
];

async function turn(answers) {
  const out = { text: "", calls: [], parts: [] };
  for await (const { candidates = [], usageMetadata: usage } of answers) {
    for (const { content, finishReason } of candidates) {
      const parts = (content?.parts ?? []).filter((it) => it.text !== "");
      out.parts.push(...parts);
      out.text += parts.map((it) => it.text ?? "").join("");
      out.calls.push(...parts.filter((it) => it.functionCall).map(({ functionCall: it }) => [it.name, it.args]));
      out.finish = finishReason ?? out.finish;
    }
    out.tokens = usage ? [usage.promptTokenCount, usage.candidatesTokenCount] : out.tokens;
  }
  return out;
}

// Tool results are an object here; other formats get its JSON.
function spoken(text) {
  return text.split(" / ").map((it) => (it.startsWith("{") ? JSON.parse(it).result : it)).join(" / ");
}

function open(lane) {
  const httpOptions = { baseUrl: `${lane.address}/` };
  const { models } = new GoogleGenAI({ apiKey: lane.key, vertexai: false, httpOptions });
  const ask = (model, tools, contents = question) => ({
    model,
    contents,
    config: tools ? { tools: [{ functionDeclarations }] } : {},
  });
  return {
    whole: async (model, tools) => turn([await models.generateContent(ask(model, tools))]),
    streamed: async (model, tools) => turn(await models.generateContentStream(ask(model, tools))),
    again: async (model, { parts }, results) => {
      const calls = parts.filter((it) => it.functionCall).map((it) => it.functionCall);
      const answers = calls.map(({ id, name }, at) => ({ functionResponse: { id, name, response: { result: results[at] } } }));
      const asked = { role: "user", parts: [{ text: question }] };
      const contents = [asked, { role: "model", parts }, { role: "user", parts: answers }];
      return spoken((await turn([await models.generateContent(ask(model, true, contents))])).text);
    },
  };
}

turns("google", "gemini", open, {
  finishes: { stop: "STOP", calls: "STOP" },
  tokens: [32, 9],
  failure: (error) => error instanceof ApiError,
  broken: (error) => error instanceof Error,
  status: (error) => error.status,
});
