"""The tests for every client: one of each for each lane, and a class for each client that implements them."""

from dataclasses import dataclass, field

import gateway
from script import GREETING, LOOKING

QUESTION = "Hello?"
NAME, ABOUT = "get_weather", "The weather of a city"
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
}
FUNCTION = {"type": "function", "function": {"name": NAME, "description": ABOUT, "parameters": PARAMETERS}}
CALLS = [(NAME, {"city": "Paris", "days": 2}), (NAME, {"city": 'Zürich "HB"', "days": 1})]
RESULTS = [f"{arguments['city']}: {arguments['days']}" for _, arguments in CALLS]


@dataclass
class Turn:
    """One answer as a client returns it: calls as names and arguments, tokens as input and output."""

    text: str = ""
    calls: list[tuple[str, dict]] = field(default_factory=list)
    finish: str | None = None
    tokens: tuple[int, int] | None = None
    raw: object = None  # the assistant's turn in the next request, if a client needs its own


class Turns:
    """A client's class has `whole(scenario, tools)` and `streamed(scenario, tools)`, which return a turn;
    `again(turn)`, which returns the text after the tools; `status(error)`; `failure`, the types of its errors; and
    `finishes`, its words for finish reasons.
    """

    failure: type[Exception] = Exception
    finishes: dict[str, str]
    input = 32
    streams_usage = True
    # The exception in the middle of a stream, if there is one.
    broken: type[Exception] | tuple | None = None

    def both(self, scenario, tools=False):
        for way in (self.whole, self.streamed):
            with self.subTest(way=way.__name__):
                yield way(scenario, tools)

    def test_text(self):
        for turn in self.both("plain"):
            self.assertEqual((turn.text, turn.calls), (GREETING, []))
            self.assertEqual(turn.finish, self.finishes["stop"])
            if turn.tokens or self.streams_usage:
                self.assertEqual(turn.tokens, (self.input, 9))

    def test_two_turns_with_parallel_tools(self):
        for turn in self.both("tools", tools=True):
            self.assertEqual(turn.calls, CALLS)
            self.assertIn(turn.text, {LOOKING, ""})
            self.assertEqual(turn.finish, self.finishes["calls"])
            self.assertEqual(self.again(turn), " / ".join(RESULTS))

    def test_the_end_of_the_room(self):
        for turn in self.both("long"):
            self.assertEqual(turn.finish, self.finishes["length"])

    def fails(self, scenario, status):
        for way in (self.whole, self.streamed):
            with self.subTest(scenario, way=way.__name__), self.assertRaises(self.failure) as caught:
                way(scenario)
            self.assertEqual(self.status(caught.exception), status)
        return caught.exception

    def test_errors_are_the_clients_own(self):
        self.assertIn("temperature must be a number", str(self.fails("invalid", 400)))
        self.fails("limited", 429)

    def test_an_error_in_a_stream(self):
        if self.broken is None:
            self.skipTest("this client passes over errors in streams")
        for scenario in ("errs",) if self.lane.is_direct else ("errs", "breaks"):
            with self.subTest(scenario), self.assertRaises(self.broken):
                self.streamed(scenario)

    def test_keys_stay_on_their_side(self):
        self.whole("plain")
        _, headers, _ = gateway.upstream().last()
        self.assertIn(gateway.KEY, " ".join(headers.values()))
        self.assertNotIn(gateway.CLIENT_KEY, " ".join(headers.values()))
