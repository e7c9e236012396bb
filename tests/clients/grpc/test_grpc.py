"""The official gRPC for Python, `grpcio`, with the code that it makes of the .proto files."""

import atexit
import json
import sys
import tempfile
from pathlib import Path

import grpc
import grpc_tools
from google.protobuf import descriptor_pb2, empty_pb2
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status
from grpc_tools import protoc

from gateway import in_lanes
from weir_process import ROOT
from others.turns import ABOUT, NAME, PARAMETERS, QUESTION, RESULTS, Turn, Turns
from script import GREETING


def make_code():
    """Makes Python code of the .proto files, where the imports below find it."""
    folder = tempfile.TemporaryDirectory(prefix="weir-grpc-")
    atexit.register(folder.cleanup)
    protos = ROOT / "host/grpc/proto"
    places = [f"-I{protos}", f"-I{Path(grpc_tools.__file__).parent / '_proto'}"]
    outputs = [f"--python_out={folder.name}", f"--grpc_python_out={folder.name}"]
    files = [str(path.relative_to(protos)) for path in sorted(protos.rglob("*.proto"))]
    if protoc.main(["protoc", *places, *outputs, *files]) != 0:
        raise RuntimeError("the .proto files are wrong")
    sys.path.insert(0, folder.name)


make_code()

from weir.types.v1 import types_pb2 as types  # noqa: E402
from weir.v1 import inference_pb2, inference_pb2_grpc  # noqa: E402

USER = {"role": {"user": {}}, "parts": [{"text": {"text": QUESTION}}]}
TOOL = {"function": {"name": NAME, "description": ABOUT, "parameters": json.dumps(PARAMETERS)}}


class Asking:
    def setUp(self):
        self.channel = grpc.insecure_channel(self.lane.address.removeprefix("http://"))
        self.addCleanup(self.channel.close)
        self.client = inference_pb2_grpc.InferenceStub(self.channel)
        self.metadata = [("authorization", f"Bearer {self.lane.key}")]

    def ask(self, scenario, stream, tools=False, messages=(USER,)):
        model = self.lane.model(scenario)
        chat = {"model": model, "stream": stream, "messages": messages, "max_output_tokens": 64}
        chat = types.ChatRequest(**chat, tools=[TOOL] if tools else [])
        request = inference_pb2.GenerateRequest(chat=chat)
        return self.client.Generate(request, metadata=self.metadata, timeout=30)

    def whole(self, scenario, tools=False, messages=(USER,)):
        response, end = self.ask(scenario, False, tools, messages)
        self.assertEqual(end.WhichOneof("kind"), "summary")
        candidate = response.response.candidates[0]
        text = "".join(part.text.text for part in candidate.parts if part.HasField("text"))
        calls = [part.tool_call for part in candidate.parts if part.HasField("tool_call")]
        return turn(text, calls, candidate.finish, end.summary)

    def streamed(self, scenario, tools=False):
        texts, calls, finish, summary = {}, {}, None, None
        for message in self.ask(scenario, True, tools):
            event = message.event
            match message.WhichOneof("kind"), event.WhichOneof("kind"):
                case "summary", _:
                    summary = message.summary
                case _, "part_start" if event.part_start.kind.HasField("tool_call"):
                    start = event.part_start.kind.tool_call
                    calls[event.part_start.part] = types.ToolCall(id=start.id, name=start.name, kind=start.kind)
                case _, "part_start" if event.part_start.kind.HasField("text"):
                    texts[event.part_start.part] = ""
                case _, "delta" if event.delta.part in calls:
                    calls[event.delta.part].arguments += event.delta.text
                case _, "delta" if event.delta.part in texts:
                    texts[event.delta.part] += event.delta.text
                case _, "finish":
                    finish = event.finish.finish
        return turn("".join(texts.values()), list(calls.values()), finish, summary)


def plain(file):
    """A file's description without what a program does not need: its options, and names that follow from others."""
    file.ClearField("options")
    for message in file.message_type:
        for field in message.field:
            field.ClearField("json_name")
    return file


def turn(text, calls, finish, summary) -> Turn:
    made = [(call.name, json.loads(call.arguments)) for call in calls]
    usage = summary.usage
    tokens = (usage.input + usage.cache_read + usage.cache_write, usage.output)
    return Turn(text, made, types.FinishReason.Name(finish.reason), tokens, calls)


@in_lanes("completions")
class Grpc(Asking, Turns):
    failure = grpc.RpcError
    broken = grpc.RpcError
    finishes = {
        "stop": "FINISH_REASON_COMPLETE",
        "calls": "FINISH_REASON_TOOL_CALLS",
        "length": "FINISH_REASON_LENGTH",
    }

    def again(self, turn):
        turn_sent = {"role": {"assistant": {}}, "parts": [types.Part(tool_call=call) for call in turn.raw]}
        results = [
            {"tool_result": {"call_id": call.id, "name": call.name, "content": [{"text": {"text": it}}]}}
            for call, it in zip(turn.raw, RESULTS)
        ]
        tool = {"role": {"tool": {}}, "parts": results}
        return self.whole("tools", True, (USER, turn_sent, tool)).text

    def status(self, error):
        codes = {grpc.StatusCode.INVALID_ARGUMENT: 400, grpc.StatusCode.RESOURCE_EXHAUSTED: 429}
        return codes.get(error.code())

    def test_a_status_has_its_reason(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.whole("no-such-model")
        self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)
        status = rpc_status.from_call(caught.exception)
        info = error_details_pb2.ErrorInfo()
        self.assertTrue(status.details[0].Unpack(info))
        self.assertEqual((info.domain, info.reason, info.metadata["param"]), ("weir", "MODEL_NOT_FOUND", "model"))

    def test_usage_is_in_the_trailers(self):
        call = self.ask("plain", True)
        *_, end = call
        trailers = dict(call.trailing_metadata())
        usage = types.Usage.FromString(trailers["x-weir-usage-bin"])
        self.assertEqual(usage, end.summary.usage)
        self.assertEqual(end.summary.attempts, 1)

    def test_the_schema_is_told_as_it_is(self):
        reflected = ProtoReflectionDescriptorDatabase(self.channel)
        self.assertEqual(list(reflected.get_services()), ["weir.v1.Inference"])
        for known in (inference_pb2.DESCRIPTOR, types.DESCRIPTOR, empty_pb2.DESCRIPTOR):
            own = descriptor_pb2.FileDescriptorProto()
            known.CopyToProto(own)
            of_server = reflected.FindFileByName(known.name)
            self.assertEqual(plain(of_server), plain(own))
        symbol = reflected.FindFileContainingSymbol("weir.types.v1.ChatRequest")
        self.assertEqual(symbol.name, "weir/types/v1/types.proto")

    def test_models(self):
        listed = self.client.ListModels(inference_pb2.ListModelsRequest(), metadata=self.metadata)
        self.assertIn(self.lane.model("plain"), {model.id for model in listed.models})

    def test_tokens(self):
        chat = types.ChatRequest(model=self.lane.model("plain"), messages=[USER])
        request = inference_pb2.CountTokensRequest(chat=chat)
        counted = self.client.CountTokens(request, metadata=self.metadata, timeout=30)
        self.assertGreater(counted.count.input, 0)

    def test_a_call_may_be_cancelled(self):
        call = self.ask("plain", True)
        next(call)
        call.cancel()
        with self.assertRaises(grpc.RpcError):
            list(call)
        self.assertEqual(call.code(), grpc.StatusCode.CANCELLED)
        self.assertEqual(self.whole("plain").text, GREETING)
