//! `options`: the format's members to the unified sampling and back. Options that only this server has (`num_ctx`,
//! `mirostat`…) become extensions named `options.NAME`, and those that compatible servers have too are members of Chat.

use weir_sdk::compat::wire::FORMAT as COMPATIBLE;
use weir_sdk::json::{Object, Rest, Str, list, object, text};
use weir_sdk::losses::Losses;
use weir_sdk::sampling;
use weir_sdk::types::{ChatRequest, Extension};

use crate::{is_own, own};

/// The prefix of an option's name in the key of an extension.
const PREFIX: &str = "options.";

/// Options that servers of Chat know, with their names there.
const SHARED: [(&str, &str); 2] = [("min_p", "min_p"), ("repeat_penalty", "repetition_penalty")];

/// Copies the options to the request. A value of the wrong type is kept, for the server to refuse.
pub(crate) fn read(format: &str, mut options: Rest<'_>, chat: &mut ChatRequest) {
    let sampling = &mut chat.sampling;
    sampling.temperature = options.number("temperature");
    sampling.top_p = options.number("top_p");
    sampling.frequency_penalty = options.number("frequency_penalty");
    sampling.presence_penalty = options.number("presence_penalty");
    sampling.top_k = count(&mut options, "top_k");
    sampling.seed = whole(&mut options, "seed");
    sampling.stop = stop(&mut options);
    chat.max_output_tokens = count(&mut options, "num_predict");
    chat.extensions.extend(others(format, options).into_iter().map(shared));
}

/// The options that the unified model does not have.
pub(crate) fn others(format: &str, options: Rest<'_>) -> Vec<Extension> {
    let others = options.0.into_iter().filter(|(_, raw)| raw.get() != "null");
    others.map(|(key, raw)| own(format, &format!("{PREFIX}{key}"), raw.get())).collect()
}

/// An option as a member of Chat, if it is one.
fn shared(mut option: Extension) -> Extension {
    let name = option.key.strip_prefix(PREFIX);
    if let Some((_, theirs)) = SHARED.iter().find(|(ours, _)| name == Some(*ours)) {
        option = own(COMPATIBLE, theirs, &option.json);
    }
    option
}

/// The name of the option that an extension is.
fn name(extension: &Extension) -> Option<&str> {
    if extension.format == COMPATIBLE {
        return SHARED.iter().find(|(_, theirs)| extension.key == *theirs).map(|(ours, _)| *ours);
    }
    extension.key.strip_prefix(PREFIX)
}

/// A count; negative ones have special meanings (no limit, fill the context) and are kept.
fn count(options: &mut Rest<'_>, key: &str) -> Option<u32> {
    let negative = options.get(key).is_some_and(|raw| raw.get().starts_with('-'));
    if negative { None } else { options.count(key) }
}

fn whole(options: &mut Rest<'_>, key: &str) -> Option<String> {
    let digits = |seed: &String| seed.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
    let seed = options.get(key).filter(|raw| !raw.get().starts_with('"')).map(sampling::seed).filter(digits)?;
    options.take(key);
    Some(seed)
}

/// One stop sequence, or a list.
fn stop(options: &mut Rest<'_>) -> Vec<String> {
    let Some(raw) = options.get("stop") else { return Vec::new() };
    let one = text(raw).map(|one| vec![one.into_string()]);
    let several = || list(raw)?.into_iter().map(|raw| text(raw).map(Str::into_string)).collect();
    let Some(sequences) = one.or_else(several) else { return Vec::new() };
    options.take("stop");
    sequences
}

/// Writes `options`, if there are any.
pub(crate) fn write(o: &mut Object<'_>, request: &ChatRequest, losses: &mut Losses) {
    let sampling = &request.sampling;
    let mut out = String::new();
    object(&mut out, |o| {
        let number = |o: &mut Object<'_>, key: &str, value: Option<f64>| {
            o.opt_num(key, value.filter(|_| !is_replaced(&request.extensions, key)));
        };
        number(o, "temperature", sampling.temperature);
        number(o, "top_p", sampling.top_p);
        number(o, "top_k", sampling.top_k.map(f64::from));
        number(o, "frequency_penalty", sampling.frequency_penalty);
        number(o, "presence_penalty", sampling.presence_penalty);
        number(o, "num_predict", request.max_output_tokens.map(f64::from));
        seed(o, sampling.seed.as_deref(), losses);
        o.opt_strs("stop", &sampling.stop);
        write_others(o, &request.extensions);
    });
    if out != "{}" {
        o.raw("options", &out);
    }
    let several = sampling.candidates.is_some_and(|wanted| wanted > 1);
    if several {
        losses.clamped("n", "there is one answer to a request");
    }
}

