//! `weir keys` and `weir teams`, against a running Weir.

use std::process::{Command, Output};

use serde_json::Value;
use weir_tests::{House, program};

use super::{READER, TOKEN, ask, house, provider};

async fn weir(house: &House, token: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program::file());
    command.args(arguments).args(["--admin", &format!("http://{}", house.address)]);
    command.env("WEIR_ADMIN_TOKEN", token).current_dir(house.folder.path());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn done(house: &House, arguments: &[&str]) -> String {
    let output = weir(house, TOKEN, arguments).await;
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_listed_rotated_and_revoked_by_commands() {
    let upstream = provider().await;
    let house = house(&upstream).await;
    assert_eq!(done(&house, &["teams", "create", "red", "--name", "Red"]).await, "the team red is made\n");
    done(&house, &["teams", "create", "blue", "--budget", "50/month"]).await;
    let blue: Value = serde_json::from_str(&done(&house, &["teams", "show", "blue"]).await).unwrap();
    assert_eq!((&blue["budgets"][0]["usd"], &blue["budgets"][0]["per"]), (&Value::from("50"), &Value::from("month")));
    done(&house, &["teams", "delete", "blue"]).await;
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
    let made = weir(&house, TOKEN, &create).await;
    assert!(made.status.success(), "{}", text(&made.stderr));
    let (key, about) = (text(&made.stdout), text(&made.stderr));
    let key = key.strip_suffix('\n').unwrap();
    assert!(!key.contains(char::is_whitespace), "the key stands alone");
    assert!(!about.contains(key));
    let id = key.split('-').nth(2).unwrap();
    assert!(about.contains(id));
    assert_eq!(ask(&house, key).await.status(), 200);

    let list = done(&house, &["keys", "list", "--team", "red"]).await;
    let mut lines = list.lines();
    assert_eq!(
        lines.next().unwrap().split_whitespace().collect::<Vec<_>>(),
        ["ID", "NAME", "TEAM", "STATUS", "EXPIRES"]
    );
    assert!(lines.next().unwrap().starts_with(&format!("{id}  build  red   active")), "{list}");
    let shown: Value = serde_json::from_str(&done(&house, &["keys", "show", id]).await).unwrap();
    assert_eq!((&shown["aliases"]["fast"], &shown["tags"][0]), (&Value::from("openai"), &Value::from("ci")));
    assert!(shown.get("key").is_none() && shown.get("hash").is_none());

    let rotated = done(&house, &["keys", "rotate", id, "--grace", "0s"]).await;
    let new = rotated.trim();
    assert_eq!((ask(&house, key).await.status(), ask(&house, new).await.status()), (401, 200));
    assert_eq!(done(&house, &["keys", "disable", id]).await, "disabled\n");
    assert_eq!(ask(&house, new).await.status(), 401);
    done(&house, &["keys", "enable", id]).await;
    done(&house, &["teams", "disable", "red"]).await;
    assert_eq!(ask(&house, new).await.status(), 403);
    done(&house, &["teams", "enable", "red"]).await;
    assert_eq!(ask(&house, new).await.status(), 200);
    let refused = weir(&house, TOKEN, &["teams", "delete", "red"]).await;
    assert!(
        !refused.status.success() && text(&refused.stderr).contains("1 keys belong to it"),
        "{}",
        text(&refused.stderr)
    );
    done(&house, &["teams", "delete", "red", "--with-keys"]).await;
    assert_eq!(ask(&house, new).await.status(), 401);
    assert!(done(&house, &["teams", "list", "--json"]).await.trim() == "[]");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_say_what_is_wrong_and_repeat_no_key() {
    let upstream = provider().await;
    let house = house(&upstream).await;
    for (token, arguments, expected) in [
        ("a-wrong-token", &["keys", "list"][..], "WEIR_ADMIN_TOKEN"),
        (READER, &["keys", "create", "x"], "your grants do not allow this"),
        (TOKEN, &["keys", "show", "000000000000"], "there is no such key"),
        (TOKEN, &["keys", "show", "sk-weir-0123456789ab-secret"], "that is no key's id"),
        (TOKEN, &["keys", "create", "x", "--expires", "soon"], "90d"),
        (TOKEN, &["keys", "create", "x", "--budget", "50/eon"], "eon"),
        (TOKEN, &["keys", "create", "x", "--team", "none"], "there is no such team to belong to"),
    ] {
        let output = weir(&house, token, arguments).await;
        let error = text(&output.stderr);
        assert!(!output.status.success() && error.contains(expected), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty() && !error.contains("secret") && !error.contains(token), "{error}");
    }
}
