//! The first hour at a terminal: a first configuration, completions, pipes that close, and no adapters.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use weir_tests::plugins::{component, target, zeta_build};
use weir_tests::program::{self, Program};
use weir_tests::{Folder, Request};

use crate::commands::{CommandFolder, is_in};
use crate::wire_format::{ZETA, provider};

/// `weir LINE` in this folder, without this process's configuration.
fn weir(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(program::file());
    command.current_dir(folder).args(line.split_whitespace()).env_remove("WEIR_CONFIG");
    command.env("WEIR_PLUGINS__CACHE_DIR", target().join("test-cache"));
    for name in ["OPENAI_API_KEY", "ANTHROPIC_API_KEY"] {
        command.env_remove(name);
    }
    command
}

/// The exit code, and the output of both streams.
fn run(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat())
}

/// Runs a command with typed answers.
fn answered(command: &mut Command, answers: &str) -> (Option<i32>, String) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.code(), [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat())
}

/// A working folder whose `plugins` has the adapters of two providers, pinned.
fn desk() -> CommandFolder {
    let desk = CommandFolder::with(&zeta_build(1), "");
    fs::write(desk.at("weir.toml"), "[plugins]\ndir = \"plugins\"\nlock = \"plugins.lock\"\n").unwrap();
    for name in ["openai", "anthropic"] {
        fs::copy(component(name), desk.at(&format!("{name}.wasm"))).unwrap();
        desk.types(&format!("install {name}.wasm"), 0);
    }
    fs::remove_file(desk.at("weir.toml")).unwrap();
    desk
}

#[test]
fn init_writes_a_first_file_that_checks_and_overwrites_none() {
    let desk = desk();
    let folder = desk.at("");
    let (code, output) = run(weir(&folder, "init --yes").stdin(Stdio::null()));
    assert_eq!(code, Some(1), "{output}");
    is_in("OPENAI_API_KEY", &output);
    assert!(!desk.at("weir.toml").exists(), "nothing is written where there is nothing to serve");
    let (code, output) = run(weir(&folder, "init --yes").env("OPENAI_API_KEY", "sk-seen-by-nobody"));
    assert_eq!(code, Some(0), "{output}");
    is_in("weir.toml written", &output);
    let first = desk.text("weir.toml");
    is_in("api_key = \"env:OPENAI_API_KEY\"", &first);
    assert!(!first.contains("sk-seen") && !first.contains("anthropic"), "{first}");
    let (code, output) = run(weir(&folder, "check").env("OPENAI_API_KEY", "sk-seen-by-nobody"));
    assert_eq!(code, Some(0), "{output}");
    assert!(!output.contains("warning"), "{output}");
    let (code, output) = run(weir(&folder, "init --yes").env("OPENAI_API_KEY", "sk-seen-by-nobody"));
    assert_eq!(code, Some(1));
    is_in("is there already and is not overwritten", &output);
    assert_eq!(desk.text("weir.toml"), first);
}

#[test]
fn check_and_a_start_warn_of_models_without_a_price_and_of_the_budgets_that_refuse_them() {
    let desk = desk();
    let model = "[[providers]]\nname = \"p\"\nadapter = \"openai\"\nurl = \"http://127.0.0.1:9/v1\"\napi_key = \"k-0123456789\"\n\
                 [[models]]\nalias = \"own\"\ntarget = { provider = \"p\", model = \"of-our-own\" }\n";
    let budget = |more: &str| format!("[[budgets]]\nname = \"month\"\nfor = \"all\"\nusd = 5\nper = \"month\"\n{more}");
    let refused = "no price is known for p/of-our-own: the budget `month` refuses requests for them where it applies";
    for (budgets, expected) in [
        (String::new(), "the cost of requests to it is not counted"),
        (budget(""), refused),
        (budget("unpriced = \"allow\"\n"), "the cost of requests to it is not counted"),
    ] {
        fs::write(desk.at("weir.toml"), format!("{model}{budgets}")).unwrap();
        let (code, output) = run(&mut weir(&desk.at(""), "check --config weir.toml"));
        assert_eq!(code, Some(0), "{output}");
        is_in(expected, &output);
        let folder = Folder::with(&["openai"]);
        let started = Program::start(&folder, &target().join("test-cache"), &(model.to_owned() + &budgets));
        assert!(started.until("no price is known").contains(expected), "a start tells it too");
    }
}

