"""acme: a guard that refuses chat requests with a certain word, which the option `word` sets.

`wit/deps/hook/hook.wit` has everything that a guard can do: refuse, change and annotate requests, judge answers, and take
note of the end of exchanges. The classes have the names of its interfaces.
"""

import json
from typing import List

from wit_world import exports
from wit_world.exports import about as a
from wit_world.exports import guard as g
from wit_world.imports import types as t

SETTINGS = {"type": "object", "additionalProperties": False, "properties": {"word": {"type": "string"}}}


class About(exports.About):
    def describe(self) -> a.Manifest:
        """The manifest, which never changes."""
        return a.Manifest(
            name="acme",
            version="0.1.0",
            contract="0.1.0",
            description="acme: refuses chat requests with a certain word",
            settings=json.dumps(SETTINGS),
            # EVENT here, and access to the answer below, if `guard.Answer` is to judge answers.
            phases=[a.Phase.REQUEST],
            grants=a.Grants(prompt=a.Access.READ, answer=a.Access.NONE, metadata=False),
            hold_back=0,
            deterministic=True,
        )


class Guard(exports.Guard):
    def on_request(self, facts: g.Facts, asked: g.Asked) -> g.RequestAnswer:
        """Judges a request before it is sent."""
        word = next((json.loads(option.json) for option in facts.options if option.key == "word"), "")
        if not word or not isinstance(asked, g.Asked_Chat):
            return g.RequestAnswer(g.RequestVerdict_Allow(), [], "")
        parts = (part for message in asked.value.messages for part in message.parts)
        found = sum(isinstance(part, t.Part_Text) and word in part.value.text for part in parts)
        if found == 0:
            return g.RequestAnswer(g.RequestVerdict_Allow(), [], "")
        denial = g.Denial(None, "this request has a word that is not allowed here", [])
        # What was found is never told, only that it was.
        return g.RequestAnswer(g.RequestVerdict_Deny(denial), [g.Annotation("word", str(found))], "")

    def on_end(self, facts: g.Facts, outcome: g.Outcome) -> List[g.Annotation]:
        """Takes note of the end of an exchange, if the manifest names the phase END."""
        return []
