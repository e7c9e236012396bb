//! Bodies with odd values in each member of each body that the description has: what does not fit the description is
//! refused with a code, and is never taken for something else.

use std::fmt::Write as _;

use super::*;

/// What stands where something else belongs.
fn odd() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(5),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("x"),
        json!("5"),
        json!([]),
        json!([5]),
        json!(["x"]),
        json!([null]),
        json!([[]]),
        json!([["x", "5"]]),
        json!([{}]),
        json!({}),
        json!({"x": 5}),
        json!({"0": "x"}),
    ]
}

/// The description, whose schemas refer to each other.
struct Description(Value);

impl Description {
    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let Some(name) = schema["$ref"].as_str() else { return schema };
        self.resolved(&self.0["components"]["schemas"][name.rsplit('/').next().unwrap()])
    }

    /// Whether a value is what a schema says of its type.
    fn fits(&self, schema: &Value, value: &Value) -> bool {
        let schema = self.resolved(schema);
        for (name, all) in [("allOf", true), ("anyOf", false), ("oneOf", false)] {
            if let Some(parts) = schema[name].as_array() {
                let mut parts = parts.iter().map(|part| self.fits(part, value));
                if !(if all { parts.all(|fits| fits) } else { parts.any(|fits| fits) }) {
                    return false;
                }
            }
        }
        let is = |kind: &Value| match kind.as_str().unwrap() {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            other => panic!("no such type: {other}"),
        };
        let is_of_type = match &schema["type"] {
            Value::Null => true,
            Value::Array(kinds) => kinds.iter().any(is),
            kind => is(kind),
        };
        let is_listed = schema["enum"].as_array().is_none_or(|values| values.contains(value));
        let minimum = schema["minimum"].as_f64();
        let is_enough = minimum.is_none_or(|least| value.as_f64().is_none_or(|number| number >= least));
        let members_fit = value.as_object().is_none_or(|members| {
            members.iter().all(|(name, value)| match (&schema["properties"][name], &schema["additionalProperties"]) {
                (Value::Null, Value::Bool(allowed)) => *allowed,
                (Value::Null, Value::Null) => true,
                (Value::Null, others) => self.fits(others, value),
                (member, _) => self.fits(member, value),
            })
        });
        let is_complete = schema["required"].as_array().is_none_or(|names| {
            names.iter().all(|name| !value.is_object() || value.get(name.as_str().unwrap()).is_some())
        });
        let items_fit = value.as_array().is_none_or(|items| {
            schema["items"].is_null() || items.iter().all(|item| self.fits(&schema["items"], item))
        });
        is_of_type && is_listed && is_enough && members_fit && is_complete && items_fit
    }

    /// The places below a schema.
    fn places<'a>(&'a self, schema: &'a Value, pointer: &str, found: &mut Vec<Place<'a>>) {
        let schema = self.resolved(schema);
        for part in ["allOf", "anyOf", "oneOf"].iter().filter_map(|name| schema[*name].as_array()).flatten() {
            self.places(part, pointer, found);
        }
        let members = schema["properties"].as_object().into_iter().flatten();
        for (name, member) in members {
            let at = format!("{pointer}/{name}");
            let is_required = schema["required"].as_array().is_some_and(|names| names.contains(&json!(name)));
            found.push(Place { pointer: at.clone(), schema: member, may_be_null: !is_required });
            self.places(member, &at, found);
        }
        for (name, below) in [("x", &schema["additionalProperties"]), ("0", &schema["items"])] {
            if below.is_object() {
                let at = format!("{pointer}/{name}");
                found.push(Place { pointer: at.clone(), schema: below, may_be_null: name == "x" });
                self.places(below, &at, found);
            }
        }
    }
}

/// A place in a body.
struct Place<'a> {
    pointer: String,
    /// What belongs there.
    schema: &'a Value,
    /// Whether it may be left out, which `null` means as well.
    may_be_null: bool,
}

/// Puts a value into a body, with the objects and lists that are missing there.
fn put(body: &mut Value, pointer: &str, value: &Value) {
    let mut at = body;
    for step in pointer.split('/').skip(1) {
        at = if step == "0" {
            if !at.is_array() {
                *at = json!([null]);
            }
            &mut at[0]
        } else {
            if !at.is_object() {
                *at = json!({});
            }
            &mut at[step]
        };
    }
    *at = value.clone();
}

