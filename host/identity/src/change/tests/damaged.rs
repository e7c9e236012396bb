//! Documents that cannot be read.

use super::*;

impl Memory {
    /// Makes a document one that cannot be read.
    fn damage(&mut self, kind: Kind, id: &str) {
        let name = (kind, id.to_owned());
        let (_, revision) = self.documents.remove(&name).unwrap();
        self.damaged.insert(name, revision);
    }
}

#[test]
fn a_damaged_key_is_deleted_by_those_alone_who_may_change_everything() {
    let (mut memory, text) = started();
    let id = text.id();
    let revision = memory.key(id).unwrap().1;
    memory.damage(Kind::Key, id.as_str());
    let delete = || KeyCommand::Delete(id);
    assert_eq!(memory.run(delete(), &of_team("red")).unwrap_err(), ChangeError::NotFound(Kind::Key));
    let of_other = Precondition::OneOf(vec![Revision(revision.0 + 1)]);
    let refused = memory.run(delete(), &Context { precondition: of_other, ..context(5) }).unwrap_err();
    assert_eq!(refused, ChangeError::VersionConflict { stored: Some(revision) });
    let of_this = Precondition::OneOf(vec![revision]);
    let changed = memory.run(delete(), &Context { precondition: of_this, ..context(5) }).unwrap();
    let event = &changed.event;
    assert_eq!((event.action, event.kind.as_str(), event.id.as_str()), (Action::Delete, "key", id.as_str()));
    assert_eq!((&event.before, &event.after), (&None, &None));
    assert_eq!(memory.run(delete(), &context(6)).unwrap_err(), ChangeError::NotFound(Kind::Key));
}

#[test]
fn a_damaged_team_is_deleted_as_one_that_can_be_read_is() {
    let (mut memory, text) = started();
    let red = || TeamId::parse("red").unwrap();
    memory.damage(Kind::Team, "red");
    let delete = |keys| GroupCommand::DeleteTeam(red(), keys);
    assert_eq!(
        memory.run(delete(KeysOfTeam::Refuse), &context(1)).unwrap_err(),
        ChangeError::InUse { kind: Kind::Key, count: 1 }
    );
    assert_eq!(memory.run(delete(KeysOfTeam::Delete), &of_team("red")).unwrap_err(), ChangeError::Forbidden);
    let changed = memory.run(delete(KeysOfTeam::Delete), &context(1)).unwrap();
    assert_eq!((changed.event.keys.as_slice(), &changed.event.before), (&[text.id().to_string()][..], &None));
    assert!(memory.look_up(&text, 1).is_err() && memory.damaged.is_empty());
}
