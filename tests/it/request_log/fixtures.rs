//! A logged request becomes a fixture that proves the adapter which answered it.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_logged_request_is_pinned_as_a_fixture_that_proves_its_adapter() {
    let upstream = provider().await;
    let kept = Kept::start(&format!("[store]\nbodies = \"all\"\n{}", config_of(&ALL, &upstream)));
    let folder = kept.folder.path().join("pinned");
    for (from, to, stream) in [
        (OPENAI, OPENAI, false),
        (OPENAI, OPENAI, true),
        (ANTHROPIC, OPENAI, true),
        (OPENAI, ANTHROPIC, false),
        (ZETA, ANTHROPIC, true),
    ] {
        let reply = kept.ask(&from.request(&to.translated(), stream)).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let id = reply.header("x-weir-request-id").unwrap().to_owned();
        kept.content(&id).await;
        let into = folder.join(to.name);
        let into = into.to_str().unwrap();
        let (is_well, output) = command(&kept, &["fixture", "pin", &id, "--into", into]).await;
        assert!(is_well && output.contains(&id), "{output}");
        let (is_well, output) = command(&kept, &["log", "show", &id, "--bodies"]).await;
        assert!(is_well && output.contains("\"exchange\"") && output.contains("\"Hi\""), "{output}");
    }
    for (to, count) in [(OPENAI, 3), (ANTHROPIC, 2)] {
        let adapter = weir_tests::plugins::root().join(format!("plugins/{}.wasm", to.name));
        let mut test = std::process::Command::new(weir_tests::program::file());
        test.args(["plugin", "test"]).arg(adapter).arg(folder.join(to.name)).current_dir(kept.folder.path());
        let output = test.output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{text}");
        assert!(text.contains(&format!("{count} passed")), "{text}");
        let mut check = std::process::Command::new(weir_tests::program::file());
        let checked = check.args(["fixture", "check"]).arg(folder.join(to.name)).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    }
    let refused = kept.ask(&OPENAI.request("nothing", false)).await;
    let id = refused.header("x-weir-request-id").unwrap().to_owned();
    kept.content(&id).await;
    let (is_well, output) = command(&kept, &["fixture", "pin", &id]).await;
    assert!(!is_well && output.contains("no provider answered"), "{output}");
}
