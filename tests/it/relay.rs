//! The same format on both sides: the same bytes.

use weir_tests::{Answer, House, Request, Upstream};

/// A model of zeta's, under its own name and under an alias.
pub(crate) fn zeta(upstream: &Upstream) -> String {
    format!(
        r#"
        [[providers]]
        name = "oracle"
        adapter = "zeta"
        url = "{}"
        api_key = "the-oracles-own-key"

        [[models]]
        alias = "zeta-1"
        target = {{ provider = "oracle", model = "zeta-1" }}
        [[models]]
        alias = "short"
        target = {{ provider = "oracle", model = "a much \"longer\" name" }}
        "#,
        upstream.url()
    )
}

const TALK: &str = "{ \"scroll\" :\t[{\"who\":\"pilgrim\",\"says\":\"caf\\u00e9 \u{1f980}\"}],\r\n \"tuning\":{\"heat\":1.50e0,\"heat\":0.7000},\"unknown\":[1e400, null]}\n";
const REPLY: &str = "{\"ref\":\"z-1\", \"brain\":\"zeta-1\",\n\"reply\":{\"says\":\"h\\u00e9\"},\"ended\":\"done\",\"toll\":{\"all_in\":10,\"of_cached\":4,\"of_written\":1,\"all_out\":7,\"of_musing\":2},\"new\":1.0}";

#[tokio::test(flavor = "multi_thread")]
async fn c94_an_answer_and_its_request_keep_every_byte() {
    let mut upstream = Upstream::always(Answer::json(200, REPLY)).await;
    let house = House::with(weir_tests::Folder::with(&["zeta"]), &zeta(&upstream)).await;
    let reply = house.post("/zeta/v0/minds/zeta-1:parley", TALK).await;
    assert_eq!((reply.status(), reply.text().as_str()), (200, REPLY));
    let received = upstream.request().await;
    assert_eq!(received.line(), "POST /base/minds/zeta-1:parley");
    assert_eq!(received.text(), TALK);
    assert_eq!(received.header("zeta-seal"), Some("wax:the-oracles-own-key"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_models_name_is_changed_where_an_alias_differs() {
    let mut upstream = Upstream::always(Answer::json(200, REPLY)).await;
    let house = House::with(weir_tests::Folder::with(&["zeta"]), &zeta(&upstream)).await;
    let body = "{\"x\":\"minds/short\", \"brain\" : {\"called\" : \"minds\\/short\" , \"y\":[]},\"scroll\":[]}";
    let reply = house.ask(&Request::post("/zeta/v0/parley", body)).await;
    assert_eq!(reply.text(), REPLY, "the answer stays as it is");
    let expected = body.replace("\"minds\\/short\"", "\"minds/a much \\\"longer\\\" name\"");
    assert_eq!(upstream.request().await.text(), expected);
}
