//! The usage of a recorded answer, as the provider's adapter reads it.

use weir_adapter_anthropic::Anthropic;
use weir_adapter_azure_openai::AzureOpenAi;
use weir_adapter_bedrock::Bedrock;
use weir_adapter_cohere::Cohere;
use weir_adapter_databricks::Databricks;
use weir_adapter_deepseek::DeepSeek;
use weir_adapter_gemini::Gemini;
use weir_adapter_groq::Groq;
use weir_adapter_mistral::Mistral;
use weir_adapter_ollama::Ollama;
use weir_adapter_openai::OpenAi;
use weir_adapter_openrouter::OpenRouter;
use weir_adapter_perplexity::Perplexity;
use weir_adapter_replicate::Replicate;
use weir_adapter_together::Together;
use weir_adapter_vertex::Vertex;
use weir_adapter_xai::Xai;
use weir_ledger::UsageReports;
use weir_sdk::adapter::{ChatOutcome, Decoder, ProviderChat, ProviderEmbeddings, ProviderRerank};
use weir_sdk::types::{self as sdk, ChatEvent, Context};
use weir_types::contract::types::{Extension, Unit, UnitCount, Usage};
use weir_wire::tap::CostPlace;

use crate::recording::Recording;
use crate::source::ReportedCost;

/// What an answer says about its cost.
#[derive(Debug, Clone, Default)]
pub struct Read {
    /// All reports, in order.
    pub reports: UsageReports,
    /// Whether there was a report at all.
    pub has_usage: bool,
    /// The model that served.
    pub model: Option<String>,
    /// The tier that served, where it stands beside the usage.
    pub service_tier: Option<String>,
    /// The last usage, with what it tells beside the counts.
    usage: Option<Usage>,
}

/// Reads an answer; `None` if it is of a format or an operation that the adapter does not parse.
pub fn read(kind: &str, recording: &Recording) -> Option<Read> {
    match recording.operation.as_str() {
        "chat" | "responses" | "predictions" => chat(kind, recording),
        "embeddings" => embeddings(kind, recording),
        "rerank" => rerank(kind, recording),
        _ => None,
    }
}

fn chat(kind: &str, recording: &Recording) -> Option<Read> {
    let path = recording.path();
    let format = match path {
        _ if path.contains("/chat/completions") => "openai.chat",
        _ if recording.operation == "responses" => "openai.responses",
        _ if path.contains("/v1/chat") && kind == "cohere" => return None,
        _ => "",
    };
    match (kind, format) {
        ("azure-openai", _) => chat_of::<AzureOpenAi>(recording, format),
        ("databricks", _) => chat_of::<Databricks>(recording, format),
        ("deepseek", "openai.chat") => chat_of::<DeepSeek>(recording, format),
        ("groq", _) => chat_of::<Groq>(recording, format),
        ("mistral", _) => chat_of::<Mistral>(recording, format),
        ("openrouter", _) => chat_of::<OpenRouter>(recording, format),
        ("perplexity", _) => chat_of::<Perplexity>(recording, format),
        ("together", _) => chat_of::<Together>(recording, format),
        ("xai", _) => chat_of::<Xai>(recording, format),
        (_, "openai.chat" | "openai.responses") => chat_of::<OpenAi>(recording, format),
        ("anthropic", _) => chat_of::<Anthropic>(recording, "anthropic.messages"),
        ("bedrock", _) => chat_of::<Bedrock>(recording, "bedrock.converse"),
        ("cohere", _) => chat_of::<Cohere>(recording, "cohere.chat"),
        ("gemini", _) => chat_of::<Gemini>(recording, "gemini.generate"),
        ("ollama", _) => chat_of::<Ollama>(recording, "ollama.chat"),
        ("replicate", _) => chat_of::<Replicate>(recording, "replicate.predictions"),
        ("vertex", _) => chat_of::<Vertex>(recording, "vertex"),
        _ => None,
    }
}

fn context(recording: &Recording, format: &str) -> Context {
    let (model, format) = (recording.model(), format.into());
    Context { request_id: "req".into(), now_ms: 1e12, model, format, ..Context::default() }
}