#[test]
fn check_tells_of_a_guard_that_sees_nothing_and_of_one_that_is_taken_for_an_adapter() {
    let desk = desk();
    fs::copy(component("secrets"), desk.at("plugins/secrets.wasm")).unwrap();
    let check = |config: &str| {
        fs::write(desk.at("weir.toml"), config).unwrap();
        run(&mut weir(&desk.at(""), "check --config weir.toml"))
    };
    let (guard, blind) = ("[[guards]]\nname = \"secrets\"\n", "sees neither requests nor answers");
    let (code, output) = check(guard);
    assert_eq!(code, Some(0), "{output}");
    is_in(blind, &output);
    for granted in ["prompt", "answer"] {
        let (code, output) = check(&format!("{guard}grants = {{ {granted} = true }}\n"));
        assert!(code == Some(0) && !output.contains(blind), "{output}");
    }
    let provider = "[[providers]]\nname = \"p\"\nadapter = \"secrets\"\nurl = \"http://127.0.0.1:9/v1\"\n";
    let (code, output) =
        check(&format!("{provider}[[models]]\nalias = \"m\"\ntarget = {{ provider = \"p\", model = \"m\" }}\n"));
    assert_ne!(code, Some(0), "{output}");
    is_in("`secrets` is a guard and no adapter", &output);
}

#[test]
fn init_asks_for_providers_a_server_of_ones_own_a_name_and_the_port() {
    let desk = desk();
    fs::copy(component("secrets"), desk.at("plugins/secrets.wasm")).unwrap();
    let mut command = weir(&desk.at(""), "init --out mine.toml");
    command.env("OPENAI_API_KEY", "sk-1-seen-by-nobody").env("ANTHROPIC_API_KEY", "sk-2-seen-by-nobody");
    // Anthropic no, OpenAI yes; Ollama's usual address; a name; a port.
    let answers = "n\n\nhttp://localhost:11434/v1\nopenai\nlocal\nllama3.1\nfast\ngpt-4o-mini\n9000\n";
    let (code, output) = answered(&mut command, answers);
    assert_eq!(code, Some(0), "{output}");
    is_in("weir check --config mine.toml", &output);
    is_in("Which adapter has its format (anthropic, openai)?", &output);
    let text = desk.text("mine.toml");
    for part in ["port = 9000", "alias = \"local\"", "http://localhost:11434/v1/", "alias = \"fast\"", "gpt-4o-mini"] {
        is_in(part, &text);
    }
    assert!(!text.contains("anthropic") && !text.contains("seen-by-nobody"), "{text}");
    let (code, output) = run(weir(&desk.at(""), "check --config mine.toml").env("OPENAI_API_KEY", "sk-seen-by-nobody"));
    assert_eq!(code, Some(0), "{output}");
}

#[test]
fn no_command_panics_when_its_reader_leaves() {
    let desk = desk();
    fs::write(desk.at("litellm.yaml"), "model_list:\n- model_name: a\n  litellm_params: {model: openai/a}\n").unwrap();
    fs::write(desk.at("request.json"), "{\"model\":\"gpt-4o\",\"messages\":[]}").unwrap();
    let lines = [
        "--help",
        "help plugin",
        "check",
        "check --config nowhere.toml",
        "completions bash",
        "client-key --name team",
        "key --name team",
        "import env",
        "import litellm litellm.yaml",
        "init --yes --out other.toml",
        "plugin list",
        "plugin list --json",
        "plugin inspect openai.wasm",
        "plugin test zeta.wasm",
        "fixture check zeta.fixtures",
        "route explain gpt-4o",
        "explain --from openai.chat --to anthropic request.json",
        "serve --config nowhere.toml",
    ];
    for line in lines {
        for closed_errors in [false, true] {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let mut command = weir(&desk.at(""), line);
            command.env("OPENAI_API_KEY", "sk-seen-by-nobody").stdin(Stdio::null());
            command.stdout(writer.try_clone().unwrap());
            command.stderr(if closed_errors { Stdio::from(writer) } else { Stdio::piped() });
            let output = command.spawn().unwrap().wait_with_output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.code().is_some_and(|code| code < 100), "weir {line}: {}: {stderr}", output.status);
            assert!(!stderr.contains("panicked"), "weir {line}: {stderr}");
        }
    }
}

