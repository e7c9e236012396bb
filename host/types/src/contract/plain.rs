//! Constructors of the larger records with every optional field empty: generated types have no `Default`.

use super::about::{BodyKind, Bucket, Face, FrameTest, ModelPlace, Operation, StreamFlag, Tap};
use super::types::{
    ChatRequest, Context, EmbeddingInput, EmbeddingsRequest, Message, Part, RerankDocument, RerankRequest, Role,
    Sampling, TextPart, Unit, Usage,
};

impl ChatRequest {
    /// A request without streaming, with no setting but the model and the messages.
    pub fn plain(model: &str, messages: Vec<Message>) -> Self {
        Self {
            model: model.to_owned(),
            messages,
            tools: Vec::new(),
            tool_choice: None,
            parallel_tool_calls: None,
            output: None,
            sampling: Sampling {
                temperature: None,
                top_p: None,
                top_k: None,
                seed: None,
                stop: Vec::new(),
                frequency_penalty: None,
                presence_penalty: None,
                candidates: None,
                logprobs: None,
                top_logprobs: None,
            },
            max_output_tokens: None,
            reasoning: None,
            stream: false,
            end_user: None,
            metadata: None,
            service_tier: None,
            cache_key: None,
            extensions: Vec::new(),
        }
    }

    /// A request with one message, the user's. Which model it is for is decided when it is sent.
    pub fn user(text: &str) -> Self {
        Self::plain("", vec![Message::plain(Role::User, vec![Part::Text(TextPart::plain(text))])])
    }
}

impl From<&str> for ChatRequest {
    fn from(text: &str) -> Self {
        Self::user(text)
    }
}

impl Context {
    /// The context of a request's first call: no model, format, options and blobs, and no memo yet.
    pub fn new(request_id: &str, now_ms: f64) -> Self {
        Self {
            request_id: request_id.to_owned(),
            now_ms,
            model: String::new(),
            format: String::new(),
            options: Vec::new(),
            blobs: Vec::new(),
            input_tokens: None,
            memo: String::new(),
        }
    }
}

impl Face {
    /// An endpoint of the host's own, in whose requests nothing is looked for: the body is not read.
    pub fn unread(format: &str, operation: Operation, method: &str, path: String) -> Self {
        Self {
            format: format.to_owned(),
            method: method.to_owned(),
            path,
            operation,
            prefixes: Vec::new(),
            when: None,
            credentials: Vec::new(),
            model: Vec::new(),
            stream: StreamFlag::Constant(false),
            body: BodyKind::Raw,
            output_limit: Vec::new(),
            candidates: Vec::new(),
            service_tier: Vec::new(),
            end_user: Vec::new(),
            object_ids: Vec::new(),
            features: Vec::new(),
            request_headers: Vec::new(),
            framings: Vec::new(),
        }
    }

    /// Whether its requests name a model of their own. Pointers into a body of any bytes are at the requests in a file.
    pub fn names_model(&self) -> bool {
        self.model.iter().any(|place| match place {
            ModelPlace::Pointer(at) => self.body != BodyKind::Raw && Self::in_list(&at.pointer).is_none(),
            _ => true,
        })
    }

    /// The pointer at a list, and that within each of its elements, of a pointer at requests for later work in the
    /// body.
    pub fn in_list(pointer: &str) -> Option<(&str, &str)> {
        let (list, _) = pointer.split_once("/*/")?;
        Some((list, pointer.get(list.len() + 2..)?))
    }

    /// The form's field with the file, and the pointer within each of its lines, of a pointer at the requests in a
    /// file.
    pub fn in_line(pointer: &str) -> Option<(&str, &str)> {
        let (field, lines) = pointer.strip_prefix('/')?.split_once('/')?;
        let line = lines.strip_prefix('*').filter(|line| line.starts_with('/') && !field.is_empty())?;
        Some((field, line))
    }

    /// Where answers have ids of objects that they make, each behind the member of requests without which they make
    /// none.
    pub fn made_ids(&self) -> impl Iterator<Item = (&str, &str)> {
        self.object_ids.iter().filter_map(|place| made_at(place))
    }

    /// Where its requests have ids of objects, without the places of the requests in a file.
    pub fn own_object_ids(&self) -> impl Iterator<Item = &String> {
        let in_file = |place: &str| self.body == BodyKind::Raw && place.starts_with('/');
        self.object_ids.iter().filter(move |place| !in_file(place) && made_at(place).is_none())
    }
}

/// The member of requests, and the pointer into answers, of a place `{audio}/choices/*/message/audio/id`.
fn made_at(place: &str) -> Option<(&str, &str)> {
    let (member, pointer) = place.strip_prefix('{')?.split_once('}')?;
    pointer.starts_with('/').then_some((member, pointer))
}

impl EmbeddingsRequest {
    /// A request for the embeddings of these texts.
    pub fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self {
            model: String::new(),
            inputs: texts.into_iter().map(|text| EmbeddingInput::Text(text.into())).collect(),
            single: false,
            dimensions: None,
            encoding: None,
            task: None,
            title: None,
            end_user: None,
            extensions: Vec::new(),
        }
    }
}

impl RerankRequest {
    /// A request to order these texts by how well they answer a query.
    pub fn texts<T: Into<String>>(query: &str, texts: impl IntoIterator<Item = T>) -> Self {
        Self {
            model: String::new(),
            query: query.to_owned(),
            documents: texts.into_iter().map(|text| RerankDocument::Text(text.into())).collect(),
            top_n: None,
            return_documents: None,
            extensions: Vec::new(),
        }
    }
}

