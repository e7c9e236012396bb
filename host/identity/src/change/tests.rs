mod beyond;
mod damaged;
mod spending;

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::directory::{Change, DirectoryWriter, KeyDenied};
use crate::document::{Login, Owner};

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn at(seconds: i64) -> Timestamp {
    now().checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

/// A store in memory.
#[derive(Default)]
struct Memory {
    documents: BTreeMap<(Kind, String), (Document, Revision)>,
    /// Documents that cannot be read.
    damaged: BTreeMap<(Kind, String), Revision>,
    version: u64,
    directory: DirectoryWriter,
}

impl Memory {
    fn all<'a, T: Clone + 'a>(&'a self, of: impl Fn(&Document) -> Option<&T> + 'a) -> impl Iterator<Item = T> + 'a {
        self.documents.values().filter_map(move |(document, _)| of(document).cloned())
    }

    fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.all(|document| match document {
            Document::Key(key) => Some(key),
            _ => None,
        })
    }

    fn get<T>(&self, kind: Kind, id: &str, of: impl Fn(&Document) -> Option<T>) -> Option<(T, Revision)> {
        let (document, revision) = self.documents.get(&(kind, id.to_owned()))?;
        Some((of(document)?, *revision))
    }

    fn run(&mut self, command: impl Into<Command>, context: &Context) -> Result<Changed, ChangeError> {
        let changed = command.into().run(self, context)?;
        for write in &changed.writes {
            let name = (write.kind, write.id.clone());
            let expected = match self.documents.get(&name) {
                Some((_, revision)) => Expected::At(*revision),
                None if self.damaged.contains_key(&name) => Expected::Damaged,
                None => Expected::Absent,
            };
            assert_eq!(expected, write.expected);
            self.version += 1;
            self.documents.remove(&name);
            self.damaged.remove(&name);
            let change = match &write.document {
                None => Change::delete(self.version, write.kind, &write.id),
                Some(document) => {
                    let text = document.to_json().unwrap();
                    let document = Document::parse(write.kind, &text).unwrap();
                    self.documents.insert(name, (document.clone(), Revision(self.version)));
                    Change::put(self.version, document)
                }
            };
            assert_eq!(self.directory.apply([change]).taken, 1);
        }
        let event = serde_json::to_string(&changed.event).unwrap();
        assert!(!event.contains("sha256"), "{event}");
        if let Some(text) = &changed.issued {
            assert!(!format!("{changed:?} {event}").contains(text.expose()));
        }
        Ok(changed)
    }

    fn look_up(&self, text: &KeyText, seconds: i64) -> Result<String, KeyDenied> {
        self.directory.snapshot().look_up(text.expose(), at(seconds)).map(|caller| caller.id().to_owned())
    }
}

impl Stored for Memory {
    fn key(&self, id: KeyId) -> Option<(Key, Revision)> {
        self.get(Kind::Key, id.as_str(), |document| match document {
            Document::Key(key) => Some(key.clone()),
            _ => None,
        })
    }

    fn key_of_hash(&self, hash: &KeyHash) -> Option<KeyId> {
        self.keys().find(|key| key.hash == *hash).map(|key| key.id)
    }

    fn key_named(&self, team: Option<&TeamId>, name: &str) -> Option<KeyId> {
        self.keys().find(|key| key.owner.team.as_ref() == team && key.name == name).map(|key| key.id)
    }

    fn keys_of_team(&self, team: &TeamId) -> Vec<KeyId> {
        self.keys().filter(|key| key.owner.team.as_ref() == Some(team)).map(|key| key.id).collect()
    }

    fn keys_of_user(&self, user: &UserId) -> Vec<KeyId> {
        self.keys().filter(|key| key.owner.user.as_ref() == Some(user)).map(|key| key.id).collect()
    }

    fn keys_granted(&self, team: &TeamId) -> Vec<KeyId> {
        let is_granted = |grant: &Grant| grant.team.as_ref() == Some(team);
        self.keys().filter(|key| key.grants.iter().any(is_granted)).map(|key| key.id).collect()
    }

