"""The Python SDK on this machine's Python, with the classes that componentize-py writes for the template's world.

`cargo xtask languages python` runs it; PYTHONPATH names those classes, the SDK and the template's `src`.
"""

import contextlib
import io
import json
import pathlib
import unittest
from types import SimpleNamespace

import app
import provider_chat
from componentize_py_types import Err
from wit_world.exports import provider_chat as p
from wit_world.imports import types as t

from weir_sdk import export, fail, fit, manifest, model, names, retry
from weir_sdk.compat import Provider, Quirks, messages, usage
from weir_sdk.losses import Losses
from wit_world.exports import about as a

CTX = t.Context("req_1", 784_111_777_000.0, "m", "openai.chat", [], [], None, "")


def quiet(call):
    """The exception or the result of a call, without printing the traceback."""
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            return call()
        except Err as error:
            return error.value


def events(*chunks):
    decoder = provider_chat.ChatDecoder(CTX)
    frames = [t.Frame(None, chunk if isinstance(chunk, str) else json.dumps(chunk)) for chunk in chunks]
    return decoder.push(frames).events + decoder.finish().events


def chunk(delta, finish=None):
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


class Fitting(unittest.TestCase):
    def test_numbers_become_text_where_text_is_due_and_nothing_becomes_an_empty_list(self):
        part = fit.plan(t.Part)(t.Part_Text(t.TextPart(7, None, None, None, None)))
        self.assertEqual(part.value, t.TextPart("7", [], None, None, []))

    def test_counts_stay_within_their_bits(self):
        given = model.usage(input=-1, cache_read=1 << 40, cache_write=2.9, output=float("nan"))
        fits = fit.plan(t.Usage)(given)
        self.assertEqual([fits.input, fits.cache_read, fits.cache_write, fits.output], [0, 0xFFFFFFFF, 2, 0])
        self.assertEqual(fit.plan(t.Error)(fail("timeout", "x", status=1 << 20).value).status, 0xFFFF)

    def test_half_a_surrogate_pair_is_mended_and_a_whole_one_stays(self):
        self.assertEqual(fit.text("a\ud83db"), "a\ufffdb")
        self.assertEqual(fit.text("\U0001f600\u00e9"), "\U0001f600\u00e9")

    def test_what_cannot_fit_names_its_place(self):
        with self.assertRaisesRegex(TypeError, r"TextPart\.text: text is due, this is bytes"):
            fit.plan(t.Part)(t.Part_Text(t.TextPart(b"x", [], None, None, [])))
        with self.assertRaisesRegex(TypeError, "is no FinishReason"):
            fit.plan(t.Finish)(model.finish("finished"))


class Guard(unittest.TestCase):
    class Broken:
        def describe(self):
            return app.QUIRKS and app.About().describe()

        def parse_error(self, ctx, response):
            raise KeyError("status")

        def render_request(self, ctx, request):
            raise fail("unsupported", "no tools here", param="tools")

        def parse_response(self, ctx, response):
            return {}["id"]

        class ChatDecoder:
            def __init__(self, ctx):
                raise ValueError("no such option")

    def setUp(self):
        broken = self.Broken()
        export(__name__, about=broken, provider_errors=broken, provider_chat=broken, provider_models=broken)
        self.addCleanup(app.Adapter(app.QUIRKS).export, app.__name__)

    def test_an_exception_is_an_internal_error_that_names_the_line(self):
        error = quiet(lambda: ProviderChat().parse_response(CTX, None))
        self.assertEqual(error.kind, t.ErrorKind.INTERNAL)
        self.assertRegex(error.message, r"KeyError: 'id' \(test_sdk\.py:\d+\)")

    def test_an_error_of_the_contract_passes(self):
        error = quiet(lambda: ProviderChat().render_request(CTX, None))
        self.assertEqual((error.kind, error.param), (t.ErrorKind.UNSUPPORTED, "tools"))

    def test_parse_error_gives_an_error_whatever_happens(self):
        self.assertEqual(quiet(lambda: ProviderErrors().parse_error(CTX, None)).kind, t.ErrorKind.INTERNAL)

    def test_a_constructor_that_fails_shows_at_the_first_push(self):
        decoder = quiet(lambda: provider_chat.ChatDecoder(CTX))
        self.assertIn("no such option", quiet(lambda: decoder.push([])).message)


class Contract(unittest.TestCase):
    def test_the_manifest_is_whole_and_of_the_contract(self):
        head = (pathlib.Path(__file__).parents[2] / "wit/about.wit").read_text().splitlines()[0]
        self.assertEqual(head, f"package weir:adapter@{manifest.CONTRACT};")
        described = app.About().describe()
        self.assertEqual((described.contract, described.faces), (manifest.CONTRACT, []))
        self.assertEqual([one.session for one in described.formats], [None] * len(described.formats))
        self.assertEqual({one.transport for one in described.accepts}, {None})

    def test_what_a_later_contract_added_may_be_left_out_or_said(self):
        tap = manifest.tap(
            usage=[manifest.usage_place("input-audio", "/n", beside=("modality", "AUDIO"))],
            units=[manifest.unit_number("search", "/s"), manifest.unit_matches("image", manifest.equals("/*/t", "i"))],
        )
        fits = fit.plan(a.Tap)(tap)
        self.assertEqual(fits.usage[0].beside, a.PointerEquals("/modality", '"AUDIO"'))
        self.assertEqual([place.unit for place in fits.units], [t.Unit.SEARCH, t.Unit.IMAGE])
        self.assertEqual((fits.service_tier, fits.batch), ([], []))
        self.assertEqual(manifest.other_than("/n", 1, "x").value.json, ["1", '"x"'])

    def test_totals_sum_every_bucket(self):
        every = model.usage(
            input=1, input_audio=2, input_image=4, cache_read=8, cache_write=16, cache_write_hour=32,
            output=1, output_audio=2, output_image=4, reasoning=8,
        )  # fmt: skip
        self.assertEqual((model.input_total(every), model.output_total(every)), (63, 15))
        self.assertEqual((model.cache_write_total(every), model.input_total(model.usage(output=1))), (48, None))

    def test_a_piece_of_arguments_with_its_place_is_a_delta_to_other_encoders(self):
        piece = t.ChatEvent_Argument(t.PartArgument(0, 1, '"Ro', "$.city", '"Ro"', True))
        self.assertEqual(model.as_delta(piece), model.delta(0, 1, '"Ro'))
        self.assertEqual(model.as_delta(model.part_stop(0, 1)), model.part_stop(0, 1))