impl Message {
    /// A message of a role, without a name and extensions.
    pub fn plain(role: Role, parts: Vec<Part>) -> Self {
        Self { role, name: None, parts, extensions: Vec::new() }
    }
}

impl TextPart {
    /// A text without citations, signature, cache mark and extensions.
    pub fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), citations: Vec::new(), signature: None, cache: None, extensions: Vec::new() }
    }
}

impl Usage {
    /// Input and output, not divided any further.
    pub fn of(input: Option<u32>, output: Option<u32>) -> Self {
        Self { input, output, ..Self::default() }
    }

    /// Takes the values that a later report of the same answer names. Figures that one format has beside these are
    /// replaced as a whole.
    pub fn update(&mut self, later: &Self) {
        for bucket in Bucket::ALL {
            let count = later.bucket(bucket);
            if count.is_some() {
                *self.bucket_mut(bucket) = count;
            }
        }
        for count in &later.units {
            self.units.retain(|known| known.unit != count.unit);
            self.units.push(*count);
        }
        self.service_tier = later.service_tier.clone().or(self.service_tier.take());
        self.batch = later.batch.or(self.batch);
        self.region = later.region.clone().or(self.region.take());
        if !later.extensions.is_empty() {
            self.extensions.clone_from(&later.extensions);
        }
    }

    /// Takes the service tier that the answer names beside its usage, unless the usage names one.
    pub fn take_tier(&mut self, beside: Option<&str>) {
        self.service_tier = self.service_tier.take().or_else(|| beside.map(str::to_owned));
    }

    /// Forgets how it was served: the tier, whether as a batch, and the region. The counts stay.
    pub fn forget_service(&mut self) {
        (self.service_tier, self.batch, self.region) = (None, None, None);
    }

    /// Adds what another answer used before to the values that are named.
    pub fn add_before(&mut self, before: &Self) {
        for bucket in Bucket::ALL {
            let earlier = before.bucket(bucket).unwrap_or_default();
            let count = self.bucket_mut(bucket);
            *count = count.map(|count| count.saturating_add(earlier));
        }
        for count in &mut self.units {
            let earlier = before.units.iter().filter(|known| known.unit == count.unit);
            count.count += earlier.map(|known| known.count).sum::<f64>();
        }
    }

    /// The tokens of a bucket.
    pub const fn bucket(&self, bucket: Bucket) -> Option<u32> {
        match bucket {
            Bucket::Input => self.input,
            Bucket::InputAudio => self.input_audio,
            Bucket::InputImage => self.input_image,
            Bucket::CacheRead => self.cache_read,
            Bucket::CacheWrite => self.cache_write,
            Bucket::CacheWriteHour => self.cache_write_hour,
            Bucket::Output => self.output,
            Bucket::OutputAudio => self.output_audio,
            Bucket::OutputImage => self.output_image,
            Bucket::Reasoning => self.reasoning,
        }
    }

    /// The tokens of a bucket, to be changed.
    pub const fn bucket_mut(&mut self, bucket: Bucket) -> &mut Option<u32> {
        match bucket {
            Bucket::Input => &mut self.input,
            Bucket::InputAudio => &mut self.input_audio,
            Bucket::InputImage => &mut self.input_image,
            Bucket::CacheRead => &mut self.cache_read,
            Bucket::CacheWrite => &mut self.cache_write,
            Bucket::CacheWriteHour => &mut self.cache_write_hour,
            Bucket::Output => &mut self.output,
            Bucket::OutputAudio => &mut self.output_audio,
            Bucket::OutputImage => &mut self.output_image,
            Bucket::Reasoning => &mut self.reasoning,
        }
    }
}

impl Default for Usage {
    /// Nothing is known.
    fn default() -> Self {
        Self {
            input: None,
            input_audio: None,
            input_image: None,
            cache_read: None,
            cache_write: None,
            cache_write_hour: None,
            output: None,
            output_audio: None,
            output_image: None,
            reasoning: None,
            units: Vec::new(),
            service_tier: None,
            batch: None,
            region: None,
            extensions: Vec::new(),
        }
    }
}

impl Default for Tap {
    /// Nothing is read.
    fn default() -> Self {
        Self {
            usage: Vec::new(),
            finish: Vec::new(),
            model: Vec::new(),
            units: Vec::new(),
            service_tier: Vec::new(),
            service_tier_headers: Vec::new(),
            batch: Vec::new(),
            region: Vec::new(),
            under_way: Vec::new(),
            content: Vec::new(),
            end: Vec::new(),
            failure: Vec::new(),
            wrapped: None,
        }
    }
}

impl Unit {
    /// Its name in metrics, logs and prices.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::ToolRun => "tool_run",
            Self::Second => "second",
            Self::Page => "page",
            Self::Image => "image",
            Self::Character => "character",
            Self::FileSearch => "file_search",
            Self::BilledInput => "billed_input",
            Self::BilledOutput => "billed_output",
        }
    }
}

impl FrameTest {
    /// Where its value stands; none for tests of events and whole data.
    pub fn pointer(&self) -> Option<&str> {
        match self {
            Self::Event(_) | Self::Data(_) => None,
            Self::Present(pointer) | Self::Fractional(pointer) => Some(pointer),
            Self::Equals(equals) => Some(&equals.pointer),
            Self::OtherThan(values) => Some(&values.pointer),
            Self::Above(limit) | Self::Below(limit) => Some(&limit.pointer),
        }
    }
}