    fn users_granted(&self, team: &TeamId) -> Vec<UserId> {
        let users = self.all(|document| match document {
            Document::User(user) => Some(user),
            _ => None,
        });
        let is_granted = |grant: &Grant| grant.team.as_ref() == Some(team);
        users.filter(|user| user.grants.iter().any(is_granted)).map(|user| user.id.clone()).collect()
    }

    fn team(&self, id: &TeamId) -> Option<(Team, Revision)> {
        self.get(Kind::Team, id.as_str(), |document| match document {
            Document::Team(team) => Some(team.clone()),
            _ => None,
        })
    }

    fn teams_of(&self, organisation: &OrganisationId) -> usize {
        let teams = self.all(|document| match document {
            Document::Team(team) => Some(team),
            _ => None,
        });
        teams.filter(|team| team.organisation.as_ref() == Some(organisation)).count()
    }

    fn organisation(&self, id: &OrganisationId) -> Option<(Organisation, Revision)> {
        self.get(Kind::Organisation, id.as_str(), |document| match document {
            Document::Organisation(organisation) => Some(organisation.clone()),
            _ => None,
        })
    }

    fn user(&self, id: &UserId) -> Option<(User, Revision)> {
        self.get(Kind::User, id.as_str(), |document| match document {
            Document::User(user) => Some(user.clone()),
            _ => None,
        })
    }

    fn user_of_login(&self, login: &Login) -> Option<UserId> {
        let users = self.all(|document| match document {
            Document::User(user) => Some(user),
            _ => None,
        });
        users.into_iter().find(|user| user.logins.contains(login)).map(|user| user.id)
    }

    fn budget(&self, id: &BudgetId) -> Option<(ScopedBudget, Revision)> {
        self.get(Kind::Budget, id.as_str(), |document| match document {
            Document::Budget(budget) => Some(budget.clone()),
            _ => None,
        })
    }

    fn price(&self, id: &PriceId) -> Option<(PriceRule, Revision)> {
        self.get(Kind::Price, id.as_str(), |document| match document {
            Document::Price(price) => Some(price.clone()),
            _ => None,
        })
    }

    fn damaged(&self, kind: Kind, id: &str) -> Option<Revision> {
        self.damaged.get(&(kind, id.to_owned())).copied()
    }
}

impl From<SpendingCommand> for Command {
    fn from(command: SpendingCommand) -> Self {
        Self::Spending(command)
    }
}

impl From<KeyCommand> for Command {
    fn from(command: KeyCommand) -> Self {
        Self::Key(command)
    }
}

impl From<GroupCommand> for Command {
    fn from(command: GroupCommand) -> Self {
        Self::Group(command)
    }
}

impl From<UserCommand> for Command {
    fn from(command: UserCommand) -> Self {
        Self::User(command)
    }
}

fn context(seconds: i64) -> Context {
    let actor = Actor { kind: "user".to_owned(), id: "root".to_owned() };
    let grants = vec![Grant { access: Access::Write, team: None }];
    Context { actor, grants, now: at(seconds), precondition: Precondition::None }
}

fn of_team(team: &str) -> Context {
    Context { grants: vec![Grant { access: Access::Write, team: TeamId::parse(team).ok() }], ..context(0) }
}

fn parsed<T: serde::de::DeserializeOwned>(json: &serde_json::Value) -> T {
    let mut all = json!({"schema": 1, "name": "n", "created": now()});
    for (name, field) in json.as_object().unwrap() {
        all[name] = field.clone();
    }
    serde_json::from_value(all).unwrap()
}

fn team(id: &str) -> GroupCommand {
    GroupCommand::PutTeam(Box::new(parsed(&json!({ "id": id }))))
}

fn new_key(name: &str, team: Option<&str>) -> NewKey {
    let owner = Owner { team: team.map(|team| TeamId::parse(team).unwrap()), user: None };
    NewKey { name: name.to_owned(), owner, ..NewKey::default() }
}

