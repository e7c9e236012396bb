//! Sampling parameters as services take them whose temperature lies between 0 and 1, and which allow little of it
//! beside thinking. What such a service would refuse is moved to the nearest value that it takes, or left out.

use crate::json::{self, Number, RawValue};
use crate::losses::Losses;
use crate::types::Sampling;

/// The note on parameters that a format does not have.
const NONE: &str = "the format has no place for it";
/// The least `top_p` beside thinking.
const MIN_BESIDE_THINKING: f64 = 0.95;

/// Seeds up to here keep their value as a float.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// The text of a seed. A whole number may be in quotes, as in the JSON of Protocol Buffers, or have a fraction or an
/// exponent (`1.0`, `1e3`); any other value stays as it is.
pub fn seed(raw: &RawValue) -> String {
    let text = raw.get().trim_matches('"');
    let whole = |number: &Number| number.0.fract() == 0.0 && number.0.abs() <= MAX_EXACT;
    let is_float = text.contains(['.', 'e', 'E']);
    match json::parse::<Number>(text).ok().filter(|number| is_float && whole(number)) {
        Some(Number(number)) => format!("{number}"),
        None => text.to_owned(),
    }
}

/// The temperature to send. Beside thinking it is always 1.
pub fn temperature(sampling: &Sampling, thinks: bool, losses: &mut Losses) -> Option<f64> {
    let wanted = sampling.temperature?;
    if thinks && differ(wanted, 1.0) {
        losses.dropped("temperature", "beside thinking it is always 1");
        return None;
    }
    let allowed = wanted.clamp(0.0, 1.0);
    if differ(allowed, wanted) {
        losses.clamped("temperature", "it lies between 0 and 1");
    }
    Some(allowed)
}

/// The `top_p` to send. `instead` tells that the model gets a temperature and takes only one of the two.
pub fn top_p(sampling: &Sampling, instead: bool, thinks: bool, losses: &mut Losses) -> Option<f64> {
    let wanted = sampling.top_p?;
    if instead {
        losses.dropped("top_p", "the model takes it or a temperature");
        return None;
    }
    let (least, note) = if thinks {
        (MIN_BESIDE_THINKING, "beside thinking it is at least 0.95")
    } else {
        (0.0, "it lies between 0 and 1")
    };
    let allowed = wanted.clamp(least, 1.0);
    if differ(allowed, wanted) {
        losses.clamped("top_p", note);
    }
    Some(allowed)
}

/// The stop sequences to send: such services refuse blank ones.
pub fn stop(sampling: &Sampling, losses: &mut Losses) -> Vec<String> {
    let taken: Vec<String> = sampling.stop.iter().filter(|text| !text.trim().is_empty()).cloned().collect();
    losses.dropped_if(taken.len() < sampling.stop.len(), "stop", "a stop sequence must not be blank");
    taken
}

/// Reports temperature and `top_p` for a model that takes neither, unless they have their default, 1.
pub fn refuse_both(sampling: &Sampling, note: &str, losses: &mut Losses) {
    let set = |value: Option<f64>| value.is_some_and(|value| differ(value, 1.0));
    losses.dropped_if(set(sampling.temperature), "temperature", note);
    losses.dropped_if(set(sampling.top_p), "top_p", note);
}

/// Reports the parameters of other formats for a format that has one answer to a request, and neither seeds, penalties
/// nor probabilities.
pub fn refuse_others(sampling: &Sampling, losses: &mut Losses) {
    losses.dropped_if(sampling.seed.is_some(), "seed", NONE);
    losses.dropped_if(sampling.frequency_penalty.is_some_and(|p| p != 0.0), "frequency_penalty", NONE);
    losses.dropped_if(sampling.presence_penalty.is_some_and(|p| p != 0.0), "presence_penalty", NONE);
    losses.dropped_if(sampling.candidates.is_some_and(|n| n > 1), "n", "there is one answer to a request");
    losses.dropped_if(sampling.logprobs == Some(true), "logprobs", NONE);
    losses.dropped_if(sampling.top_logprobs.is_some_and(|n| n > 0), "top_logprobs", NONE);
}

