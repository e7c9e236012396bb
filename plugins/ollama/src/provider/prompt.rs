//! Renders a request with a prompt, for `/api/generate`.

use weir_sdk::json::Object;
use weir_sdk::losses::Losses;
use weir_sdk::types::{ChatRequest, Context, MediaKind, MediaSource, Message, Part, Role, TextPart};

use crate::tools::lose;
use crate::{GENERATE, body};

/// A conversation that fits `/api/generate`: at most one system text, and one text of the user.
#[derive(Debug, Default)]
pub(super) struct Prompt<'a> {
    system: Option<&'a TextPart>,
    /// The user's text, and the index of its part.
    words: Option<(usize, &'a TextPart)>,
    images: Vec<&'a str>,
}

impl<'a> Prompt<'a> {
    /// The prompt, if one is wanted and it can express the conversation. Only `/api/generate` has a suffix.
    pub(super) fn of(ctx: &Context, request: &'a ChatRequest) -> Option<Self> {
        let wanted = ctx.format == GENERATE || request.extensions.iter().any(body::is_suffix);
        if !wanted || !request.tools.is_empty() {
            return None;
        }
        let mut prompt = Self::default();
        let mut rest = request.messages.as_slice();
        if let [first, tail @ ..] = rest
            && matches!(first.role, Role::System | Role::Developer)
        {
            prompt.system = Some(only_text(first)?);
            rest = tail;
        }
        match rest {
            [] => {}
            [user] if matches!(user.role, Role::User) => prompt.user(user)?,
            _ => return None,
        }
        Some(prompt)
    }

    fn user(&mut self, message: &'a Message) -> Option<()> {
        for (at, part) in message.parts.iter().enumerate() {
            match part {
                Part::Text(text) if self.words.is_none() => self.words = Some((at, text)),
                Part::Media(media) if media.kind == MediaKind::Image => match &media.source {
                    MediaSource::Base64(data) => self.images.push(data),
                    _ => return None,
                },
                _ => return None,
            }
        }
        (message.name.is_none() && message.extensions.is_empty()).then_some(())
    }

    /// Writes `prompt` and its related members.
    pub(super) fn write(&self, o: &mut Object<'_>, request: &ChatRequest, losses: &mut Losses) {
        o.str("prompt", self.words.map_or("", |(_, text)| &text.text));
        o.opt_str("system", self.system.map(|text| text.text.as_str()));
        if !self.images.is_empty() {
            o.array("images", |a| self.images.iter().for_each(|data| a.str(data)));
        }
        let suffix = request.extensions.iter().find(|extension| body::is_suffix(extension));
        o.opt_raw("suffix", suffix.map(|suffix| suffix.json.as_str()));
        let user = usize::from(self.system.is_some());
        let system = self.system.map(|text| (0, 0, text));
        for (message, part, text) in system.into_iter().chain(self.words.map(|(part, text)| (user, part, text))) {
            let place = format!("messages[{message}].content[{part}].");
            losses.dropped_if(text.cache.is_some(), &format!("{place}cache_control"), "the server caches by itself");
            lose(&text.extensions, &place, losses);
        }
    }
}

fn only_text(message: &Message) -> Option<&TextPart> {
    match message.parts.as_slice() {
        [Part::Text(text)] => Some(text),
        _ => None,
    }
}