fn create(name: &str, team: Option<&str>) -> KeyCommand {
    KeyCommand::Create(Box::new(new_key(name, team)))
}

/// A store with the teams red and blue and a key in red.
fn started() -> (Memory, KeyText) {
    let mut memory = Memory::default();
    memory.run(team("red"), &context(0)).unwrap();
    memory.run(team("blue"), &context(0)).unwrap();
    let text = memory.run(create("build", Some("red")), &context(0)).unwrap().issued.unwrap();
    (memory, text)
}

fn rotate(id: KeyId, grace: i64, again: bool) -> KeyCommand {
    KeyCommand::Rotate { id, grace: SignedDuration::from_secs(grace), again }
}

#[test]
fn a_key_works_from_its_creation_until_it_is_disabled_or_deleted() {
    let (mut memory, text) = started();
    let id = text.id();
    assert_eq!(memory.look_up(&text, 0), Ok(id.to_string()));
    let disabled = memory.run(KeyCommand::Disable(id), &context(1)).unwrap();
    assert_eq!((disabled.event.action, disabled.event.actor.id.as_str()), (Action::Disable, "root"));
    assert_eq!(memory.look_up(&text, 1), Err(KeyDenied::Disabled(id)));
    assert!(memory.run(KeyCommand::Disable(id), &context(1)).unwrap().writes.is_empty(), "nothing changes twice");
    memory.run(KeyCommand::Enable(id), &context(2)).unwrap();
    assert!(memory.look_up(&text, 2).is_ok());
    memory.run(KeyCommand::Delete(id), &context(3)).unwrap();
    assert_eq!(memory.look_up(&text, 3), Err(KeyDenied::Unknown));
    assert_eq!(memory.run(KeyCommand::Enable(id), &context(4)).unwrap_err(), ChangeError::NotFound(Kind::Key));
}

#[test]
fn after_a_rotation_both_texts_are_one_key_until_the_grace_ends() {
    let (mut memory, old) = started();
    let id = old.id();
    let new = memory.run(rotate(id, 60, false), &context(0)).unwrap().issued.unwrap();
    assert_eq!(memory.look_up(&old, 59), Ok(id.to_string()));
    assert_eq!(memory.look_up(&new, 59), Ok(id.to_string()));
    // A repetition within the grace changes nothing.
    let repeated = memory.run(rotate(id, 60, false), &context(10)).unwrap_err();
    assert_eq!(repeated, ChangeError::AlreadyRotated { at: at(0), grace_ends: at(60) });
    assert!(memory.look_up(&new, 10).is_ok());
    // The answer was lost: another text takes the place of the new one, and the old one keeps its grace.
    let third = memory.run(rotate(id, 3_600, true), &context(20)).unwrap().issued.unwrap();
    assert_eq!(memory.look_up(&new, 20), Err(KeyDenied::Unknown));
    assert!(memory.look_up(&old, 59).is_ok() && memory.look_up(&third, 59).is_ok());
    assert_eq!(memory.look_up(&old, 60), Err(KeyDenied::RotatedAway { id, at: at(60) }));
    // Without grace, the text before ends at once.
    let fourth = memory.run(rotate(id, 0, false), &context(60)).unwrap().issued.unwrap();
    assert!(memory.look_up(&third, 60).is_err() && memory.look_up(&fourth, 60).is_ok());
    assert_eq!(memory.run(rotate(id, -1, false), &context(60)).unwrap_err().code(), "invalid");
    assert_eq!(memory.run(rotate(id, 31 * 86_400, false), &context(60)).unwrap_err().code(), "invalid");
}