class Compat(unittest.TestCase):
    def test_values_out_of_range_are_translated_and_others_relayed(self):
        quirks = Quirks(name="acme", clamps={"temperature": (0.0, 1.5)})
        exclusions = Provider(quirks).describe().accepts[0].exclusions
        reason = "this provider takes 0 to 1.5"
        self.assertEqual(
            [one for one in exclusions if one.reason == reason],
            [
                a.Exclusion(manifest.below("/temperature", 0.0), reason),
                a.Exclusion(manifest.above("/temperature", 1.5), reason),
            ],
        )

    def test_audio_and_images_are_buckets_and_stay_in_the_details(self):
        found = usage.read(
            {
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "total_tokens": 150,
                "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 30, "image_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 25, "image_tokens": 99},
                "num_search_queries": 3,
            }
        )
        self.assertEqual((found.input, found.input_audio, found.input_image, found.cache_read), (10, 30, None, 60))
        self.assertEqual((found.output, found.output_audio, found.output_image, found.reasoning), (0, 25, 5, 20))
        self.assertEqual((model.input_total(found), model.output_total(found)), (100, 50))
        self.assertEqual(found.units, [model.unit("search", 3)])
        kept = model.find_extension(found.extensions, "openai.chat", "completion_tokens_details")
        self.assertEqual(json.loads(kept), {"audio_tokens": 25, "image_tokens": 99})

    def test_c03_calls_without_an_index_are_told_apart_by_their_ids(self):
        call = lambda id, words: {"id": id, "function": {"name": "f", "arguments": words}}  # noqa: E731
        found = events(chunk({"tool_calls": [call("a", '{"x":1}'), call("b", '{"y":2}')]}, "tool_calls"))
        starts = [e.value.kind.value.id for e in found if isinstance(e, t.ChatEvent_PartStart)]
        self.assertEqual(starts, ["a", "b"])

    def test_c13_an_end_without_a_finish_is_a_failure_unless_it_was_marked(self):
        cut = events(chunk({"content": "Hi"}))
        self.assertIsInstance(cut[-1], t.ChatEvent_Failure)
        marked = events(chunk({"content": "Hi"}), "[DONE]")
        self.assertIsInstance(marked[-1], t.ChatEvent_Finish)

    def test_a_reason_that_only_this_provider_has(self):
        found = events(chunk({"content": "Hi"}, "done"))
        self.assertEqual(found[-1].value.finish, t.Finish(t.FinishReason.COMPLETE, "done", None))

    def test_an_answer_of_nonsense_is_an_error_and_no_exception(self):
        for body in ("", "[]", "null", '{"choices":7,"usage":[]}', '{"choices":[{"message":{"tool_calls":[7]}}]}'):
            answer = t.HttpResponse(200, [], t.Body_Text(body))
            found = quiet(lambda: app.ProviderChat().parse_response(CTX, answer))
            self.assertTrue(isinstance(found, p.ChatOutcome_Complete) or found.kind == t.ErrorKind.UPSTREAM, found)

    def test_the_highest_detail_of_an_image_is_the_highest_that_chat_has(self):
        source = t.MediaSource_Base64("AAAA")

        def detail(level):
            image = t.MediaPart(t.MediaKind.IMAGE, "image/png", source, None, level, None, [])
            writer = SimpleNamespace(
                losses=Losses(), quirks=app.QUIRKS, ctx=CTX, own=lambda *_: {}, cache_lost=lambda *_: None
            )
            sent = messages._media(writer, "f", image)["image_url"]["detail"]
            return sent, [(loss.field, loss.kind) for loss in writer.losses.take()]

        self.assertEqual(detail("low"), ("low", []))
        self.assertEqual(detail("original"), ("high", [("f.detail", t.LossKind.CLAMPED)]))

    def test_c63_when_to_try_again(self):
        wait = lambda value: retry.after_ms([t.Header("retry-after", value)], CTX.now_ms)  # noqa: E731
        self.assertEqual([wait("2"), wait("Sun, 06 Nov 1994 08:49:47 GMT"), wait("soon")], [2000, 10_000, None])

    def test_c47_long_names_stay_distinct_and_come_back(self):
        sent = names.Names(names.NAME)
        one, two = sent.send("a" * 70 + "1"), sent.send("a" * 70 + "2")
        self.assertNotEqual(one, two)
        back = names.Names.from_memo(names.NAME, sent.to_memo())
        self.assertEqual([back.restore(one), back.restore("f")], ["a" * 70 + "1", "f"])


if __name__ == "__main__":
    unittest.main()