fn differ(one: f64, other: f64) -> bool {
    (one - other).abs() > f64::EPSILON
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_seed_counts_however_it_is_written() {
        for (json, text) in [
            ("42", "42"),
            ("-1", "-1"),
            ("42.0", "42"),
            ("1e3", "1000"),
            (r#""42""#, "42"),
            ("18446744073709551615", "18446744073709551615"),
            ("1.5", "1.5"),
            ("1e300", "1e300"),
            ("true", "true"),
            ("{}", "{}"),
        ] {
            assert_eq!(seed(json::parse(json).unwrap()), text, "{json}");
        }
    }

    fn warm(temperature: f64) -> Sampling {
        Sampling { temperature: Some(temperature), ..Sampling::default() }
    }

    fn nucleus(top_p: f64) -> Sampling {
        Sampling { top_p: Some(top_p), ..Sampling::default() }
    }

    fn fields(losses: Losses) -> Vec<String> {
        losses.into_losses().into_iter().map(|loss| loss.field).collect()
    }

    #[test]
    fn a_temperature_that_the_service_refuses_is_moved_and_reported() {
        for (wanted, thinks, sent, lost) in [
            (0.5, false, Some(0.5), 0),
            (1.7, false, Some(1.0), 1),
            (-1.0, false, Some(0.0), 1),
            (1.0, true, Some(1.0), 0),
            (0.5, true, None, 1),
        ] {
            let mut losses = Losses::default();
            assert_eq!(temperature(&warm(wanted), thinks, &mut losses), sent, "{wanted} {thinks}");
            assert_eq!(fields(losses).len(), lost, "{wanted} {thinks}");
        }
        assert_eq!(temperature(&Sampling::default(), true, &mut Losses::default()), None);
    }

    #[test]
    fn a_top_p_that_the_service_refuses_is_moved_or_left_out_and_reported() {
        for (wanted, instead, thinks, sent, lost) in [
            (0.5, false, false, Some(0.5), 0),
            (0.5, true, false, None, 1),
            (0.5, false, true, Some(0.95), 1),
            (0.97, false, true, Some(0.97), 0),
            (1.5, false, false, Some(1.0), 1),
        ] {
            let mut losses = Losses::default();
            assert_eq!(top_p(&nucleus(wanted), instead, thinks, &mut losses), sent, "{wanted} {instead} {thinks}");
            assert_eq!(fields(losses).len(), lost, "{wanted} {instead} {thinks}");
        }
    }

    #[test]
    fn blank_stop_sequences_are_reported() {
        let mut losses = Losses::default();
        let stop = |texts: &[&str]| Sampling { stop: texts.iter().map(|&text| text.into()).collect(), ..warm(1.0) };
        assert_eq!(super::stop(&stop(&["", " \n", " a"]), &mut losses), [" a"]);
        assert_eq!(super::stop(&stop(&["b"]), &mut losses), ["b"]);
        assert_eq!(fields(losses), ["stop"]);
    }

    #[test]
    fn defaults_are_no_losses() {
        let mut losses = Losses::default();
        let both = Sampling { temperature: Some(1.0), top_p: Some(1.0), ..Sampling::default() };
        refuse_both(&both, "", &mut losses);
        let none = Sampling {
            frequency_penalty: Some(0.0),
            presence_penalty: Some(0.0),
            candidates: Some(1),
            logprobs: Some(false),
            top_logprobs: Some(0),
            ..Sampling::default()
        };
        refuse_others(&none, &mut losses);
        assert_eq!(fields(losses), Vec::<String>::new());
    }

    #[test]
    fn parameters_without_a_place_are_reported() {
        let mut losses = Losses::default();
        refuse_both(&Sampling { temperature: Some(0.0), top_p: Some(0.5), ..Sampling::default() }, "", &mut losses);
        let all = Sampling {
            seed: Some("1".into()),
            frequency_penalty: Some(0.1),
            presence_penalty: Some(-0.1),
            candidates: Some(2),
            logprobs: Some(true),
            top_logprobs: Some(1),
            ..Sampling::default()
        };
        refuse_others(&all, &mut losses);
        let wanted =
            ["temperature", "top_p", "seed", "frequency_penalty", "presence_penalty", "n", "logprobs", "top_logprobs"];
        assert_eq!(fields(losses), wanted);
    }
}