#[test]
fn names_are_unique_within_a_team() {
    let (mut memory, text) = started();
    let taken = |id| ChangeError::NameTaken { name: "build".to_owned(), in_team: true, id };
    assert_eq!(memory.run(create("build", Some("red")), &context(0)).unwrap_err(), taken(text.id()));
    let other = memory.run(create("build", Some("blue")), &context(0)).unwrap().issued.unwrap();
    let to_blue = KeyCommand::Move { id: text.id(), team: TeamId::parse("blue").ok() };
    assert_eq!(memory.run(to_blue.clone(), &context(0)).unwrap_err(), taken(other.id()));
    let edit = KeyEdit { name: Some("ci".to_owned()), expires: Some(Some(at(50))), ..KeyEdit::default() };
    memory.run(KeyCommand::Edit(text.id(), Box::new(edit)), &context(0)).unwrap();
    memory.run(to_blue, &context(0)).unwrap();
    assert_eq!(memory.key(text.id()).unwrap().0.owner.team, TeamId::parse("blue").ok());
    assert!(matches!(memory.look_up(&text, 50), Err(KeyDenied::Expired { .. })));
    assert_eq!(memory.run(rotate(text.id(), 1, false), &context(50)).unwrap_err(), ChangeError::Expired(at(50)));
    let nowhere = KeyCommand::Move { id: text.id(), team: TeamId::parse("none").ok() };
    assert_eq!(memory.run(nowhere, &context(0)).unwrap_err(), ChangeError::OwnerMissing(Kind::Team, "none".to_owned()));
}

#[test]
fn an_import_keeps_the_keys_and_can_be_repeated() {
    let (mut memory, _) = started();
    let hash = KeyHash::of("sk-1234");
    let import = || KeyCommand::Import(Box::new(new_key("old", Some("red"))), hash);
    let first = memory.run(import(), &context(0)).unwrap();
    assert!(first.issued.is_none() && first.writes.len() == 1);
    assert!(memory.directory.snapshot().look_up("sk-1234", now()).is_ok());
    assert!(memory.run(import(), &context(0)).unwrap().writes.is_empty());
    let other = KeyCommand::Import(Box::new(new_key("else", Some("red"))), hash);
    assert_eq!(memory.run(other, &context(0)).unwrap_err().code(), "key_taken");
}

#[test]
fn a_user_whose_team_is_gone_can_still_be_disabled() {
    let mut memory = Memory::default();
    memory.run(team("gone"), &context(0)).unwrap();
    let user = |more: serde_json::Value| {
        let mut user = json!({"id": "ann", "teams": ["gone"]});
        user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        UserCommand::Put(Box::new(parsed(&user)))
    };
    memory.run(user(json!({})), &context(0)).unwrap();
    memory.run(GroupCommand::DeleteTeam(TeamId::parse("gone").unwrap(), KeysOfTeam::Refuse), &context(0)).unwrap();
    memory.run(user(json!({"disabled": true})), &context(0)).unwrap();
    let other = user(json!({"teams": ["gone", "nowhere"]}));
    assert_eq!(
        memory.run(other, &context(0)).unwrap_err(),
        ChangeError::OwnerMissing(Kind::Team, "nowhere".to_owned())
    );
}

#[test]
fn administrators_of_a_team_reach_its_keys_and_give_no_more_than_they_have() {
    let (mut memory, text) = started();
    let id = text.id();
    assert!(memory.run(KeyCommand::Disable(id), &of_team("red")).is_ok());
    assert_eq!(memory.run(KeyCommand::Enable(id), &of_team("blue")).unwrap_err(), ChangeError::NotFound(Kind::Key));
    assert_eq!(memory.run(create("x", None), &of_team("red")).unwrap_err(), ChangeError::Forbidden);
    let away = KeyCommand::Move { id, team: TeamId::parse("blue").ok() };
    assert_eq!(memory.run(away, &of_team("red")).unwrap_err(), ChangeError::Forbidden);
    assert_eq!(memory.run(team("red"), &of_team("red")).unwrap_err(), ChangeError::Forbidden);
    let everything = vec![Grant { access: Access::Read, team: None }];
    let up = KeyEdit { grants: Some(everything.clone()), ..KeyEdit::default() };
    assert_eq!(
        memory.run(KeyCommand::Edit(id, Box::new(up.clone())), &of_team("red")).unwrap_err(),
        ChangeError::Forbidden
    );
    // A key with more rights than its team's administrator is not theirs to rotate.
    memory.run(KeyCommand::Edit(id, Box::new(up)), &context(0)).unwrap();
    assert_eq!(memory.run(rotate(id, 0, false), &of_team("red")).unwrap_err(), ChangeError::Forbidden);
    let reader = Context { grants: everything, ..context(0) };
    assert_eq!(memory.run(KeyCommand::Delete(id), &reader).unwrap_err(), ChangeError::NotFound(Kind::Key));
}

