//! Names in budgets, guards, clients and rules that nothing has.

use super::*;

const MODELS: &str = "[[models]]\nalias = 'small'\ntype = 'x'\n[[models]]\nalias = 'gpt-*'\ntype = 'x'\n\
                      [[clients]]\nname = 'laptop'\nkey = 'weir-0123456789'\nteam = 'research'\n";

fn warnings(text: &str) -> Vec<String> {
    let config = read(&format!("{MODELS}{text}"));
    let lines = config.problems(config.warnings.clone()).to_string();
    let lines = lines.lines().filter(|line| line.contains(" names the ")).map(|line| {
        let (_, told) = line.split_once("weir.toml:").unwrap();
        told.to_owned()
    });
    lines.collect()
}

#[test]
fn a_name_that_nothing_has_is_warned_of_with_its_line() {
    let told = warnings(
        "[[budgets]]\nname = 'b'\nfor = { model = 'smal' }\nper = 'day'\nusd = 1\n\
         [[guards]]\nname = 'g'\nfor = { clients = ['desktop'], models = ['small', 'gpt-5', 'x-*'] }\n\
         [[budgets]]\nname = 'c'\nfor = { provider = 'nobody' }\nper = 'day'\nusd = 1\n\
         [[clients]]\nname = 'other'\nkey = 'weir-9876543210'\nmodels = ['gpt-5', 'claude', 'other-*']\n",
    );
    assert_eq!(told.len(), 4, "{told:#?}");
    let first = "11:1: warning: the budget `b` names the model `smal`, which does not exist: it counts nothing (did you mean \
                 `small`?)";
    assert_eq!(told[0], first);
    assert!(
        told[1].starts_with("16:1: warning: the guard `g` names the client `desktop`, which does not exist"),
        "{told:#?}"
    );
    assert!(told[2].starts_with("19:1: warning: the budget `c` names the provider `nobody`"), "{told:#?}");
    assert!(told[3].starts_with("24:1: warning: the client `other` names the model `claude`"), "{told:#?}");
}

#[test]
fn what_the_store_may_have_is_warned_of_as_a_near_miss_only() {
    let budget = |name: &str| format!("[[budgets]]\nname = 'b'\nfor = {{ team = '{name}' }}\nper = 'day'\nusd = 1\n");
    assert_eq!(warnings(&budget("marketing")), [""; 0]);
    assert_eq!(warnings(&budget("research")), [""; 0]);
    assert!(warnings(&budget("reserch"))[0].ends_with("(did you mean `research`? It is right if the store has it)"));
    let closed = format!("{}[store]\nurl = 'none'\n", budget("marketing"));
    assert!(warnings(&closed)[0].contains("the team `marketing`, which does not exist"));
}

#[test]
fn every_name_may_exist_where_all_models_lead_somewhere() {
    let any =
        "[[models]]\nalias = '*'\ntype = 'x'\n[[budgets]]\nname = 'b'\nfor = { model = 'm' }\nper = 'day'\nusd = 1\n";
    assert_eq!(warnings(any), [""; 0]);
}
