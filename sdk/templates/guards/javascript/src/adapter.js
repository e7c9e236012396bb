// acme: a guard that refuses chat requests with a certain word, which the option `word` sets.
//
// `wit/deps/hook/hook.wit` has everything that a guard can do: refuse, change and annotate requests, judge answers, and take
// note of the end of exchanges. The exports have the names of its interfaces.

const settings = { type: 'object', additionalProperties: false, properties: { word: { type: 'string' } } };

export const about = {
  /** The manifest, which never changes. */
  describe() {
    return {
      name: 'acme',
      version: '0.1.0',
      contract: '0.1.0',
      description: 'acme: refuses chat requests with a certain word',
      settings: JSON.stringify(settings),
      // 'event' here, and access to the answer below, if `Answer` is to judge answers.
      phases: ['request'],
      grants: { prompt: 'read', answer: 'none', metadata: false },
      holdBack: 0,
      deterministic: true,
    };
  },
};

/** The judgement of an answer. This guard lets all of them pass. */
class Answer {
  constructor(facts) {}

  /** Judges the events of one read. */
  push(events) {
    return { verdict: { tag: 'allow' }, annotations: [] };
  }

  /** All events have been pushed. */
  finish() {
    return { verdict: { tag: 'allow' }, annotations: [] };
  }
}

export const guard = {
  Answer,

  /** Judges a request before it is sent. */
  onRequest(facts, asked) {
    const option = facts.options.find(({ key }) => key === 'word');
    const word = option ? JSON.parse(option.json) : '';
    const parts = asked.tag === 'chat' && word ? asked.val.messages.flatMap((message) => message.parts) : [];
    const found = parts.filter((part) => part.tag === 'text' && part.val.text.includes(word)).length;
    if (found === 0) {
      return { verdict: { tag: 'allow' }, annotations: [], memo: '' };
    }
    const denial = { message: 'this request has a word that is not allowed here', annotations: [] };
    // What was found is never told, only that it was.
    return { verdict: { tag: 'deny', val: denial }, annotations: [{ key: 'word', value: `${found}` }], memo: '' };
  },

  /** Takes note of the end of an exchange, if the manifest names the phase 'end'. */
  onEnd(facts, outcome) {
    return [];
  },
};