#[test]
fn grants_for_a_team_go_with_it() {
    let (mut memory, text) = started();
    memory.run(team("gone"), &context(0)).unwrap();
    let gone = TeamId::parse("gone").unwrap();
    let of_gone = Grant { access: Access::Write, team: Some(gone.clone()) };
    let of_red = Grant { access: Access::Read, team: TeamId::parse("red").ok() };
    let grants = vec![of_gone.clone(), of_red.clone()];
    let edit = KeyEdit { grants: Some(grants.clone()), ..KeyEdit::default() };
    memory.run(KeyCommand::Edit(text.id(), Box::new(edit)), &context(0)).unwrap();
    let user = json!({"id": "ann", "grants": grants});
    memory.run(UserCommand::Put(Box::new(parsed(&user))), &context(0)).unwrap();
    memory.run(GroupCommand::DeleteTeam(gone.clone(), KeysOfTeam::Refuse), &context(0)).unwrap();
    memory.run(team("gone"), &context(0)).unwrap();
    assert_eq!(memory.key(text.id()).unwrap().0.grants, std::slice::from_ref(&of_red));
    assert_eq!(memory.user(&UserId::parse("ann").unwrap()).unwrap().0.grants, [of_red]);
    assert!(memory.keys_granted(&gone).is_empty() && memory.users_granted(&gone).is_empty());
}

#[test]
fn a_team_with_keys_goes_with_them_or_not_at_all() {
    let (mut memory, text) = started();
    let red = TeamId::parse("red").unwrap();
    let refused = memory.run(GroupCommand::DeleteTeam(red.clone(), KeysOfTeam::Refuse), &context(0)).unwrap_err();
    assert_eq!(refused, ChangeError::InUse { kind: Kind::Key, count: 1 });
    let deleted = memory.run(GroupCommand::DeleteTeam(red, KeysOfTeam::Delete), &context(0)).unwrap();
    assert_eq!(deleted.event.keys, [text.id().to_string()]);
    assert_eq!(memory.look_up(&text, 0), Err(KeyDenied::Unknown));
    let organisation = || GroupCommand::PutOrganisation(Box::new(parsed(&json!({"id": "org"}))));
    memory.run(organisation(), &context(0)).unwrap();
    memory
        .run(GroupCommand::PutTeam(Box::new(parsed(&json!({"id": "t", "organisation": "org"})))), &context(0))
        .unwrap();
    let id = OrganisationId::parse("org").unwrap();
    assert_eq!(memory.run(GroupCommand::DeleteOrganisation(id), &context(0)).unwrap_err().code(), "in_use");
    let lost = GroupCommand::PutTeam(Box::new(parsed(&json!({"id": "t", "organisation": "none"}))));
    assert_eq!(
        memory.run(lost, &context(0)).unwrap_err(),
        ChangeError::OwnerMissing(Kind::Organisation, "none".to_owned())
    );
    assert!(memory.run(organisation(), &context(9)).unwrap().writes.is_empty(), "the creation's time stays");
}

