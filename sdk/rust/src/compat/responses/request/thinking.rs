//! How a request asks for thinking.

use super::Writer;
use crate::compat::effort;
use crate::compat::responses::{FORMAT, write_members};
use crate::json::Object;
use crate::types::{ChatRequest, Extension};

impl Writer<'_> {
    pub(super) fn reasoning(&mut self, o: &mut Object<'_>, request: &ChatRequest) {
        let Some(reasoning) = &request.reasoning else { return };
        let level = effort::level(self.quirks, reasoning, true, &mut self.losses);
        let summary = reasoning.summary.as_deref().filter(|summary| *summary != "omitted");
        let is_own = |own: &Extension| own.format == FORMAT && own.json != "null";
        if level.is_some() || summary.is_some() || reasoning.extensions.iter().any(is_own) {
            o.object("reasoning", |o| {
                o.opt_str("effort", level);
                o.opt_str("summary", summary);
                write_members(o, &reasoning.extensions);
            });
        }
        self.losses.foreign("reasoning.", &reasoning.extensions, FORMAT);
    }
}
