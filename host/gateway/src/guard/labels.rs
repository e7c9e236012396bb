//! What a client states about itself within a request: its labels and its name for its end user. Both are removed while
//! a guard without a grant for them sees the request.

use serde_json::Value;

use weir_sandbox::guard::Asked;

/// The unified model's name for a client's labels, which operations that are only relayed use as well.
const METADATA: &str = "metadata";

/// What was taken out of a request.
#[derive(Debug, Default)]
pub(super) struct Labels {
    metadata: Option<String>,
    end_user: Option<String>,
    /// The whole JSON of a request that is only relayed.
    json: Option<String>,
}

impl Labels {
    /// Takes labels out. `end_user` are the places of the client's name for its end user in the JSON of a request that
    /// is only relayed.
    pub(super) fn take(asked: &mut Asked, end_user: &[String]) -> Self {
        match asked {
            Asked::Chat(chat) => {
                Self { metadata: chat.metadata.take(), end_user: chat.end_user.take(), ..Self::default() }
            }
            Asked::Embeddings(request) => Self { end_user: request.end_user.take(), ..Self::default() },
            Asked::Other(json) => {
                let bare = without_labels(json, end_user);
                Self { json: bare.map(|bare| std::mem::replace(json, bare)), ..Self::default() }
            }
            Asked::Withheld | Asked::Rerank(_) => Self::default(),
        }
    }

    /// Puts back what was taken out of the request.
    pub(super) fn put_back(self, asked: &mut Asked, were_taken: bool) {
        match asked {
            Asked::Chat(chat) if were_taken => (chat.metadata, chat.end_user) = (self.metadata, self.end_user),
            Asked::Embeddings(request) if were_taken => request.end_user = self.end_user,
            Asked::Other(json) => {
                if let Some(whole) = self.json {
                    *json = whole;
                }
            }
            _ => {}
        }
    }
}

/// JSON without labels, at any depth: a batch is a list of requests. `None` if it has none.
fn without_labels(json: &str, end_user: &[String]) -> Option<String> {
    let mut value: Value = serde_json::from_str(json).ok()?;
    let last = |pointer: &'_ String| pointer.rsplit('/').next().map(str::to_owned);
    let names: Vec<String> = end_user.iter().filter_map(last).chain([METADATA.to_owned()]).collect();
    strip(&mut value, &names).then(|| value.to_string())
}

/// Removes members of these names; whether there were any.
fn strip(value: &mut Value, names: &[String]) -> bool {
    match value {
        Value::Object(members) => {
            let before = members.len();
            members.retain(|name, _| !names.contains(name));
            let is_less = members.len() < before;
            members.values_mut().filter_map(|member| strip(member, names).then_some(())).count() > 0 || is_less
        }
        Value::Array(items) => items.iter_mut().filter_map(|item| strip(item, names).then_some(())).count() > 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::ChatRequest;

    #[test]
    fn labels_of_a_chat_are_taken_and_put_back() {
        let mut chat = ChatRequest::plain("m", Vec::new());
        chat.metadata = Some("{\"a\":1}".into());
        let whole = Asked::Chat(chat);
        let mut asked = whole.clone();
        let labels = Labels::take(&mut asked, &[]);
        assert!(matches!(&asked, Asked::Chat(chat) if chat.metadata.is_none()));
        labels.put_back(&mut asked, true);
        assert_eq!(asked, whole);
    }

    #[test]
    fn json_is_shown_without_labels_at_any_depth_and_stays_as_it_was() {
        let json = r#"{ "input":"a", "user":"jane", "all":[{"metadata":{"k":"v"},"x":1.0}] }"#;
        let mut asked = Asked::Other(json.to_owned());
        let labels = Labels::take(&mut asked, &["/user".to_owned()]);
        let Asked::Other(shown) = &asked else { panic!("it stays JSON") };
        let shown: Value = serde_json::from_str(shown).unwrap();
        assert_eq!(shown, serde_json::json!({"input": "a", "all": [{"x": 1.0}]}));
        labels.put_back(&mut asked, true);
        assert_eq!(asked, Asked::Other(json.to_owned()));
        let mut plain = Asked::Other("[ 1 ]".to_owned());
        Labels::take(&mut plain, &[]);
        assert_eq!(plain, Asked::Other("[ 1 ]".to_owned()));
    }
}