#[test]
fn users_have_accounts_of_their_own() {
    let (mut memory, _) = started();
    let login = json!([{"issuer": "https://id.example", "subject": "1"}]);
    let put = |id: &str| UserCommand::Put(Box::new(parsed(&json!({"id": id, "logins": login, "teams": ["red"]}))));
    memory.run(put("u"), &context(0)).unwrap();
    assert_eq!(memory.run(put("v"), &context(0)).unwrap_err(), ChangeError::LoginTaken);
    assert!(memory.run(put("u"), &context(0)).is_ok());
    let mut key = new_key("mine", None);
    key.owner.user = UserId::parse("u").ok();
    memory.run(KeyCommand::Create(Box::new(key)), &context(0)).unwrap();
    let delete = UserCommand::Delete(UserId::parse("u").unwrap());
    assert_eq!(memory.run(delete, &context(0)).unwrap_err(), ChangeError::InUse { kind: Kind::Key, count: 1 });
}

#[test]
fn a_change_of_something_older_is_a_version_conflict() {
    let (mut memory, text) = started();
    let revision = memory.key(text.id()).unwrap().1;
    let only = |precondition| Context { precondition, ..context(0) };
    let matching = Precondition::parse(Some(&revision.to_string()), None).unwrap();
    memory.run(KeyCommand::Disable(text.id()), &only(matching.clone())).unwrap();
    let conflict = memory.run(KeyCommand::Enable(text.id()), &only(matching)).unwrap_err();
    assert_eq!((conflict.code(), conflict.status()), ("version_conflict", 409));
    assert_eq!(memory.run(team("red"), &only(Precondition::Absent)).unwrap_err().code(), "version_conflict");
    assert!(memory.run(team("green"), &only(Precondition::Absent)).is_ok());
}

#[test]
fn conditions_are_parsed_as_http_has_them() {
    let parse = |header: &str| Precondition::parse(Some(header), None);
    assert_eq!(parse("*"), Ok(Precondition::Exists));
    assert_eq!(parse("\"17\", \"18\""), Ok(Precondition::OneOf(vec![Revision(17), Revision(18)])));
    for never in ["W/\"17\"", "\"abc\"", "\"017\"", "\"+1\""] {
        assert_eq!(parse(never), Ok(Precondition::OneOf(vec![])), "{never}");
        assert!(parse(never).unwrap().check(Some(Revision(17))).is_err());
    }
    for bad in ["17", "\"17", "\"1\"7\"", "", "\"1\","] {
        assert_eq!(parse(bad), Err(BadPrecondition), "{bad}");
    }
    assert_eq!(Precondition::parse(None, Some("*")), Ok(Precondition::Absent));
    assert!(Precondition::parse(Some("*"), Some("*")).is_err() && Precondition::parse(None, Some("\"1\"")).is_err());
    assert_eq!(Precondition::parse(None, None), Ok(Precondition::None));
}

#[test]
fn a_repeated_request_gets_the_same_answer_for_ten_minutes() {
    let mut memory = Idempotency::new(2, 1_000);
    let print = Fingerprint::of("POST", "/keys", b"{}");
    assert_ne!(Fingerprint::of("POST", "/keysx", b"{}"), Fingerprint::of("POST", "/keys", b"x{}"));
    assert_eq!(memory.begin("a", "1", print, at(0)), Request::Proceed);
    assert_eq!(memory.begin("a", "1", print, at(1)), Request::InProgress);
    let answer = Remembered { status: 201, etag: None, body: weir_config::Secret::new("{\"key\":\"sk\"}") };
    memory.finish("a", "1", answer.clone());
    assert_eq!(memory.begin("a", "1", print, at(599)), Request::Replay(answer.clone()));
    assert!(!format!("{answer:?} {memory:?}").contains("sk"));
    assert_eq!(memory.begin("a", "1", Fingerprint::of("POST", "/keys", b"[]"), at(2)), Request::Mismatch);
    assert_eq!(memory.begin("b", "1", print, at(2)), Request::Proceed, "another actor's key is another");
    assert_eq!(memory.begin("b", "2", print, at(2)), Request::Full);
    memory.forget("b", "1");
    assert_eq!(memory.begin("b", "2", print, at(2)), Request::Proceed);
    assert_eq!(memory.begin("a", "1", print, at(600)), Request::Proceed, "forgotten after ten minutes");
    assert_eq!(memory.begin("a", "", print, at(0)), Request::BadKey);
}
