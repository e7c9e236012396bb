//! The invented format of the tests.

use serde_json::Value;

use super::{Call, ParsedAnswer, Tokens, count, list, text, word};

impl ParsedAnswer {
    pub(super) fn zeta_whole(&mut self, answer: &Value) {
        self.model = word(&answer["brain"]);
        self.zeta_tokens(&answer["toll"]);
        let reply = &answer["reply"];
        self.text = text(&reply["says"]);
        self.thinking = text(&reply["muses"]);
        for want in list(&reply["wants"]) {
            let arguments = want["with"].to_string();
            self.calls.push(Call { id: text(&want["tag"]), name: text(&want["deed"]), arguments });
        }
        self.finish = word(&answer["ended"]).map(zeta_finish);
    }

    pub(super) fn zeta_tokens(&mut self, toll: &Value) {
        if toll.is_object() {
            let (input, output) = (count(&toll["all_in"]), count(&toll["all_out"]));
            self.tokens = Some(Tokens { input, cached: count(&toll["of_cached"]), output });
        }
    }

    pub(super) fn zeta_piece(&mut self, piece: &Value) {
        match text(&piece["k"]).as_str() {
            "hail" => self.model = word(&piece["brain"]),
            "bit" => self.text.push_str(&text(&piece["says"])),
            "muse" => self.thinking.push_str(&text(&piece["says"])),
            "want" => {
                let (id, name) = (text(&piece["tag"]), text(&piece["deed"]));
                self.calls.push(Call { id, name, arguments: String::new() });
            }
            "want-bit" => {
                if let Some(call) = self.calls.last_mut() {
                    call.arguments.push_str(&text(&piece["with"]));
                }
            }
            "end" => self.finish = word(&piece["ended"]).map(zeta_finish),
            "toll" => self.zeta_tokens(&piece["toll"]),
            "woe" => self.error = Some(piece["woe"].clone()),
            "bye" => self.complete = true,
            _ => {}
        }
    }
}

fn zeta_finish(reason: String) -> String {
    match reason.as_str() {
        "done" => "stop".to_owned(),
        "full" => "length".to_owned(),
        "deed" => "tool".to_owned(),
        "taboo" => "filter".to_owned(),
        _ => reason,
    }
}
