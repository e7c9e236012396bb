use super::*;
use crate::types::Extension;

fn turn(speaker: Speaker, results: &str, others: &str) -> Turn {
    Turn { results: results.into(), others: others.into(), ..Turn::new(speaker) }
}

fn written(turns: impl IntoIterator<Item = Turn>) -> Conversation {
    let mut all = Turns::new("content", "assistant");
    turns.into_iter().for_each(|turn| all.add(turn));
    all.finish()
}

#[test]
fn neighbours_of_one_speaker_are_one_turn_and_empty_messages_none() {
    let turns = [turn(Speaker::User, "", "1"), turn(Speaker::Assistant, "", ""), turn(Speaker::User, "", "2")];
    assert_eq!(written(turns).turns, r#"[{"role":"user","content":[1,2]}]"#);
    assert_eq!(written([]).turns, "[]");
}

#[test]
fn c38_results_come_before_all_else_of_their_turn() {
    let turns = [
        turn(Speaker::Assistant, "", "1"),
        turn(Speaker::User, "", "2"),
        turn(Speaker::User, "3", "4"),
        turn(Speaker::User, "5", ""),
    ];
    let expected = r#"[{"role":"assistant","content":[1]},{"role":"user","content":[3,5,2,4]}]"#;
    assert_eq!(written(turns).turns, expected);
}

#[test]
fn results_that_are_kept_apart_are_a_turn_of_their_own() {
    let mut all = Turns::new("parts", "model").results_apart();
    all.add(turn(Speaker::User, "1", "2"));
    all.add(turn(Speaker::User, "3", "4"));
    all.add(turn(Speaker::Assistant, "", "5"));
    all.add(turn(Speaker::User, "6", ""));
    let expected = concat!(
        r#"[{"role":"user","parts":[1,3]},{"role":"user","parts":[2,4]},"#,
        r#"{"role":"model","parts":[5]},{"role":"user","parts":[6]}]"#
    );
    assert_eq!(all.finish().turns, expected);
}

#[test]
fn a_turn_of_the_models_parts_results_from_what_follows_them() {
    let parted = |turns: &[(&str, &str)]| {
        let mut all = Turns::new("parts", "model").results_parted_by("0");
        for (results, others) in turns {
            all.add(turn(Speaker::User, results, others));
        }
        let all = all.finish();
        (all.turns, all.parted)
    };
    let three =
        r#"[{"role":"user","parts":[1]},{"role":"model","parts":[0]},{"role":"user","parts":[2,3]}]"#.to_owned();
    assert_eq!(parted(&[("1", "2"), ("", "3")]), (three, true));
    assert_eq!(parted(&[("1", "")]), (r#"[{"role":"user","parts":[1]}]"#.to_owned(), false));
}

#[test]
fn turns_that_are_kept_apart_are_not_joined() {
    let mut all = Turns::new("parts", "model").apart(true);
    all.add(turn(Speaker::Assistant, "", "1"));
    all.add(turn(Speaker::Assistant, "", "2"));
    assert_eq!(all.finish().turns, r#"[{"role":"model","parts":[1]},{"role":"model","parts":[2]}]"#);
}

#[test]
fn members_of_the_format_stay_once_and_the_others_are_reported() {
    let extension =
        |format: &str, key: &str, json: &str| Extension { format: format.into(), key: key.into(), json: json.into() };
    let mut losses = Losses::default();
    let mut of = |at, extensions, others: &str| {
        let role = Role::Other("critic".into());
        let message = Message { name: Some("Ann".into()), extensions, ..Message::new(role, Vec::new()) };
        Turn { others: others.into(), ..Turn::of(&message, at, "own", &mut losses) }
    };
    let first = of(0, vec![extension("own", "a", "1"), extension("own", "note", "null")], "1");
    let second = of(1, vec![extension("own", "a", "2"), extension("own", "b", "3"), extension("other", "c", "4")], "2");
    assert_eq!(written([first, second]).turns, r#"[{"role":"user","content":[1,2],"a":1,"b":3}]"#);
    let fields: Vec<String> = losses.into_losses().into_iter().map(|loss| loss.field).collect();
    let expected = ["messages[0].name", "messages[0].role", "messages[1].name", "messages[1].c", "messages[1].role"];
    assert_eq!(fields, expected);
}

#[test]
fn members_of_a_system_turn_are_written_without_blocks_and_are_no_neighbours() {
    let system = |others: &str, members: &[(&str, &str)]| Turn {
        members: members.iter().map(|(key, json)| ((*key).into(), (*json).into())).collect(),
        ..turn(Speaker::System, "", others)
    };
    let all =
        [turn(Speaker::User, "", "1"), system("2", &[("once", "true")]), system("", &[("a", "1")]), system("3", &[])];
    let expected = concat!(
        r#"[{"role":"user","content":[1]},{"role":"system","content":[2],"once":true},"#,
        r#"{"role":"system","content":[],"a":1},{"role":"system","content":[3]}]"#
    );
    assert_eq!(written(all).turns, expected);
}

#[test]
fn system_text_goes_to_the_front_and_its_move_is_reported() {
    let (mut all, mut losses) = (Turns::new("content", "assistant"), Losses::default());
    all.add_system("1", 0, &mut losses);
    all.add(turn(Speaker::User, "", "2"));
    all.add_system("", 2, &mut losses);
    all.add_system("3", 3, &mut losses);
    assert_eq!(all.finish().system, "1,3");
    let fields: Vec<String> = losses.into_losses().into_iter().map(|loss| loss.field).collect();
    assert_eq!(fields, ["messages[3]"]);
}

#[test]
fn trailing_results_of_calls_without_their_thinking_are_reported() {
    let calls = |thinking_first| Turn { calls: true, thinking_first, ..turn(Speaker::Assistant, "", "1") };
    let (results, words) = (|| turn(Speaker::User, "2", ""), || turn(Speaker::User, "", "3"));
    assert!(written([calls(false), results()]).unsigned_calls);
    assert!(!written([calls(true), results()]).unsigned_calls);
    assert!(!written([calls(false), words()]).unsigned_calls);
    assert!(!written([calls(false), results(), turn(Speaker::Assistant, "", "1"), words()]).unsigned_calls);
}

#[test]
fn a_turn_that_the_model_goes_on_from_may_lack_its_thinking() {
    let ends = |calls, thinking_first| {
        let mut all = Turns::new("content", "assistant");
        all.add(turn(Speaker::User, "", "1"));
        all.add(Turn { calls, thinking_first, ..turn(Speaker::Assistant, "", "2") });
        (all.ends_with_model(), all.ends_unsigned())
    };
    assert_eq!((ends(false, false), ends(false, true)), ((true, true), (true, false)));
    assert_eq!(ends(true, false), (false, false), "calls wait for their results");
}

#[test]
fn a_loop_of_calls_has_its_thinking_if_one_of_its_turns_has_it() {
    let calls = |thinking_first| Turn { calls: true, thinking_first, ..turn(Speaker::Assistant, "", "1") };
    let (results, words) = (|| turn(Speaker::User, "2", ""), || turn(Speaker::User, "", "3"));
    assert!(!written([calls(true), results(), calls(false), results()]).unsigned_calls);
    assert!(!written([calls(false), results(), calls(true), results()]).unsigned_calls);
    assert!(written([calls(false), results(), calls(false), results()]).unsigned_calls);
    let ended = [calls(true), results(), turn(Speaker::Assistant, "", "1"), words(), calls(false), results()];
    assert!(written(ended).unsigned_calls, "the user began another loop");
}

#[test]
fn parts_of_other_formats_are_left_out_of_the_models_turns_only() {
    let part = Opaque { format: "another".into(), kind: "x".into(), json: "{}".into() };
    let place = PartPath { message: Some(1), part: 2 };
    let mut losses = Losses::default();
    assert!(Turn::new(Speaker::Assistant).refuse(&part, place, &mut losses).is_ok());
    assert_eq!(losses.into_losses()[0].field, "messages[1].content[2].x");
    let error = Turn::new(Speaker::User).refuse(&part, place, &mut Losses::default()).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("messages[1].content[2]"));
    assert_eq!(refused_result(&part, place).param.as_deref(), Some("messages[1].content[2]"));
}

#[test]
fn parts_come_with_their_places() {
    let message = Message::new(Role::User, vec![Part::text("a"), Part::text("b")]);
    let places: Vec<String> = parts_of(&message, 3).map(|(_, place)| place.field("")).collect();
    assert_eq!(places, ["messages[3].content[0]", "messages[3].content[1]"]);
}

#[test]
fn a_role_that_is_none_is_an_error_at_its_place() {
    assert_eq!(role(Some("assistant"), 0), Ok(Role::Assistant));
    for name in [None, Some("model")] {
        assert_eq!(role(name, 4).unwrap_err().param.as_deref(), Some("messages[4].role"));
    }
}

#[test]
fn system_text_is_the_users_only_if_there_is_no_other_message() {
    let messages = [Message::new(Role::User, Vec::new()), Message::new(Role::System, Vec::new())];
    let (alone, said) = (
        Conversation { system: "1".into(), turns: "[]".into(), ..Conversation::default() },
        Conversation { system: "1".into(), turns: "[2]".into(), ..Conversation::default() },
    );
    let mut losses = Losses::default();
    let with = |conversation: Conversation, losses: &mut Losses| {
        let written = conversation.with_a_turn(Turns::new("content", "assistant"), &messages, losses);
        (written.system, written.turns)
    };
    assert_eq!(with(said, &mut losses), ("1".into(), "[2]".into()));
    assert_eq!(with(Conversation { turns: "[]".into(), ..Conversation::default() }, &mut losses).1, "[]");
    assert_eq!(with(alone, &mut losses), (String::new(), r#"[{"role":"user","content":[1]}]"#.into()));
    let told: Vec<String> = losses.into_losses().into_iter().map(|loss| loss.field).collect();
    assert_eq!(told, ["messages[1]"]);
}
