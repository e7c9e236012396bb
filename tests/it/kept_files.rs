//! What was read of a file of requests is kept in the store: batches are begun on it after a restart and through other
//! nodes, by the client that uploaded it and by no other.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::json;
use weir_store::{Sqlite, Store as _};
use weir_test_postgres::Database;
use weir_tests::clients::client;
use weir_tests::program::ask;
use weir_tests::{Folder, Reply, Request, Upstream};

use crate::batch_budgets::{
    LANES, begin, budget, by, clients, config, folder, id_in, line, lines, needed, openai, until_used_at, upload, usd,
    was_begun,
};
use crate::kept_batches::Node;

async fn asked(node: &Node, client: &str, request: Request) -> Reply {
    ask(node.address, &by(client, request)).await
}

/// Requests that all servers read alike.
fn plain(requests: &[String]) -> Vec<String> {
    requests.iter().map(|request| request.replace('\u{2028}', "")).collect()
}

async fn uploaded(node: &Node, client: &str, lane: &str, requests: &[String]) -> String {
    id_in(&asked(node, client, upload(lane, requests)).await)
}

/// Waits until a kill costs nothing of what was read of this file.
pub(crate) async fn until_file_is_kept(folder: &Folder, id: &str) {
    for _ in 0..1_000 {
        let store = Sqlite::open_to_read(folder.path().join("weir.db"));
        if store.and_then(|store| store.request_files(&[id.to_owned()])).is_ok_and(|found| !found.is_empty()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("`{id}` is not kept");
}

fn code(reply: &Reply) -> (u16, String) {
    (reply.status(), reply.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_on_a_file_from_before_a_kill_is_held_back_and_nobody_elses() {
    let [_, tenths] = needed();
    for lane in LANES {
        let (mut upstream, _) = openai().await;
        let budgets = [budget("money", &format!("for = \"all\"\n{}", usd(tenths + 10.0))), clients(&["one", "two"])];
        let (folder, config) = (folder("openai"), config("openai", &["gpt-x"], &upstream, &budgets));
        let first = Node::start(&folder, &config);
        let file = uploaded(&first, "one", lane, &lines()).await;
        let unread = uploaded(&first, "one", lane, &["no JSON".to_owned()]).await;
        until_file_is_kept(&folder, &file).await;
        drop(first);
        let second = Node::start(&folder, &config);
        for (client, file, status) in [("two", &file, 404), ("one", &unread, 403), ("two", &unread, 403)] {
            let reply = asked(&second, client, begin(lane, file)).await;
            assert_eq!(reply.status(), status, "{lane} {client}: {}", reply.text());
        }
        assert!(!was_begun(&mut upstream), "{lane}");
        assert_eq!(second.used("money").await, 0.0);
        id_in(&asked(&second, "one", begin(lane, &file)).await);
        assert_eq!(second.used("money").await, tenths / 10.0, "{lane}");
        assert_eq!(asked(&second, "one", begin(lane, &file)).await.status(), 429, "{lane}: there is room for one");
        second.program.stop();
        assert!(second.program.has_succeeded());
        let third = Node::start(&folder, &config);
        let reply = asked(&third, "one", begin(lane, &file)).await;
        assert_eq!(reply.status(), 429, "{lane}: it is known again: {}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_begins_at_once_on_a_file_that_passed_through_another_node_of_the_database() {
    let Some(database) = Database::start() else { return };
    let [_, tenths] = needed();
    for (number, lane) in LANES.into_iter().enumerate() {
        let (mut upstream, _) = openai().await;
        // Each lane has a budget of its own: the database keeps what was counted.
        let money = format!("money-{number}");
        let budgets = [
            budget(&money, &format!("for = \"all\"\n{}", usd(tenths + 10.0))),
            clients(&["one", "two"]),
            format!("[store]\nurl = \"{}\"\n", database.url()),
        ];
        let config = config("openai", &["gpt-x"], &upstream, &budgets);
        let folders = [(); 2].map(|()| folder("openai"));
        let [one, other] = [0, 1].map(|at| Node::start(&folders[at], &config));
        let file = uploaded(&one, "one", lane, &lines()).await;
        for node in [&other, &one] {
            let reply = asked(node, "two", begin(lane, &file)).await;
            assert_eq!(reply.status(), 404, "{lane}: {}", reply.text());
        }
        let reply = asked(&other, "one", begin(lane, "file-0123456789elsewhere")).await;
        assert_eq!(code(&reply), (403, "requests_not_read".to_owned()), "{lane}: {}", reply.text());
        assert!(!was_begun(&mut upstream), "{lane}");
        id_in(&asked(&other, "one", begin(lane, &file)).await);
        assert_eq!(other.used(&money).await, tenths / 10.0, "{lane}");
        until_used_at(&one, &money, tenths / 10.0).await;
        assert_eq!(asked(&one, "one", begin(lane, &file)).await.status(), 429, "{lane}: there is room for one");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_refuses_the_batch_and_what_was_read_meanwhile_is_kept_when_it_is_back() {
    let Some(database) = Database::start() else { return };
    let (mut upstream, _) = openai().await;
    let store = format!("[store]\nurl = \"{}\"\n", database.url());
    let budgets = [budget("money", "for = \"all\"\nusd = 1000000"), clients(&["one"]), store];
    let config = config("openai", &["gpt-x"], &upstream, &budgets);
    let folders = [(); 2].map(|()| folder("openai"));
    let [one, other] = [0, 1].map(|at| Node::start(&folders[at], &config));
    let before = uploaded(&one, "one", "/v1", &lines()).await;
    assert_eq!(asked(&other, "one", begin("/v1", &before)).await.status(), 200);
    database.stop();
    let meanwhile = uploaded(&one, "one", "/v1", &lines()).await;
    while upstream.unseen().is_some() {}
    let reply = asked(&other, "one", begin("/v1", &meanwhile)).await;
    assert_eq!(code(&reply), (403, "requests_not_read".to_owned()), "{}", reply.text());
    assert!(!was_begun(&mut upstream));
    assert_eq!(asked(&other, "one", begin("/v1", &before)).await.status(), 200, "this node knows it");
    database.go();
    for _ in 0..1_000 {
        if asked(&other, "one", begin("/v1", &meanwhile)).await.status() == 200 {
            return;
        }
    }
    panic!("{}", one.program.log());
}

/// Clients that may not use everything, by what they may, where budgets hold back what the others use.
fn restricted(upstream: &Upstream, of_bound: &str, of_free: &str) -> String {
    let passing = |name: &str, rights: &str| client(name, &format!("passthrough = [\"* * *\"]\n{rights}"));
    let operations = "operations = [\"chat\", \"files-*\", \"batches-*\"]";
    let clients = [
        passing("bound", &format!("models = [{of_bound}]\n{operations}")),
        passing("narrow", operations),
        passing("free", of_free),
        budget("money", "for = { key = \"free\" }\ntokens = 1000000"),
    ];
    config("openai", &["gpt-x"], upstream, &clients)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restricted_client_begins_a_batch_on_its_own_file_of_another_process_by_its_rights_of_now() {
    let (mut upstream, _) = openai().await;
    let folder = folder("openai");
    let first = Node::start(&folder, &restricted(&upstream, "\"gpt-*\"", ""));
    let two_models = plain(&[line("gpt-x", 10), line("gpt-y", 10)]);
    let mut files = Vec::new();
    for client in ["bound", "narrow", "free"] {
        let file = uploaded(&first, client, "/v1", &two_models).await;
        until_file_is_kept(&folder, &file).await;
        files.push(file);
    }
    let [bound, narrow, free] = files.try_into().unwrap();
    drop(first);
    let second = Node::start(&folder, &restricted(&upstream, "\"gpt-*\"", ""));
    for (client, others) in [("bound", &narrow), ("narrow", &bound), ("free", &bound)] {
        for lane in LANES {
            assert_eq!(asked(&second, client, begin(lane, others)).await.status(), 404, "{client} {lane}");
        }
    }
    let reply = asked(&second, "narrow", begin("/v1", "file-0123456789elsewhere")).await;
    assert_eq!(reply.status(), 404, "{}", reply.text());
    assert!(!was_begun(&mut upstream));
    for (client, file) in [("bound", &bound), ("narrow", &narrow), ("free", &free)] {
        for lane in LANES {
            let reply = asked(&second, client, begin(lane, file)).await;
            assert_eq!(reply.status(), 200, "{client} {lane}: {}", reply.text());
        }
    }
    assert!(was_begun(&mut upstream));
    drop(second);
    // One has lost a model since, and one was not restricted when its file was read.
    let third = Node::start(&folder, &restricted(&upstream, "\"gpt-x\"", "operations = [\"batches-*\"]"));
    for lane in LANES {
        let reply = asked(&third, "bound", begin(lane, &bound)).await;
        assert_eq!(reply.status(), 403, "{lane}: {}", reply.text());
        assert!(reply.text().contains("`gpt-y`") && reply.text().contains("line 2"), "{lane}: {}", reply.text());
        let reply = asked(&third, "free", begin(lane, &free)).await;
        assert_eq!(code(&reply), (403, "requests_not_read".to_owned()), "{lane}: {}", reply.text());
        assert_eq!(asked(&third, "narrow", begin(lane, &narrow)).await.status(), 200, "{lane}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_may_use_everything_begins_no_batch_on_anothers_file_after_a_restart() {
    let (mut upstream, _) = openai().await;
    let rights = "models = [\"gpt-x\"]\noperations = [\"files-*\", \"batches-*\"]\n";
    let config = config("openai", &["gpt-x"], &upstream, &[clients(&["one", "two"]), rights.to_owned()]);
    let folder = folder("openai");
    let first = Node::start(&folder, &config);
    let file = uploaded(&first, "two", "/v1", &plain(&lines())).await;
    until_file_is_kept(&folder, &file).await;
    drop(first);
    let second = Node::start(&folder, &config);
    for lane in LANES {
        let reply = asked(&second, "one", begin(lane, &file)).await;
        assert_eq!(reply.status(), 404, "{lane}: {}", reply.text());
        assert!(!was_begun(&mut upstream), "{lane}");
        let reply = asked(&second, "one", begin(lane, "file-0123456789elsewhere")).await;
        assert_eq!(reply.status(), 200, "{lane}: nobody is known to have it: {}", reply.text());
        assert_eq!(asked(&second, "two", begin(lane, &file)).await.status(), 200, "{lane}");
        assert!(was_begun(&mut upstream), "{lane}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_begun_at_the_account_that_has_its_file_after_a_restart() {
    let (mut upstream, _) = openai().await;
    let budgets = [budget("money", "for = \"all\"\nusd = 1000000"), clients(&["one"])];
    let config = config("openai", &["gpt-x"], &upstream, &budgets)
        .replace("api_key = \"KEY\"", "api_keys = [\"KEY-1\", \"KEY-2\"]");
    let folder = folder("openai");
    let first = Node::start(&folder, &config);
    let mut files = Vec::new();
    for _ in 0..6 {
        let file = uploaded(&first, "one", "/v1", &lines()).await;
        until_file_is_kept(&folder, &file).await;
        files.push((file, upstream.request().await.header("authorization").unwrap().to_owned()));
    }
    let accounts: HashSet<&String> = files.iter().map(|(_, account)| account).collect();
    assert_eq!(accounts.len(), 2, "both have their turn");
    drop(first);
    let second = Node::start(&folder, &config);
    for (file, account) in files.iter().chain(&files) {
        id_in(&asked(&second, "one", begin("/v1", file)).await);
        let request = upstream.request().await;
        assert_eq!(request.json()["input_file_id"], json!(file));
        assert_eq!(request.header("authorization"), Some(&**account), "{file}");
    }
}
