//! Tests of grants in the library, which work as in the gateway.

use weir_tests::log;

use super::{QUICK, builder, is_usual, provider};
use crate::wire_format::{self, ZETA};

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_is_loaded_with_its_grants_and_answers() {
    let upstream = wire_format::provider(ZETA).await;
    let data = tempfile::tempdir().unwrap();
    let (_folder, builder) = builder(&["zeta"]);
    let builder = builder.provider("first", provider(ZETA, &upstream, QUICK)).route("chat", ["first/zeta"]);
    let grants = format!("[plugins.zeta]\ngrants = {{ clock = true, read = [\"{}\"] }}\n", data.path().display());
    let weir = builder.settings(&grants).build().await.unwrap();
    is_usual(&weir.generate("chat", "Hello?").await.unwrap());
    let impurity = format!("adapter loaded with grants, not proved pure: may read a clock, {}", data.path().display());
    assert!(log::text().contains(&impurity));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_folder_that_is_not_there_is_a_mistake_of_the_settings() {
    let upstream = wire_format::provider(ZETA).await;
    let (_folder, builder) = builder(&["zeta"]);
    let builder = builder.provider("first", provider(ZETA, &upstream, QUICK));
    let settings = "[plugins.zeta]\ngrants = { read = [\"no/such/folder\"] }\n";
    let error = builder.settings(settings).build().await.unwrap_err().to_string();
    assert!(error.contains("there is no folder no/such/folder"), "{error}");
}