#[test]
fn completions_help_and_suggestions_name_no_internal_command() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, script) = run(&mut weir(folder.path(), &format!("completions {shell}")));
        assert_eq!(code, Some(0), "{script}");
        for command in ["serve", "init", "plugin", "explain", "completions"] {
            is_in(command, &script);
        }
        assert!(!script.contains("compile"), "{shell}");
    }
    for line in ["--help", "help", "_compile", "compile", "__compil"] {
        let (_, output) = run(&mut weir(folder.path(), line));
        assert!(!output.contains("__compile"), "weir {line}: {output}");
    }
}

#[test]
fn without_an_adapter_it_prints_the_remedy_and_does_not_listen() {
    let folder = tempfile::tempdir().unwrap();
    for line in ["serve", "check"] {
        let (code, output) = run(weir(folder.path(), line).env("WEIR_SERVER__PORT", "0"));
        assert_eq!(code, Some(1), "weir {line}: {output}");
        for part in ["there is no such folder", "plugins.dir", "allow_empty", folder.path().to_str().unwrap()] {
            is_in(part, &output);
        }
        assert!(!output.contains("listens"), "{output}");
    }
    fs::create_dir(folder.path().join("plugins")).unwrap();
    let (code, output) = run(weir(folder.path(), "serve").env("WEIR_SERVER__PORT", "0"));
    assert_eq!(code, Some(1), "{output}");
    is_in("it holds no NAME.wasm", &output);
    // What is no folder stands for one that the user may not read: tests may run as a user who reads everything.
    fs::remove_dir(folder.path().join("plugins")).unwrap();
    fs::write(folder.path().join("plugins"), "").unwrap();
    let (code, output) = run(weir(folder.path(), "serve").env("WEIR_SERVER__PORT", "0"));
    assert_eq!(code, Some(1), "{output}");
    is_in("it cannot be read: ", &output);
}

#[tokio::test(flavor = "multi_thread")]
async fn adapters_that_come_later_are_waited_for_where_that_is_allowed() {
    let folder = Folder::with(&[]);
    let upstream = provider(ZETA).await;
    let settings = format!(
        "[plugins]\nallow_empty = true\n[[models]]\nalias = \"zeta\"\ntype = \"zeta\"\ntarget = {{ url = \"{}\" }}\n",
        upstream.url()
    );
    let program = Program::start(&folder, &target().join("test-cache"), &settings);
    let address = program.address();
    assert_eq!(program::ask(address, &Request::get("/ready")).await.status(), 503);
    folder.put("zeta", &fs::read(component("zeta")).unwrap());
    let come = async {
        while program::ask(address, &Request::get("/ready")).await.status() != 200 {
            tokio::task::yield_now().await;
        }
    };
    weir_tests::soon("the adapter", come).await;
    assert_eq!(program::ask(address, &ZETA.request("zeta", false)).await.status(), 200);
}

#[test]
fn a_mistyped_option_is_refused_by_check_and_at_the_start_with_its_line() {
    let desk = desk();
    fs::copy(component("secrets"), desk.at("plugins/secrets.wasm")).unwrap();
    let model = "[[models]]\nalias = \"m\"\ntarget = { provider = \"p\", model = \"gpt-4o\" }\n";
    let provider = "[[providers]]\nname = \"p\"\nadapter = \"openai\"\nurl = \"http://127.0.0.1:9/v1\"\napi_key = \"k-0123456789\"\n";
    let guard = "[[guards]]\nname = \"secrets\"\ngrants = { prompt = true }\n";
    let write = |of_provider: &str, of_guard: &str| {
        let lines = format!("{provider}options = {{ {of_provider} }}\n{model}{guard}options = {{ {of_guard} }}\n");
        fs::write(desk.at("weir.toml"), lines).unwrap();
    };
    write("organisation = \"o\"", "action = \"masc\", ignore = \"jwt\"");
    let expected = [
        "weir.toml:6:28: error: the adapter `openai` has no option `organisation` (did you mean `organization`?)",
        "weir.toml:13:22: error: `action` must be `deny` or `mask` or `annotate`, not `masc` (did you mean `mask`?)",
        "weir.toml:13:39: error: `ignore` must be a list, not a string",
    ];
    for line in ["check --config weir.toml", "serve --config weir.toml"] {
        let (code, output) = run(weir(&desk.at(""), line).env("WEIR_SERVER__PORT", "0"));
        assert_eq!(code, Some(2), "weir {line}: {output}");
        for part in expected {
            is_in(part, &output);
        }
    }
    write("organization = \"o\", region = \"r\"", "action = \"mask\", ignore = [\"jwt\"]");
    let (code, output) = run(&mut weir(&desk.at(""), "check --config weir.toml"));
    assert_eq!(code, Some(0), "{output}");
}