fn chat_of<A: ProviderChat>(recording: &Recording, format: &str) -> Option<Read> {
    let ctx = context(recording, format);
    let mut read = Read::default();
    let Some(response) = recording.whole() else {
        let mut decoder = A::Decoder::new(ctx);
        let mut events = decoder.push(recording.frames()?).ok()?.events;
        events.extend(decoder.finish().ok().into_iter().flat_map(|decoded| decoded.events));
        for event in events {
            read.take(event);
        }
        return Some(read);
    };
    let Ok(ChatOutcome::Complete(answer)) = A::parse_response(&ctx, response) else { return None };
    (read.model, read.service_tier) = (answer.response.model, answer.response.service_tier);
    read.add(answer.response.usage);
    Some(read)
}

impl Read {
    /// The cost that the answer tells at this place.
    pub fn told(&self, place: &str) -> Option<ReportedCost> {
        ReportedCost::parse(&CostPlace::new(place).unwrap().reported_in(self.usage.as_ref()?)?)
    }

    fn take(&mut self, event: ChatEvent) {
        match event {
            ChatEvent::Start(start) => {
                self.model = start.model.or(self.model.take());
                self.service_tier = start.service_tier.or(self.service_tier.take());
            }
            ChatEvent::Usage(usage) => self.add(Some(usage)),
            _ => {}
        }
    }

    fn add(&mut self, usage: Option<sdk::Usage>) {
        if let Some(usage) = usage {
            self.has_usage = true;
            let usage = of(&usage);
            self.reports.add(&usage);
            self.usage = Some(usage);
        }
    }
}

fn embeddings(kind: &str, recording: &Recording) -> Option<Read> {
    fn of<A: ProviderEmbeddings>(recording: &Recording, format: &str) -> Option<Read> {
        let answer = A::parse_response(&context(recording, format), recording.whole()?).ok()?;
        let mut read = Read { model: answer.model, ..Read::default() };
        read.add(answer.usage);
        Some(read)
    }
    match kind {
        "azure-openai" => of::<AzureOpenAi>(recording, "openai.embeddings"),
        "cohere" => of::<Cohere>(recording, "cohere.embed"),
        "gemini" => of::<Gemini>(recording, "gemini.embed"),
        "mistral" => of::<Mistral>(recording, "openai.embeddings"),
        "ollama" => of::<Ollama>(recording, "ollama.embed"),
        "openai" => of::<OpenAi>(recording, "openai.embeddings"),
        "openrouter" => of::<OpenRouter>(recording, "openai.embeddings"),
        "vertex" => of::<Vertex>(recording, "vertex"),
        _ => None,
    }
}

fn rerank(kind: &str, recording: &Recording) -> Option<Read> {
    fn of<A: ProviderRerank>(recording: &Recording) -> Option<Read> {
        let answer = A::parse_response(&context(recording, "cohere.rerank"), recording.whole()?).ok()?;
        let mut read = Read { model: answer.model, ..Read::default() };
        read.add(answer.usage);
        Some(read)
    }
    match kind {
        "cohere" => of::<Cohere>(recording),
        "openrouter" => of::<OpenRouter>(recording),
        _ => None,
    }
}

/// What an adapter keeps beside the counts.
fn kept(extension: &sdk::Extension) -> Extension {
    let sdk::Extension { format, key, json } = extension.clone();
    Extension { format, key, json }
}

/// The adapters' type as the host's.
fn of(usage: &sdk::Usage) -> Usage {
    let unit = |unit: &sdk::Unit| match unit {
        sdk::Unit::Search => Unit::Search,
        sdk::Unit::ToolRun => Unit::ToolRun,
        sdk::Unit::Second => Unit::Second,
        sdk::Unit::Page => Unit::Page,
        sdk::Unit::Image => Unit::Image,
        sdk::Unit::Character => Unit::Character,
        sdk::Unit::FileSearch => Unit::FileSearch,
        sdk::Unit::BilledInput => Unit::BilledInput,
        sdk::Unit::BilledOutput => Unit::BilledOutput,
    };
    Usage {
        input: usage.input,
        input_audio: usage.input_audio,
        input_image: usage.input_image,
        cache_read: usage.cache_read,
        cache_write: usage.cache_write,
        cache_write_hour: usage.cache_write_hour,
        output: usage.output,
        output_audio: usage.output_audio,
        output_image: usage.output_image,
        reasoning: usage.reasoning,
        units: usage.units.iter().map(|count| UnitCount { unit: unit(&count.unit), count: count.count }).collect(),
        service_tier: usage.service_tier.clone(),
        batch: usage.batch,
        region: usage.region.clone(),
        extensions: usage.extensions.iter().map(kept).collect(),
    }
}
