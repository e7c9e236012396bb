//! What a grant for one team does not reach, although it stands in the team's keys.

use super::super::key::MAX_KEYS_OF_TEAM;
use super::*;
use crate::document::{Priority, Terms};

#[test]
fn administrators_of_a_team_set_no_tags_and_users_which_count_beyond_it() {
    let (mut memory, text) = started();
    let id = text.id();
    memory.run(UserCommand::Put(Box::new(parsed(&json!({"id": "u", "teams": ["blue"]})))), &context(0)).unwrap();
    let tagged = |tag: &str| Terms { tags: [tag.to_owned()].into(), ..Terms::default() };
    let (user, red) = (UserId::parse("u").ok(), of_team("red"));
    let beyond = |field| Err(ChangeError::BeyondTeam(field));
    let mut run =
        |command: KeyCommand, context: &Context| memory.run(command, context).map(|changed| changed.writes.len());
    let mut key = NewKey { terms: tagged("blue"), ..new_key("other", Some("red")) };
    assert_eq!(run(KeyCommand::Create(Box::new(key.clone())), &red), beyond("tags"));
    assert_eq!(run(KeyCommand::Import(Box::new(key.clone()), KeyHash::of("sk-1")), &red), beyond("tags"));
    (key.terms, key.owner.user) = (Terms::default(), user.clone());
    assert_eq!(run(KeyCommand::Create(Box::new(key)), &red), beyond("owner.user"));
    let edit = |edit: KeyEdit| KeyCommand::Edit(id, Box::new(edit));
    let terms = |terms| edit(KeyEdit { terms: Some(terms), ..KeyEdit::default() });
    let of = |user: &Option<UserId>| edit(KeyEdit { user: Some(user.clone()), ..KeyEdit::default() });
    assert_eq!(run(terms(tagged("blue")), &red), beyond("tags"));
    assert_eq!(run(of(&user), &red), beyond("owner.user"));
    // What an administrator of everything has set, they cannot drop; other fields they change.
    assert_eq!(run(terms(tagged("red")), &context(0)), Ok(1));
    assert_eq!(run(of(&user), &context(0)), Ok(1));
    assert_eq!(run(terms(Terms::default()), &red), beyond("tags"));
    assert_eq!(run(of(&None), &red), beyond("owner.user"));
    assert_eq!(run(of(&user), &red), Ok(0));
    assert_eq!(run(terms(Terms { models: Some(Vec::new()), ..tagged("red") }), &red), Ok(1));
    // Who waits, and at which provider, is decided for all teams.
    let (first, free) = (Terms { priority: Some(Priority::High), ..tagged("red") }, Some(true));
    assert_eq!(run(terms(first.clone()), &red), beyond("priority"));
    assert_eq!(run(terms(Terms { may_choose: free, ..tagged("red") }), &red), beyond("may_choose"));
    assert_eq!(run(terms(Terms { may_choose: free, ..first }), &context(0)), Ok(1));
    let refused = ChangeError::BeyondTeam("tags");
    assert_eq!((refused.code(), refused.status()), ("forbidden", 403));
}

#[test]
fn administrators_of_a_team_give_its_keys_no_pass_through_that_the_team_does_not_have() {
    let (mut memory, text) = started();
    let id = text.id();
    let named = |names: &[&str]| Terms {
        operations: Some(names.iter().map(|name| crate::document::Pattern::parse(name).unwrap()).collect()),
        ..Terms::default()
    };
    let (red, beyond) = (of_team("red"), Err(ChangeError::BeyondTeam("passthrough")));
    let both = Context { grants: [red.grants.clone(), of_team("blue").grants].concat(), ..context(0) };
    let mut run =
        |command: Command, context: &Context| memory.run(command, context).map(|changed| changed.writes.len());
    let new = |name: &str, terms: Terms| NewKey { terms, ..new_key(name, Some("red")) };
    let create = |name: &str, terms: Terms| KeyCommand::Create(Box::new(new(name, terms))).into();
    let edit =
        |terms: Terms| KeyCommand::Edit(id, Box::new(KeyEdit { terms: Some(terms), ..KeyEdit::default() })).into();
    let moved = |team: &str| KeyCommand::Move { id, team: TeamId::parse(team).ok() }.into();
    let passing = || named(&["passthrough", "chat"]);
    assert_eq!(run(create("a", passing()), &red), beyond);
    let import = KeyCommand::Import(Box::new(new("a", passing())), KeyHash::of("sk-1"));
    assert_eq!(run(import.into(), &red), beyond);
    assert_eq!(run(edit(passing()), &red), beyond);
    // A pattern gives it to nobody, so it may have it in it.
    assert_eq!(run(create("b", named(&["*"])), &red), Ok(1));
    assert_eq!(run(edit(named(&["chat"])), &red), Ok(1));
    // What an administrator of everything has given, they may keep and take away.
    assert_eq!(run(edit(passing()), &context(0)), Ok(1));
    assert_eq!(run(edit(named(&["passthrough"])), &red), Ok(1));
    assert_eq!(run(moved("blue"), &both), beyond, "it was given to a key of this team");
    assert_eq!(run(edit(named(&["chat"])), &red), Ok(1));
    assert_eq!(run(edit(passing()), &red), beyond);
    // A team that has it gives it to its keys.
    let has_it = parsed(&json!({"id": "red", "operations": ["passthrough", "chat"]}));
    assert_eq!(run(GroupCommand::PutTeam(Box::new(has_it)).into(), &context(0)), Ok(1));
    assert_eq!(run(edit(passing()), &red), Ok(1));
    assert_eq!(run(moved("blue"), &both), beyond);
    assert_eq!(run(moved("blue"), &context(0)), Ok(1));
}

#[test]
fn administrators_of_a_team_make_so_many_keys_of_it_and_no_more() {
    let (mut memory, text) = started();
    let id = text.id();
    let (first, _) = memory.key(id).unwrap();
    for number in 1..MAX_KEYS_OF_TEAM as u64 {
        let key = Key { id: KeyId::from_bits(number), name: format!("k{number}"), ..first.clone() };
        let name = (Kind::Key, key.id.as_str().to_owned());
        memory.documents.insert(name, (Document::Key(key), Revision(0)));
    }
    let both = Context { grants: [of_team("red").grants, of_team("blue").grants].concat(), ..context(0) };
    let too_many = Err(ChangeError::TooManyKeys { most: MAX_KEYS_OF_TEAM });
    let mut run =
        |command: KeyCommand, context: &Context| memory.run(command, context).map(|changed| changed.writes.len());
    let create = |name: &str, team: &str| KeyCommand::Create(Box::new(new_key(name, Some(team))));
    let moved = |team: &str| KeyCommand::Move { id, team: TeamId::parse(team).ok() };
    assert_eq!(run(create("one", "red"), &both), too_many);
    let import = KeyCommand::Import(Box::new(new_key("one", Some("red"))), KeyHash::of("sk-1"));
    assert_eq!(run(import, &of_team("red")), too_many);
    assert_eq!(run(moved("red"), &both), Ok(0), "it is there already");
    assert_eq!(run(create("one", "blue"), &both), Ok(1));
    assert_eq!(run(moved("blue"), &both), Ok(1));
    assert_eq!(run(create("one", "red"), &both), Ok(1), "there is room again");
    assert_eq!(run(moved("red"), &both), too_many);
    // Who may do everything may do this too.
    assert_eq!(run(create("two", "red"), &context(0)), Ok(1));
    let refused = ChangeError::TooManyKeys { most: 1 };
    assert_eq!((refused.code(), refused.status()), ("too_many_keys", 409));
}