#[test]
fn a_taken_port_is_told_before_anything_is_compiled() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, output) = run(weir(folder.path(), "serve").env("WEIR_SERVER__PORT", port));
    assert_eq!(code, Some(1), "{output}");
    is_in("cannot listen on", &output);
    assert!(!output.contains("there is no adapter"), "{output}");
}

#[test]
fn check_tells_what_it_knows_before_adapters_are_loaded_even_if_there_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let model = "[[models]]\nalias = \"m\"\ntype = \"x\"\ntarget = { url = \"http://127.0.0.1:9/v1\" }\n";
    let budget = "[[budgets]]\nname = \"b\"\nfor = { model = \"n\" }\nper = \"day\"\nusd = 1\n";
    fs::write(folder.path().join("weir.toml"), format!("{model}{budget}")).unwrap();
    let (code, output) = run(&mut weir(folder.path(), "check"));
    assert_eq!(code, Some(1), "{output}");
    is_in("the budget `b` names the model `n`, which does not exist", &output);
    is_in("there is no such folder", &output);
}

#[test]
fn explain_without_adapters_names_the_folder_that_has_none() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("request.json"), "{}").unwrap();
    let (code, output) = run(&mut weir(folder.path(), "explain --from openai.chat --to openai request.json"));
    assert_eq!(code, Some(1), "{output}");
    is_in("there is no such folder", &output);
}

#[test]
fn what_is_wrong_with_a_certificate_is_shown_at_its_own_line() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let checked = |tls: &str| {
        write("weir.toml", &format!("[server]\nport = 8080\n\n[server.tls]\n{tls}"));
        let (code, output) = run(&mut weir(folder.path(), "check --config weir.toml"));
        assert_ne!(code, Some(0), "{output}");
        output
    };
    let files = "cert = \"cert.pem\"\nkey = \"key.pem\"\n";
    is_in("weir.toml:5:8: error: server.tls.cert: cert.pem: No such file", &checked(files));
    write("cert.pem", "hello");
    is_in("weir.toml:5:8: error: server.tls.cert: cert.pem holds no certificate", &checked(files));
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    write("cert.pem", &issued.cert.pem());
    is_in("weir.toml:6:7: error: server.tls.key: key.pem: No such file", &checked(files));
    write("key.pem", &issued.cert.pem());
    is_in("weir.toml:6:7: error: server.tls.key: key.pem: holds no private key", &checked(files));

    let output = checked("cert = \"cert.pem\"\n");
    is_in("weir.toml:4:1: error: `tls = { ... }` needs `key`", &output);
    assert!(!output.contains("server.tls.key"), "no file is named, so none is looked for: {output}");
    let output = checked("cert = 3\nkey = \"key.pem\"\n");
    is_in("weir.toml:5:8: error: `cert` must be a string, not an integer", &output);
    assert!(!output.contains("server.tls.cert"), "a number names none either: {output}");
}

#[test]
fn the_list_of_components_has_a_head_and_tells_guards_from_adapters() {
    let desk = desk();
    fs::copy(component("secrets"), desk.at("plugins/secrets.wasm")).unwrap();
    fs::write(desk.at("weir.toml"), "[plugins]\ndir = \"plugins\"\nlock = \"plugins.lock\"\n").unwrap();
    let list = desk.types("list", 0);
    let words = |line: &str| line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = list.lines().map(words).collect();
    for row in [["NAME", "KIND"], ["openai", "adapter"], ["secrets", "guard"]] {
        assert!(rows.iter().any(|known| *known == row), "{list}");
    }
    let shown: serde_json::Value = serde_json::from_str(&desk.types("inspect plugins/secrets.wasm", 0)).unwrap();
    assert_eq!(shown["manifest"]["settings"]["properties"]["message"]["type"], "string");
}