/// Writes the options that only this family has, if there are any.
pub(crate) fn write_only_others(o: &mut Object<'_>, extensions: &[Extension]) {
    let mut out = String::new();
    object(&mut out, |o| write_others(o, extensions));
    if out != "{}" {
        o.raw("options", &out);
    }
}

fn write_others(o: &mut Object<'_>, extensions: &[Extension]) {
    let is_known = |extension: &&Extension| is_own(extension) || extension.format == COMPATIBLE;
    for extension in extensions.iter().filter(is_known).filter(|extension| extension.json != "null") {
        if let Some(name) = name(extension) {
            o.raw(name, &extension.json);
        }
    }
}

fn is_replaced(extensions: &[Extension], key: &str) -> bool {
    extensions.iter().any(|extension| is_own(extension) && extension.key.strip_prefix(PREFIX) == Some(key))
}

/// A seed is a whole number of 64 bits.
fn seed(o: &mut Object<'_>, seed: Option<&str>, losses: &mut Losses) {
    match seed.map(str::parse::<i64>) {
        Some(Ok(seed)) => o.raw("seed", &seed.to_string()),
        Some(Err(_)) => losses.dropped("seed", "seeds are whole numbers of 64 bits here"),
        None => {}
    }
}

/// Whether an extension is an option.
pub(crate) fn is_option(extension: &Extension) -> bool {
    name(extension).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CHAT;

    fn through(options: &str) -> String {
        let mut chat = ChatRequest::default();
        read(CHAT, Rest::parse(options).unwrap(), &mut chat);
        let mut out = String::new();
        object(&mut out, |o| write(o, &chat, &mut Losses::default()));
        out
    }

    #[test]
    fn options_come_back_whether_known_or_not() {
        let options = concat!(
            r#"{"temperature":0.5,"top_k":40,"num_predict":50,"seed":123456789012,"stop":["a"],"#,
            r#""num_ctx":4096,"mirostat_tau":0.8}"#
        );
        assert_eq!(through(options), format!(r#"{{"options":{options}}}"#));
        assert_eq!(through("{}"), "{}");
        assert_eq!(through(r#"{"num_ctx":null}"#), "{}");
    }

    #[test]
    fn what_servers_of_chat_have_too_is_a_member_of_theirs() {
        let mut chat = ChatRequest::default();
        read(CHAT, Rest::parse(r#"{"min_p":0.1,"repeat_penalty":1.2}"#).unwrap(), &mut chat);
        let expected = [own(COMPATIBLE, "min_p", "0.1"), own(COMPATIBLE, "repetition_penalty", "1.2")];
        assert_eq!(chat.extensions, expected);
        assert!(expected.iter().all(is_option) && !is_option(&own(COMPATIBLE, "logit_bias", "{}")));
        assert_eq!(
            through(r#"{"min_p":0.1,"repeat_penalty":1.2}"#),
            r#"{"options":{"min_p":0.1,"repeat_penalty":1.2}}"#
        );
    }

    #[test]
    fn negative_limits_have_meanings_of_their_own() {
        let mut chat = ChatRequest::default();
        read(CHAT, Rest::parse(r#"{"num_predict":-1}"#).unwrap(), &mut chat);
        assert_eq!(chat.max_output_tokens, None);
        assert_eq!(through(r#"{"num_predict":-1}"#), r#"{"options":{"num_predict":-1}}"#);
    }

    #[test]
    fn one_stop_sequence_is_a_list_of_one() {
        assert_eq!(through(r#"{"stop":"x"}"#), r#"{"options":{"stop":["x"]}}"#);
    }

    #[test]
    fn c80_more_than_one_answer_is_reported_as_clamped() {
        let mut chat = ChatRequest::default();
        chat.sampling.candidates = Some(3);
        let mut losses = Losses::default();
        object(&mut String::new(), |o| write(o, &chat, &mut losses));
        assert_eq!(losses.into_losses()[0].field, "n");
    }
}
