//! Facts as log records of OpenTelemetry, in the JSON of its protocol (OTLP): a line is one `LogsData`, as collectors
//! read them from files and from HTTP.

use serde_json::{Map, Value, json};

use super::shown::shown;
use weir_store::Fact;

/// Numbers of OTLP's severities.
const INFO: u8 = 9;
const ERROR: u8 = 17;

/// These facts as one `LogsData`.
pub(crate) fn logs_data(facts: &[Fact]) -> Value {
    let records: Vec<Value> = facts.iter().map(record).collect();
    json!({"resourceLogs": [{
        "resource": {"attributes": [attribute("service.name", &json!("weir"))]},
        "scopeLogs": [{"scope": {"name": "weir.requests", "version": env!("CARGO_PKG_VERSION")}, "logRecords": records}],
    }]})
}

fn record(fact: &Fact) -> Value {
    let is_well = fact.error_kind.is_empty();
    let (number, text) = if is_well { (INFO, "INFO") } else { (ERROR, "ERROR") };
    let began = fact.id.time_ms().saturating_mul(1_000_000);
    let ended = began.saturating_add(fact.total_us.saturating_mul(1_000));
    json!({
        // Whole numbers of 64 bits are texts in this JSON.
        "timeUnixNano": ended.to_string(),
        "observedTimeUnixNano": ended.to_string(),
        "severityNumber": number,
        "severityText": text,
        "eventName": "weir.request",
        "body": {"stringValue": fact.error_text},
        "attributes": attributes(fact),
    })
}

/// What OpenTelemetry has names for under these names, and everything under `weir.` besides.
fn attributes(fact: &Fact) -> Vec<Value> {
    let finish = (!fact.finish.is_empty()).then(|| json!([fact.finish]));
    let answered = if fact.model_named.is_empty() { &fact.model_served } else { &fact.model_named };
    let named = [
        ("gen_ai.operation.name", json!(fact.operation)),
        ("gen_ai.provider.name", json!(fact.provider)),
        ("gen_ai.request.model", json!(fact.model_asked)),
        ("gen_ai.response.model", json!(answered)),
        ("gen_ai.response.finish_reasons", json!(finish)),
        ("gen_ai.usage.input_tokens", json!(fact.tokens.all_input())),
        ("gen_ai.usage.output_tokens", json!(fact.tokens.all_output())),
        ("http.response.status_code", json!(fact.status)),
        ("error.type", json!(fact.error_kind)),
    ];
    let all = match shown(fact) {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    let own = all.iter().map(|(name, value)| (format!("weir.{name}"), value));
    let named = named.iter().map(|(name, value)| ((*name).to_owned(), value));
    named.chain(own).filter(|(_, value)| !is_empty(value)).map(|(name, value)| attribute(&name, value)).collect()
}

/// What does not apply is left out.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

fn attribute(name: &str, value: &Value) -> Value {
    json!({"key": name, "value": any_value(value)})
}

fn any_value(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(is) => json!({"boolValue": is}),
        Value::String(text) => json!({"stringValue": text}),
        Value::Number(number) if number.is_f64() => json!({"doubleValue": number}),
        // One beyond the range of signed numbers is cut off there.
        Value::Number(number) => json!({"intValue": number.as_i64().unwrap_or(i64::MAX).to_string()}),
        Value::Array(values) => json!({"arrayValue": {"values": values.iter().map(any_value).collect::<Vec<_>>()}}),
        Value::Object(members) => {
            let values: Vec<Value> = members.iter().map(|(name, value)| attribute(name, value)).collect();
            json!({"kvlistValue": {"values": values}})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_store::RequestId;

    fn of<'a>(record: &'a Value, name: &str) -> &'a Value {
        let attributes = record["attributes"].as_array().unwrap();
        let found: Vec<&Value> = attributes.iter().filter(|one| one["key"] == name).collect();
        assert!(found.len() < 2, "{name} twice");
        found.first().map_or(&Value::Null, |one| &one["value"])
    }

    #[test]
    fn a_fact_is_a_record_with_the_conventional_names_and_all_of_its_own() {
        let mut fact = Fact::of(RequestId::new(1_000, [0; 10]));
        fact.total_us = 5_000;
        fact.provider = "p".to_owned();
        fact.model_asked = "m".to_owned();
        fact.status = 200;
        fact.finish = "stop".to_owned();
        fact.tokens.input = Some(7);
        fact.tokens.cache_read = Some(1);
        fact.tags.insert("env".to_owned(), "prod".to_owned());
        fact.cost_nano = Some(1_500_000_000);
        fact.attempts = r#"[{"status": 500}]"#.to_owned();
        let mut failed = Fact::of(RequestId::new(2_000, [1; 10]));
        failed.error_kind = "timeout".to_owned();
        failed.error_text = "too late".to_owned();

        let data = logs_data(&[fact, failed]);
        let records = data["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap();
        let [first, second] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!((&first["timeUnixNano"], &first["severityNumber"]), (&json!("1005000000"), &json!(9)));
        assert_eq!(of(first, "gen_ai.usage.input_tokens"), &json!({"intValue": "8"}));
        assert_eq!(of(first, "gen_ai.request.model"), &json!({"stringValue": "m"}));
        assert_eq!(of(first, "gen_ai.response.model"), &Value::Null, "left out");
        let stop = json!({"arrayValue": {"values": [{"stringValue": "stop"}]}});
        assert_eq!(of(first, "gen_ai.response.finish_reasons"), &stop);
        assert_eq!(of(first, "weir.cost_usd"), &json!({"stringValue": "1.5"}));
        assert_eq!(of(first, "weir.cost_nano"), &json!({"intValue": "1500000000"}));
        let tags = json!({"kvlistValue": {"values": [{"key": "env", "value": {"stringValue": "prod"}}]}});
        assert_eq!(of(first, "weir.tags"), &tags);
        let attempt = json!({"kvlistValue": {"values": [{"key": "status", "value": {"intValue": "500"}}]}});
        assert_eq!(of(first, "weir.attempts"), &json!({"arrayValue": {"values": [attempt]}}));
        assert_eq!((&second["severityText"], &second["body"]["stringValue"]), (&json!("ERROR"), &json!("too late")));
        assert_eq!(of(second, "error.type"), &json!({"stringValue": "timeout"}));
    }
}
