//! `weir keys` and `weir teams`, against a running Weir.

use std::process::{Command, Output};

use serde_json::{Value, json};
use weir_tests::{Gateway, program};

use super::{READER, TOKEN, admin, ask, gateway, provider};

pub(super) async fn weir(gateway: &Gateway, token: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program::file());
    command.args(arguments).args(["--admin", &format!("http://{}", gateway.address)]);
    command.env("WEIR_ADMIN_TOKEN", token).current_dir(gateway.folder.path());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub(super) async fn done(gateway: &Gateway, arguments: &[&str]) -> String {
    let output = weir(gateway, TOKEN, arguments).await;
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// A request of the key with this name, once the log has it.
async fn logged_by(gateway: &Gateway, name: &str) -> Value {
    loop {
        let found = done(gateway, &["log", "search", "--key", name, "--json"]).await;
        if let Some(line) = found.lines().next() {
            return serde_json::from_str(line).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_listed_rotated_and_revoked_by_commands() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    assert_eq!(done(&gateway, &["teams", "create", "red", "--name", "Red"]).await, "the team red is made\n");
    done(&gateway, &["teams", "create", "blue", "--budget", "50/month"]).await;
    let blue: Value = serde_json::from_str(&done(&gateway, &["teams", "show", "blue"]).await).unwrap();
    assert_eq!((&blue["budgets"][0]["usd"], &blue["budgets"][0]["per"]), (&Value::from("50"), &Value::from("month")));
    done(&gateway, &["teams", "delete", "blue"]).await;
    let create = [
        "keys",
        "create",
        "build",
        "--team",
        "red",
        "--expires",
        "90d",
        "--model",
        "openai*",
        "--tag",
        "ci",
        "--requests-per-minute",
        "600",
        "--alias",
        "fast=openai",
    ];
    let made = weir(&gateway, TOKEN, &create).await;
    assert!(made.status.success(), "{}", text(&made.stderr));
    let (key, about) = (text(&made.stdout), text(&made.stderr));
    let key = key.strip_suffix('\n').unwrap();
    assert!(!key.contains(char::is_whitespace), "the key stands alone");
    assert!(!about.contains(key));
    let id = key.split('-').nth(2).unwrap();
    assert!(about.contains(id));
    assert_eq!(ask(&gateway, key).await.status(), 200);
    let logged = weir_tests::soon("its request in the log", logged_by(&gateway, "build")).await;
    assert_eq!(logged["key"], id);

    let list = done(&gateway, &["keys", "list", "--team", "red"]).await;
    let mut lines = list.lines();
    assert_eq!(
        lines.next().unwrap().split_whitespace().collect::<Vec<_>>(),
        ["ID", "NAME", "TEAM", "STATUS", "EXPIRES"]
    );
    assert!(lines.next().unwrap().starts_with(&format!("{id}  build  red   active")), "{list}");
    let shown: Value = serde_json::from_str(&done(&gateway, &["keys", "show", id]).await).unwrap();
    assert_eq!((&shown["aliases"]["fast"], &shown["tags"][0]), (&Value::from("openai"), &Value::from("ci")));
    assert!(shown.get("key").is_none() && shown.get("hash").is_none());

    let rotated = done(&gateway, &["keys", "rotate", id, "--grace", "0s"]).await;
    let new = rotated.trim();
    assert_eq!((ask(&gateway, key).await.status(), ask(&gateway, new).await.status()), (401, 200));
    assert_eq!(done(&gateway, &["keys", "disable", id]).await, "disabled\n");
    assert_eq!(ask(&gateway, new).await.status(), 401);
    done(&gateway, &["keys", "enable", id]).await;
    done(&gateway, &["teams", "disable", "red"]).await;
    assert_eq!(ask(&gateway, new).await.status(), 403);
    done(&gateway, &["teams", "enable", "red"]).await;
    assert_eq!(ask(&gateway, new).await.status(), 200);
    let refused = weir(&gateway, TOKEN, &["teams", "delete", "red"]).await;
    assert!(
        !refused.status.success() && text(&refused.stderr).contains("1 key belongs to it: move or delete it first"),
        "{}",
        text(&refused.stderr)
    );
    done(&gateway, &["teams", "delete", "red", "--with-keys"]).await;
    assert_eq!(ask(&gateway, new).await.status(), 401);
    assert!(done(&gateway, &["teams", "list", "--json"]).await.trim() == "[]");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_goes_to_another_team_and_to_none_by_a_command() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    for team in ["red", "green"] {
        done(&gateway, &["teams", "create", team]).await;
    }
    let key = done(&gateway, &["keys", "create", "build", "--team", "red"]).await;
    let (key, id) = (key.trim(), key.split('-').nth(2).unwrap());
    let moved = done(&gateway, &["keys", "move", id, "--team", "green"]).await;
    assert_eq!(moved, format!("the key {id} belongs to the team green now\n"));
    done(&gateway, &["teams", "delete", "red"]).await;
    done(&gateway, &["teams", "disable", "green"]).await;
    assert_eq!(ask(&gateway, key).await.status(), 403);
    let moved = done(&gateway, &["keys", "move", id, "--no-team"]).await;
    assert_eq!(moved, format!("the key {id} belongs to no team now\n"));
    assert_eq!(ask(&gateway, key).await.status(), 200);
    let nowhere = weir(&gateway, TOKEN, &["keys", "move", id]).await;
    assert_eq!(nowhere.status.code(), Some(2), "{}", text(&nowhere.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_change_what_is_given_of_a_key_and_a_team_and_keep_the_rest() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    let fields = json!({"id": "red", "name": "Red", "models": ["openai*"], "limits": {"streams": 2},
                        "budgets": [{"name": "cap", "usd": "50", "per": "month", "soft": "0.8"},
                                    {"name": "week", "tokens": 9000, "per": "week"}]});
    assert_eq!(admin(&gateway, "POST", "/teams", fields).await.status(), 201);
    let change = ["teams", "set", "red", "--budget", "80/month", "--budget", "5/day"];
    assert!(!weir(&gateway, TOKEN, &change).await.status.success(), "one budget at a time");
    for wrong in [&["log", "gaps", "then"][..], &["log", "search", "--status", "x"]] {
        assert_eq!(weir(&gateway, TOKEN, wrong).await.status.code(), Some(2), "{wrong:?}");
    }
    // What the running Weir finds wrong, and what it does not have.
    for (typed, code) in [
        (&["keys", "create", "x", "--expires", "2001-01-31"][..], 2),
        (&["keys", "create", "x", "--model", ""], 2),
        (&["keys", "create", "x", "--team", "none"], 1),
        (&["teams", "show", "nobody"], 1),
    ] {
        let output = weir(&gateway, TOKEN, typed).await;
        assert_eq!(output.status.code(), Some(code), "{typed:?}: {}", text(&output.stderr));
    }
    let change = ["teams", "set", "red", "--budget", "80/month", "--requests-per-minute", "600", "--name", "Reds"];
    assert_eq!(done(&gateway, &change).await, "the team red is changed\n");
    done(&gateway, &["teams", "set", "red", "--budget", "5/day"]).await;
    let team = admin(&gateway, "GET", "/teams/red", Value::Null).await.json();
    assert_eq!((&team["name"], &team["models"]), (&json!("Reds"), &json!(["openai*"])));
    assert_eq!((&team["limits"]["requests_per_minute"], &team["limits"]["streams"]), (&json!(600), &json!(2)));
    let budgets: Vec<(&Value, &Value, &Value)> = team["budgets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|budget| (&budget["name"], &budget["usd"], &budget["soft"]))
        .collect();
    let expected = [
        (&json!("cap"), &json!("80"), &json!("0.8")),
        (&json!("week"), &Value::Null, &Value::Null),
        (&json!("day"), &json!("5"), &Value::Null),
    ];
    assert_eq!(budgets, expected);

    let key = done(&gateway, &["keys", "create", "build", "--tag", "ci"]).await;
    let id = key.split('-').nth(2).unwrap();
    assert_eq!(ask(&gateway, key.trim()).await.status(), 200);
    let change = ["keys", "set", id, "--model", "claude*", "--expires", "90d"];
    assert_eq!(done(&gateway, &change).await, format!("the key {id} is changed\n"));
    assert_eq!(ask(&gateway, key.trim()).await.status(), 403);
    let shown = admin(&gateway, "GET", &format!("/keys/{id}"), Value::Null).await.json();
    assert_eq!(
        (&shown["name"], &shown["tags"], &shown["models"]),
        (&json!("build"), &json!(["ci"]), &json!(["claude*"]))
    );
    assert!(shown["expires"].is_string(), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_say_what_is_wrong_and_repeat_no_key() {
    let upstream = provider().await;
    let gateway = gateway(&upstream).await;
    for (token, arguments, expected) in [
        ("a-wrong-token", &["keys", "list"][..], "WEIR_ADMIN_TOKEN"),
        (READER, &["keys", "create", "x"], "`admin.read_token` only reads: changes need `admin.token`"),
        (TOKEN, &["keys", "show", "000000000000"], "there is no such key"),
        (TOKEN, &["keys", "show", "sk-weir-0123456789ab-secret"], "that is no key's id"),
        (TOKEN, &["keys", "rotate", "build"], "`weir keys list` has it beside the key's name"),
        (TOKEN, &["keys", "create", "x", "--expires", "soon"], "90d"),
        (TOKEN, &["keys", "create", "x", "--budget", "50/eon"], "eon"),
        (TOKEN, &["keys", "create", "x", "--team", "none"], "there is no team `none` to belong to: make it first"),
        (TOKEN, &["teams", "set", "red"], "nothing is to be changed: give --model, --budget or another option"),
        (TOKEN, &["teams", "set", "red", "--name", "Red"], "there is no such team"),
    ] {
        let output = weir(&gateway, token, arguments).await;
        let error = text(&output.stderr);
        assert!(!output.status.success() && error.contains(expected), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty() && !error.contains("secret") && !error.contains(token), "{error}");
    }
}