/// Bodies that are right, but for what a test puts into them. `N` is another name each time.
fn right(method: &str, path: &str) -> Vec<Value> {
    let budget = json!({"name": "b", "tokens": 5, "per": "day"});
    let dear = json!({"name": "b", "usd": "5", "per": "day"});
    let terms = |mut body: Value, budget: &Value| {
        body["budgets"] = json!([budget]);
        body
    };
    let both = |body: Value| vec![terms(body.clone(), &budget), terms(body, &dear)];
    let granting = json!({"name": "N", "grants": [{"access": "read"}]});
    let standing = json!({"id": "N", "for": "all", "tokens": 5, "per": "day"});
    let price = json!({"id": "N", "provider": "p", "model": "N", "rates": {"x": {"amount": "1"}, "input": "1"}});
    match (method, path) {
        ("post", "/admin/v1/keys") => both(granting),
        ("post", "/admin/v1/keys/import") => {
            let mut body = granting;
            body["hash"] = json!("sha256:HASH");
            both(body)
        }
        ("patch", "/admin/v1/keys/{id}" | "/admin/v1/teams/{id}" | "/admin/v1/organisations/{id}") => both(json!({})),
        ("post", "/admin/v1/teams" | "/admin/v1/organisations") => both(json!({"id": "N", "name": "N"})),
        ("post", "/admin/v1/users") => {
            let login = json!({"issuer": "https://N", "subject": "N"});
            vec![json!({"id": "N", "name": "N", "logins": [login], "grants": [{"access": "read"}]})]
        }
        ("post", "/admin/v1/budgets") => {
            let mut dear = standing.clone();
            dear.as_object_mut().unwrap().remove("tokens");
            dear["usd"] = json!("5");
            vec![standing, dear]
        }
        ("post", "/admin/v1/prices") => vec![price, json!({"id": "N", "provider": "p", "model": "N", "rates": {}})],
        ("post", "/admin/v1/keys/{id}/rotate") => vec![json!({"grace": "0s", "again": true})],
        ("post", "/admin/v1/keys/{id}/move") => vec![json!({"team": null})],
        ("patch", "/admin/v1/users/{id}" | "/admin/v1/budgets/{id}" | "/admin/v1/prices/{id}")
        | ("post", "/admin/v1/adapters/{name}/{verb}" | "/admin/v1/config/rollback") => vec![json!({})],
        ("post", "/admin/v1/routes/explain") => vec![json!({"model": "openai"})],
        ("post", "/admin/v1/cache/feedback") => vec![json!({"key": "HASH", "verdict": "wrong"})],
        ("post", "/admin/v1/session") => vec![json!({"token": TOKEN})],
        // The body goes to an endpoint of clients, whose format it has.
        ("post", "/admin/v1/playground/{path}") => vec![],
        _ => panic!("{method} {path} is new: say what a right body is"),
    }
}

/// A document of each kind, which patches are for.
async fn made_for(gateway: &Gateway) -> impl Fn(&str) -> String {
    let (key, _) = made(gateway, json!({"name": "patched"})).await;
    for (path, body) in [
        ("/teams", json!({"id": "patched", "name": "patched"})),
        ("/organisations", json!({"id": "patched", "name": "patched"})),
        ("/users", json!({"id": "patched", "name": "patched"})),
        ("/budgets", json!({"id": "patched", "for": "all", "tokens": 5, "per": "day"})),
        ("/prices", json!({"id": "patched", "provider": "p", "model": "patched", "rates": {"input": "1"}})),
    ] {
        let reply = admin(gateway, "POST", path, body).await;
        assert_eq!(reply.status(), 201, "{}", reply.text());
    }
    move |path: &str| {
        let id = if path.contains("/keys/{id}") { &key } else { "patched" };
        let path = path.replace("{id}", id).replace("{name}", "openai").replace("{verb}", "trial");
        path.strip_prefix("/admin/v1").unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_values_in_any_member_of_any_body_are_refused_with_a_code_or_are_what_is_described() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let described = Description(admin(&gateway, "GET", "/openapi.json", Value::Null).await.json());
    let path_of = made_for(&gateway).await;
    let (mut number, mut sent, mut wrong) = (0_u64, 0, String::new());
    for (path, methods) in described.0["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            if schema.is_null() {
                continue;
            }
            // A body that is null would be none.
            let whole = odd().into_iter().filter(|value| !value.is_null());
            for value in whole {
                let reply = admin(&gateway, &method.to_uppercase(), &path_of(path), value.clone()).await;
                let is_refused = (400..500).contains(&reply.status()) && !code(&reply).is_empty();
                if !is_refused && !value.is_object() {
                    writeln!(wrong, "{method} {path} {value}: {} {}", reply.status(), reply.text()).unwrap();
                }
            }
            let mut places = Vec::new();
            described.places(schema, "", &mut places);
            for body in right(method, path) {
                for place in &places {
                    for value in odd() {
                        let mut body = body.clone();
                        put(&mut body, &place.pointer, &value);
                        number += 1;
                        let text = body.to_string().replace("\"N\"", &format!("\"n{number}\""));
                        let text = text.replace("//N", &format!("//n{number}"));
                        let body: Value = text.replace("HASH", &format!("{number:064x}")).parse().unwrap();
                        let reply = admin(&gateway, &method.to_uppercase(), &path_of(path), body).await;
                        sent += 1;
                        let status = reply.status();
                        let is_refused = (400..500).contains(&status) && !code(&reply).is_empty();
                        let is_right = (200..300).contains(&status)
                            && (described.fits(place.schema, &value) || value.is_null() && place.may_be_null);
                        if !is_refused && !is_right {
                            writeln!(wrong, "{method} {path} {}={value}: {status} {}", place.pointer, reply.text())
                                .unwrap();
                        }
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(sent > 4_000, "{sent}");
}
