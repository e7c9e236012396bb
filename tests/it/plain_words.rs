//! What an operator and an author read when something is not as it should be: one line for a start, all mistakes at
//! once, exit codes, names that were probably meant, and no words of a parser's own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::json;
use weir_tests::plugins::{component, target, zeta_build};
use weir_tests::{Folder, Gateway, Request, program};

use crate::commands::{CommandFolder, is_in};

const MODEL: &str = "[[providers]]\nname = \"p\"\nadapter = \"openai\"\nurl = \"http://127.0.0.1:9/v1\"\napi_key = \"k-0123456789\"\n\
                     [[models]]\nalias = \"fast\"\ntarget = { provider = \"p\", model = \"gpt-4o-mini\" }\n";

/// A working folder whose `plugins` has these adapters.
fn desk(adapters: &[&str]) -> CommandFolder {
    let desk = CommandFolder::with(&zeta_build(1), "");
    fs::create_dir(desk.at("plugins")).unwrap();
    for name in adapters {
        fs::copy(component(name), desk.at(&format!("plugins/{name}.wasm"))).unwrap();
    }
    desk
}

/// The log of a start, up to the line that it listens.
fn start(desk: &CommandFolder, variables: &[(&str, &str)]) -> Vec<String> {
    let mut command = Command::new(program::file());
    command.current_dir(desk.at("")).args(["serve", "--config", "weir.toml"]).envs(variables.iter().copied());
    command.env("WEIR_SERVER__PORT", "0").env("WEIR_PLUGINS__CACHE_DIR", target().join("test-cache"));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = Vec::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok) {
        lines.push(line);
        if lines.last().is_some_and(|line| line.contains("weir listens")) {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    lines
}

#[test]
fn a_log_for_people_has_one_line_for_all_adapters_of_a_start() {
    let desk = desk(&["openai", "anthropic", "secrets"]);
    fs::write(desk.at("plugins/broken.wasm"), "no component").unwrap();
    fs::write(desk.at("weir.toml"), format!("[server]\nmax_connections = 64\n{MODEL}")).unwrap();
    let of_each = |lines: &[String]| lines.iter().filter(|line| line.contains("adapter serves")).count();
    let human = start(&desk, &[("WEIR_LOG_FORMAT", "human")]);
    assert_eq!(of_each(&human), 0, "{human:?}");
    assert!(!human.iter().any(|line| line.contains("adapter proved")), "{human:?}");
    let summary: Vec<&String> = human.iter().filter(|line| line.contains("adapters loaded")).collect();
    assert_eq!(summary.len(), 1, "{human:?}");
    is_in("adapters=2 guards=1 refused=broken millis=", summary[0]);
    assert!(human.iter().any(|line| line.contains("adapter refused") && line.contains("broken")), "{human:?}");
    assert_eq!(of_each(&start(&desk, &[("WEIR_LOG_FORMAT", "human"), ("WEIR_LOG_LEVEL", "debug")])), 3);
    assert_eq!(of_each(&start(&desk, &[("WEIR_LOG_FORMAT", "json")])), 3);
}

#[test]
fn check_reports_what_needs_adapters_beside_what_keeps_the_file_from_being_read() {
    let desk = desk(&["openai", "anthropic"]);
    let config = "[server]\nprot = 1\n\
                  [[providers]]\nname = \"a\"\nadapter = \"anthropc\"\nurl = \"http://127.0.0.1:9/v1\"\n\
                  [[providers]]\nname = \"b\"\nadapter = \"openai\"\nurl = \"http://127.0.0.1:9/v1\"\noptions = { organisation = \"o\" }\n\
                  [[providers]]\nname = \"c\"\nurl = \"http://127.0.0.1:9/v1\"\n\
                  [[guards]]\nname = \"sekrets\"\n\
                  [[models]]\nalias = \"m\"\ntarget = { provider = \"bb\", model = \"x\" }\n";
    fs::write(desk.at("weir.toml"), config).unwrap();
    let output = desk.types_with(&[], "check --config weir.toml", 2);
    for part in [
        "weir.toml:2:1: error: unknown key `prot` in `[server]` (did you mean `port`?)",
        "weir.toml:5:11: error: there is no adapter `anthropc` (did you mean `anthropic`? loaded are anthropic, openai)",
        "weir.toml:11:28: error: the adapter `openai` has no option `organisation` (did you mean `organization`?)",
        "the guard `sekrets` cannot judge",
        "no provider is called `bb` (did you mean `b`?)",
    ] {
        is_in(part, &output);
    }
    assert!(!output.contains("adapter ``"), "nothing is said of what could not be read: {output}");
}

#[test]
fn check_needs_no_secret_where_it_is_told_so() {
    let desk = desk(&["openai"]);
    let config = "[admin]\ntoken = \"env:WEIR_TEST_NO_SUCH_TOKEN\"\n\
                  [[providers]]\nname = \"p\"\nadapter = \"openai\"\nurl = \"https://llm.example/v1\"\n\
                  api_key = \"env:WEIR_TEST_NO_SUCH_KEY\"\n\
                  [[models]]\nalias = \"m\"\ntarget = { provider = \"p\", model = \"x\" }\n";
    fs::write(desk.at("weir.toml"), config).unwrap();
    is_in("error: `api_key`: the environment", &desk.types_with(&[], "check --config weir.toml", 2));
    let output = desk.types_with(&[], "check --without-secrets --config weir.toml", 0);
    for part in ["warning: `token`: the environment", "warning: `api_key`: the environment"] {
        is_in(part, &output);
    }
    assert!(!output.contains("has no key"), "it is said once: {output}");
    is_in("p/x", &desk.types_with(&[], "route explain m --config weir.toml", 0));
    let unreached = desk.types_with(&[("WEIR_SERVER__PORT", "9")], "keys list --config weir.toml", 1);
    is_in("no Weir answers", &unreached);
}

#[test]
fn check_refuses_a_guard_that_is_missing_if_its_requests_are_refused() {
    let desk = desk(&["openai", "secrets"]);
    let guard = |more: &str| fs::write(desk.at("weir.toml"), format!("{MODEL}[[guards]]\nname = \"sekrets\"\n{more}"));
    guard("").unwrap();
    let output = desk.types_with(&[], "check --config weir.toml", 2);
    is_in("and its requests are refused: there is no component `sekrets` (did you mean `secrets`?", &output);
    guard("fail = \"open\"\n").unwrap();
    is_in("and its requests pass unjudged", &desk.types_with(&[], "check --config weir.toml", 0));
}

#[test]
fn a_refused_adapter_is_not_said_to_be_missing() {
    let desk = desk(&[]);
    fs::write(desk.at("plugins/openai.wasm"), "no component").unwrap();
    fs::write(desk.at("weir.toml"), MODEL).unwrap();
    let output = desk.types_with(&[], "check --config weir.toml", 2);
    is_in("the adapter `openai` was refused: ", &output);
    assert!(!output.contains("no adapter is loaded"), "{output}");
}

#[test]
fn mistakes_in_the_command_and_the_configuration_end_with_2_and_what_fails_with_1() {
    let desk = desk(&["openai", "anthropic"]);
    let asked = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
    fs::write(desk.at("asked.json"), asked.to_string()).unwrap();
    fs::write(desk.at("cut.json"), "{\n \"model\": ").unwrap();
    fs::write(desk.at("weir.toml"), MODEL).unwrap();
    fs::write(desk.at("wrong.toml"), "prot = 1\n").unwrap();
    let explain = "explain --config weir.toml --from";
    for (line, code, said) in [
        (format!("{explain} openai.chat --to anthropic asked.json"), 0, "translated to anthropic.messages"),
        (
            format!("{explain} openai.cat --to anthropic asked.json"),
            2,
            "did you mean `openai.chat`? There are anthropic.batches, anthropic.messages",
        ),
        (format!("{explain} openai --to anthropic asked.json"), 2, "did you mean `openai.chat`?"),
        (
            format!("{explain} openai.chat --to antropic asked.json"),
            2,
            "there is no adapter `antropic`; did you mean `anthropic`?",
        ),
        (format!("{explain} openai.chat --to anthropic --to-format x asked.json"), 2, "has no format `x`"),
        (format!("{explain} openai.chat --to anthropic --operation chatt asked.json"), 2, "did you mean `chat`?"),
        (
            format!("{explain} openai.chat --to anthropic --option max_token=5 asked.json"),
            2,
            "did you mean `max_tokens`?",
        ),
        (format!("{explain} openai.chat --to anthropic --option colour=red asked.json"), 2, "Usage: weir explain "),
        (format!("{explain} openai.chat --to anthropic cut.json"), 2, "cut.json: line 2, "),
        (format!("{explain} openai.chat --to anthropic none.json"), 2, "none.json: "),
        ("route explain fast --config weir.toml".to_owned(), 0, "p/gpt-4o-mini"),
        ("route explain fsat --config weir.toml".to_owned(), 1, "did you mean `fast`?"),
        ("log show x-y --config weir.toml".to_owned(), 2, "is not the id of a request"),
        (
            "log search --outcome bad --config weir.toml".to_owned(),
            2,
            "[possible values: ok, refused, failed, cut, cancelled]",
        ),
        ("log search --config weir.toml --admin http://127.0.0.1:9".to_owned(), 1, "no Weir answers"),
        ("keys create a --budget 5 --config weir.toml".to_owned(), 2, "--budget takes dollars and a window"),
        ("keys rotate a/b --config weir.toml".to_owned(), 2, "that is no key's id"),
        ("budgets set b --config weir.toml".to_owned(), 2, "nothing is to be changed"),
        (
            "prices create z --provider p --model m --config weir.toml".to_owned(),
            2,
            "the price has no rate: give --rate",
        ),
        (
            "ledger reprice --prices cut.json --config weir.toml".to_owned(),
            2,
            "cut.json:2: there is no member `model`: known are `about`",
        ),
    ] {
        is_in(said, &desk.types_with(&[], &line, code));
    }
    for line in
        ["keys list", "log search", "plugin list", "cache show", "route explain m", "prices list", "serve", "check"]
    {
        let output = desk.types_with(&[], &format!("{line} --config wrong.toml"), 2);
        is_in("wrong.toml:1:1: error: unknown key `prot`", &output);
        assert!(!output.contains("error: error") && !output.contains("error: wrong.toml"), "{output}");
    }
}

#[test]
fn a_fixture_that_is_none_is_said_with_its_file_and_line() {
    let desk = desk(&[]);
    let wrong = "{\"id\": \"x\",\n\"request\": {\"method\": \"POST\", \"path_and_query\": \"/v1\", \"body\": {}},\n\"response\": {\"status\": \"200\"}}";
    fs::write(desk.at("one.json"), wrong).unwrap();
    let said = "a whole number that is not negative should stand here, not the text \"200\"";
    let output = desk.types("test zeta.wasm one.json", 2);
    is_in("one.json: line 3, ", &output);
    is_in(said, &output);
    is_in(said, &desk.types_with(&[], "fixture check one.json", 1));
    fs::write(desk.at("rules.toml"), "off = []\n[[secret]]\n").unwrap();
    let output = desk.types_with(&[], "fixture check --rules rules.toml one.json", 2);
    is_in("line 2: there is no member `secret`: known are `headers`", &output);
}

/// A gateway with two clients: one may use all models, one only those that begin with `fast`.
async fn kept_apart() -> Gateway {
    let model =
        |name: &str| format!("[[models]]\nalias = \"{name}\"\ntarget = {{ provider = \"p\", model = \"m\" }}\n");
    let client =
        |name: &str, more: &str| format!("[[clients]]\nname = \"{name}\"\nkey = \"weir-{name}-0123456789\"\n{more}");
    let config = format!(
        "[[providers]]\nname = \"p\"\nadapter = \"openai\"\nurl = \"http://127.0.0.1:9/v1\"\napi_key = \"k\"\n{}{}",
        ["fast-small", "fast-smile", "fact-small", "large"].map(model).concat(),
        client("free", "") + &client("few", "models = [\"fast*\"]\n"),
    );
    Gateway::open(&config).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_model_suggests_the_nearest_that_the_key_may_use() {
    let gateway = kept_apart().await;
    let ask = async |path: &str, key: &str| {
        let body = json!({"model": "fast-smal", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]});
        let request =
            Request::post(path, body.to_string()).header("authorization", &format!("Bearer weir-{key}-0123456789"));
        let reply = gateway.ask(&request).await;
        assert_eq!(reply.status(), 404, "{}", reply.text());
        reply.json()["error"]["message"].as_str().unwrap_or_default().to_owned()
    };
    for path in ["/v1/chat/completions", "/v1/messages"] {
        is_in("did you mean `fast-small` or `fact-small` or `fast-smile`?", &ask(path, "free").await);
        let told = ask(path, "few").await;
        is_in("did you mean `fast-small` or `fast-smile`?", &told);
        assert!(!told.contains("fact-small"), "another's model is not named: {told}");
    }
    let request = Request::get("/v1/models/fast-smal").header("authorization", "Bearer weir-few-0123456789");
    let reply = gateway.ask(&request).await;
    assert_eq!(reply.status(), 404);
    is_in("did you mean `fast-small`", &reply.text());
    assert!(!reply.text().contains("fact-small"), "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_model_is_answered_with_the_list_that_the_client_itself_can_ask_for() {
    let adapters = ["openai", "anthropic", "gemini", "ollama"];
    let provider = |name: &str| {
        format!(
            "[[providers]]\nname = \"{name}\"\nadapter = \"{name}\"\nurl = \"http://127.0.0.1:9/v1\"\napi_key = \"k\"\n"
        )
    };
    let gateway = Gateway::with(Folder::with(&adapters), &adapters.map(provider).concat()).await;
    for (path, list) in [
        ("/v1/chat/completions", "GET /v1/models"),
        ("/chat/completions", "GET /models"),
        ("/openai/v1/chat/completions", "GET /openai/v1/models"),
        ("/v1/messages", "GET /v1/models"),
        ("/anthropic/v1/messages", "GET /anthropic/v1/models"),
        ("/v1beta/models/unheard-of:generateContent", "GET /v1beta/models"),
        ("/api/chat", "GET /api/tags"),
        ("/ollama/api/chat", "GET /ollama/api/tags"),
    ] {
        let body = json!({"model": "unheard-of", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}],
            "contents": [{"role": "user", "parts": [{"text": "Hi"}]}]});
        let reply = gateway.ask(&Request::post(path, body.to_string())).await;
        assert_eq!(reply.status(), 404, "{path}: {}", reply.text());
        is_in(&format!("not known here; {list} lists those that you may use"), &reply.text());
        let path = list.strip_prefix("GET ").unwrap();
        assert_eq!(gateway.ask(&Request::get(path)).await.status(), 200, "{path} is served");
    }
}
