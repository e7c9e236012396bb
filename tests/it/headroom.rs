//! `/admin/v1/limits`: what is used of each limit, for those who may see it.

use serde_json::{Value, json};
use weir_tests::{Answer, Gate, Gateway, Request, Upstream, soon};

use crate::keys::{self, READER, TOKEN, made};
use crate::wire_format::{OPENAI, config_of};

const KEY: &str = "weir-key-of-the-team-0123456789";

/// What a holder of a token sees.
async fn seen(gateway: &Gateway, token: &str, query: &str) -> Value {
    let request = Request::get(&format!("/admin/v1/limits{query}")).header("authorization", &format!("Bearer {token}"));
    let reply = gateway.ask(&request).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    reply.json()
}

/// Whose limits a page has, and of what, in its order.
fn named(page: &Value) -> Vec<String> {
    let one = |item: &Value| ["scope", "name", "resource"].map(|field| item[field].as_str().unwrap()).join(" ");
    page["items"].as_array().unwrap().iter().map(one).collect()
}

/// The limit of an owner.
fn of<'a>(page: &'a Value, named: &str) -> &'a Value {
    let parts: Vec<&str> = named.split(' ').collect();
    let items = page["items"].as_array().unwrap();
    let found = items.iter().find(|item| ["scope", "name", "resource"].iter().zip(&parts).all(|(f, p)| item[*f] == *p));
    found.unwrap_or_else(|| panic!("{named} is not among {page:#}"))
}

/// Polls the nearest limits until one of them has so much in use.
async fn until_used(gateway: &Gateway, named: &str, used: u64) -> Value {
    soon("a limit's use", async {
        loop {
            let page = seen(gateway, TOKEN, "?sort=used").await;
            if of(&page, named)["used"] == used {
                return page;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_show_what_is_in_use_and_the_nearest_come_first() {
    let gate = Gate::default();
    let shut = gate.clone();
    let upstream = Upstream::scripted(move |_| {
        let mut pieces = OPENAI.stream().into_iter();
        let begun = Answer::sse().piece(pieces.next().unwrap()).gate(&shut);
        pieces.fold(begun, Answer::piece).end()
    })
    .await;
    let settings = format!(
        "[server]\nqueue = {{ length = 2 }}\n[admin]\ntoken = \"{TOKEN}\"\n{}\
         [[models]]\nalias = \"one\"\nmax_concurrency = 1\ntarget = {{ provider = \"openai\", model = \"m\" }}\n\
         [[clients]]\nname = \"team\"\nkey = \"{KEY}\"\nlimits = {{ requests_per_minute = 1000, streams = 8 }}\n",
        config_of(&[OPENAI], &upstream)
    );
    let gateway = Gateway::open(&settings).await;
    let request = OPENAI.request("one", true).header("authorization", &format!("Bearer {KEY}"));
    let unused = seen(&gateway, TOKEN, "").await;
    let all = [
        "client team requests",
        "client team streams",
        "model one concurrency",
        "model one queue",
        "server  buffered_bytes",
        "server  sessions",
    ];
    let mut found = named(&unused);
    found.sort();
    assert_eq!(found, all, "also those that nothing used");
    assert!(unused["items"].as_array().unwrap().iter().all(|item| item["used"] == 0), "{unused:#}");
    let (mut served, mut waiting) = (gateway.connect().await, gateway.connect().await);
    served.send(&request).await;
    until_used(&gateway, "model one concurrency", 1).await;
    waiting.send(&request).await;
    let page = until_used(&gateway, "model one queue", 1).await;
    assert_eq!(named(&page)[..3], ["model one concurrency", "model one queue", "client team streams"]);
    let (place, queue, streams) = (&page["items"][0], &page["items"][1], &page["items"][2]);
    assert_eq!((&place["left"], &place["used_part"], &place["back_in"]), (&json!(0), &json!(1.0), &Value::Null));
    assert_eq!((&queue["limit"], &queue["used_part"]), (&json!(2), &json!(0.5)));
    assert_eq!((&streams["used"], &streams["limit"], &streams["back_in"]), (&json!(2), &json!(8), &Value::Null));
    assert!(of(&page, "client team requests")["back_in"].as_f64().unwrap() > 0.0);
    let narrow = seen(&gateway, TOKEN, "?sort=used&limit=1&scope=model&prefix=on").await;
    assert_eq!((named(&narrow), &narrow["more"]), (vec!["model one concurrency".to_owned()], &json!(1)));
    gate.open();
    gate.open();
    assert_eq!((served.reply().await.status(), waiting.reply().await.status()), (200, 200));
    let page = until_used(&gateway, "model one concurrency", 0).await;
    assert_eq!(of(&page, "model one queue")["used"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_teams_lead_sees_the_limits_of_the_team_and_of_its_keys_and_no_others() {
    let upstream = keys::provider().await;
    let client = format!("[[clients]]\nname = \"file\"\nkey = \"{KEY}\"\nlimits = {{ streams = 3 }}\n");
    let gateway = Gateway::from_file(&(keys::config(&upstream) + &client)).await;
    for team in ["red", "blue"] {
        let team = json!({"id": team, "name": team, "limits": {"requests_per_minute": 4}});
        assert_eq!(keys::admin(&gateway, "POST", "/teams", team).await.status(), 201);
    }
    let key = |name: &str, team: &str| json!({"name": name, "owner": {"team": team}, "limits": {"streams": 5}});
    let (red, text) = made(&gateway, key("of-red", "red")).await;
    let (blue, _) = made(&gateway, key("of-blue", "blue")).await;
    let lead = json!({"name": "lead", "owner": {"team": "red"}, "grants": [{"access": "read", "team": "red"}]});
    let (_, lead) = made(&gateway, lead).await;
    for _ in 0..3 {
        assert_eq!(keys::ask(&gateway, &text).await.status(), 200);
    }
    let own = seen(&gateway, &lead, "?sort=used").await;
    assert_eq!(named(&own), ["team red requests".to_owned(), format!("key {red} streams")], "{own:#}");
    assert_eq!(own["more"], 0);
    let (team, key) = (&own["items"][0], &own["items"][1]);
    // One comes back in each quarter of a minute.
    assert!((1..=3).contains(&team["used"].as_u64().unwrap()), "{team}");
    assert_eq!((&key["title"], &key["team"], &key["used"]), (&json!("of-red"), &json!("red"), &json!(0)));
    let all = named(&seen(&gateway, READER, "").await);
    for limit in [format!("key {blue} streams"), "team blue requests".to_owned(), "client file streams".to_owned()] {
        assert!(all.contains(&limit), "{limit} is not in {all:?}");
    }
    let mut paged = Vec::new();
    let mut query = "?limit=2".to_owned();
    loop {
        let page = seen(&gateway, READER, &query).await;
        paged.extend(named(&page));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("?limit=2&cursor={}", cursor.replace(' ', "%20"));
    }
    assert_eq!(paged, all);
    let refused =
        gateway.ask(&Request::get("/admin/v1/limits").header("authorization", &format!("Bearer {text}"))).await;
    assert_eq!(refused.status(), 403, "a key without grants");
    let refused = gateway.ask(&Request::get("/admin/v1/limits")).await;
    assert_eq!(refused.status(), 401);
}
