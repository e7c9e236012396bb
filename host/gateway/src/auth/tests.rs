use std::path::Path;

use super::*;
use weir_config::Environment;

#[test]
fn without_keys_only_a_request_that_is_known_to_come_from_here_is_served() {
    let config = Config::parse("weir.toml", "", Path::new(""), Environment::default()).unwrap();
    let headers = HeaderMap::new();
    let uri = "http://127.0.0.1:8080/v1/models".parse().unwrap();
    let head = Head { headers: &headers, query: "" };
    let found = |address: Option<[u8; 4]>| {
        let address = address.map(IpAddr::from);
        local::caller(&config, &head, Origin { address, uri: &uri })
    };
    assert!(found(Some([127, 0, 0, 1])).is_ok());
    assert!(matches!(found(Some([192, 0, 2, 1])), Err(CallerDenied::Elsewhere)));
    assert!(matches!(found(None), Err(CallerDenied::Elsewhere)), "it may be any machine's");
}
