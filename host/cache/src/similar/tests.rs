use super::list::{MAX_COMPARED, product};
use super::*;
use crate::{KeyWriter, Scope};

fn key(name: &str) -> Key {
    let mut writer = KeyWriter::new(&Scope::of(&Arc::from("tenant")), 0);
    writer.part("name", name.as_bytes());
    writer.finish()
}

fn model() -> Arc<str> {
    Arc::from("m")
}

fn question(vector: &[f32], words: &str) -> Question {
    Question { direction: Direction::of(vector.to_vec()).unwrap(), wording: Wording::of(words) }
}

const LOOSE: Demand = Demand { threshold: 0.95, same_wording: false };
const STRICT: Demand = Demand { threshold: 0.95, same_wording: true };

#[test]
fn the_nearest_that_fits_is_found_in_its_own_partition_only() {
    let questions = Questions::new(1 << 20, 100);
    questions.add(&key("p"), &model(), &question(&[1.0, 0.0, 0.0], "a"), key("1"));
    questions.add(&key("p"), &model(), &question(&[0.0, 2.0, 0.0], "b"), key("2"));
    let near = |words: &str, demand| questions.nearest(&key("p"), &question(&[0.1, 1.0, 0.0], words), demand);
    let found = near("b", STRICT).unwrap();
    assert_eq!((found.key, found.fits), (key("2"), true));
    assert!((found.similarity - 0.995).abs() < 0.001);
    let found = near("c", STRICT).unwrap();
    assert_eq!((found.key, found.fits), (key("2"), false), "it is near, and worded in another way");
    assert!(near("c", LOOSE).unwrap().fits);
    assert!(questions.nearest(&key("q"), &question(&[0.0, 1.0, 0.0], "b"), LOOSE).is_none());
    assert!(questions.nearest(&key("p"), &question(&[0.0, 1.0], "b"), LOOSE).is_none(), "of another model");
    assert!(questions.remove(&key("2")) && !questions.remove(&key("2")));
    assert!(!near("b", LOOSE).unwrap().fits);
    assert_eq!(questions.len(), 1);
}

#[test]
fn vectors_of_another_length_begin_a_partition_anew() {
    let questions = Questions::new(1 << 20, 100);
    let (short, long) = (question(&[1.0, 0.0], "a"), question(&[1.0, 0.0, 0.0], "a"));
    questions.add(&key("p"), &model(), &short, key("1"));
    questions.add(&key("p"), &model(), &short, key("2"));
    questions.add(&key("p"), &model(), &long, key("3"));
    assert!(questions.nearest(&key("p"), &short, LOOSE).is_none());
    assert_eq!(questions.nearest(&key("p"), &long, LOOSE).map(|near| near.key), Some(key("3")));
    assert_eq!((questions.len(), questions.bytes()), (1, 3 * 4 + 2 * OVERHEAD));
}

#[test]
fn a_full_partition_puts_new_questions_in_the_place_of_the_oldest() {
    let questions = Questions::new(64 << 20, 100);
    let one = question(&[1.0], "");
    for number in 0..=100 {
        questions.add(&key("p"), &model(), &one, key(&number.to_string()));
    }
    assert_eq!(questions.len(), 100);
    assert!(!questions.remove(&key("0")) && questions.remove(&key("1")));
    assert!(questions.remove(&key(&100.to_string())));
}

#[test]
fn a_vector_without_a_direction_is_none() {
    for vector in [vec![], vec![0.0; 8], vec![f32::NAN], vec![1.0, f32::INFINITY], vec![1.0; MAX_NUMBERS + 1]] {
        assert!(Direction::of(vector).is_none());
    }
    assert!(Direction::of(vec![f32::MAX; MAX_NUMBERS]).is_some());
}

#[test]
fn they_stay_within_the_bound_and_the_least_used_partition_goes_first() {
    let questions = Questions::new(20 * (16 * 4 + OVERHEAD), 100);
    let vector = |number: usize| {
        let mut vector = [0.0; 16];
        vector[number % 16] = 1.0;
        question(&vector, "")
    };
    for number in 0..8 {
        questions.add(&key("one"), &model(), &vector(number), key(&format!("one {number}")));
        questions.add(&key("two"), &model(), &vector(number), key(&format!("two {number}")));
    }
    assert!(questions.nearest(&key("one"), &vector(0), LOOSE).unwrap().fits);
    for number in 0..100 {
        questions.add(&key("three"), &model(), &vector(number), key(&format!("three {number}")));
        assert!(questions.bytes() <= 20 * (16 * 4 + OVERHEAD), "{number}");
    }
    assert!(questions.nearest(&key("two"), &vector(0), LOOSE).is_none());
    assert!(questions.nearest(&key("three"), &vector(99), LOOSE).unwrap().fits, "the newest is there");
    let all: Vec<_> = (0..100).map(|number| key(&format!("three {number}"))).collect();
    for key in all {
        questions.remove(&key);
    }
    assert!(questions.is_empty());
}

#[test]
fn products_are_those_of_arithmetic() {
    let one: Vec<f32> = (0..19).map(|number| number as f32).collect();
    let sum: f32 = one.iter().map(|number| number * number).sum();
    assert!((product(&one, &one) - sum).abs() < 0.001);
}

#[test]
fn a_partition_beyond_those_that_are_all_compared_finds_what_a_comparison_of_all_finds() {
    const COUNT: usize = MAX_COMPARED + 2_000;
    // Numbers that are the same in each run.
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    // Questions about one subject: all vectors lean to one side, as those of a model do.
    let mut vector = |lean: f32| -> Vec<f32> { (0..32).map(|_| next() + lean).collect() };
    let vectors: Vec<_> = (0..COUNT).map(|_| vector(0.2)).collect();
    let all: Vec<_> = vectors.iter().map(|vector| question(vector, "")).collect();
    let questions = Questions::new(256 << 20, COUNT);
    for (number, question) in all.iter().enumerate() {
        questions.add(&key("p"), &model(), question, key(&number.to_string()));
    }
    assert_eq!(questions.len(), COUNT);
    let (mut near, mut found) = (0, 0);
    for asked in vectors.iter().step_by(60) {
        let noise = vector(0.0);
        let asked: Vec<f32> = asked.iter().zip(&noise).map(|(number, noise)| number + 0.25 * noise).collect();
        let asked = question(&asked, "");
        let best = all.iter().map(|other| f64::from(product(&other.direction.0, &asked.direction.0)));
        let best = best.fold(0.0, f64::max);
        let nearest = questions.nearest(&key("p"), &asked, LOOSE);
        assert!(nearest.is_none_or(|nearest| nearest.similarity <= best + 1e-6));
        near += usize::from(best >= LOOSE.threshold);
        found += usize::from(nearest.is_some_and(|nearest| nearest.fits && nearest.similarity >= best - 1e-6));
    }
    assert!(near >= 190, "the test shows something: {near}");
    assert_eq!(found, near, "recall");
}

#[test]
fn what_is_removed_is_gone_and_what_was_under_way_does_not_come_back() {
    let questions = Arc::new(Questions::new(1 << 20, 100));
    let (one, other): (Arc<str>, Arc<str>) = (Arc::from("one"), Arc::from("other"));
    let asked = question(&[1.0, 0.0], "a");
    let begin = |partition: &str, model| PendingQuestion::new(&questions, key(partition), model, asked.clone());
    let removals: [fn(&Questions); 3] =
        [|questions| questions.remove_model("one"), Questions::clear, |questions| assert!(questions.remove(&key("p")))];
    for remove in removals {
        begin("p", &one).answered(key("p"));
        begin("q", &other).answered(key("q"));
        let under_way = begin("p", &one);
        assert_eq!(questions.len(), 2);
        remove(&questions);
        assert!(questions.nearest(&key("p"), &asked, LOOSE).is_none());
        under_way.answered(key("p"));
        assert!(questions.nearest(&key("p"), &asked, LOOSE).is_none());
    }
    assert!(questions.nearest(&key("q"), &asked, LOOSE).is_some(), "of another model, and added again since");
    questions.clear();
    assert_eq!((questions.len(), questions.bytes()), (0, 0));
}

#[test]
fn any_question_can_be_removed_and_the_others_are_still_found() {
    let questions = Questions::new(1 << 20, 100);
    let vector = |number: usize| {
        let mut vector = [0.0; 8];
        vector[number] = 1.0;
        question(&vector, "")
    };
    for number in 0..8 {
        questions.add(&key("p"), &model(), &vector(number), key(&number.to_string()));
    }
    for gone in [7, 0, 3] {
        assert!(questions.remove(&key(&gone.to_string())));
    }
    for number in 0..8 {
        let nearest = questions.nearest(&key("p"), &vector(number), LOOSE).filter(|nearest| nearest.fits);
        let expected = (![7, 0, 3].contains(&number)).then(|| key(&number.to_string()));
        assert_eq!(nearest.map(|nearest| nearest.key), expected, "{number}");
    }
}

#[test]
fn a_shared_list_is_read_by_one_at_a_time_and_anew_after_a_removal() {
    let questions = Arc::new(Questions::new(1 << 20, 100));
    let asked = question(&[1.0, 0.0], "a");
    let share = |model_removals| {
        let mut pending = PendingQuestion::new(&questions, key("p"), &model(), asked.clone());
        pending.share(Scope::of(&Arc::from("tenant")), Removals { all: 0, model: model_removals })
    };
    let position = Position::parse("7-1").unwrap();
    let reading = share(0).unwrap();
    assert!(share(0).is_none(), "one at a time");
    assert_eq!(reading.position(), Position::default());
    reading.learn(&[(asked.clone(), key("1"))], position);
    drop(reading);
    assert_eq!(share(0).unwrap().position(), position);
    assert_eq!(questions.len(), 1);
    assert_eq!(share(1).unwrap().position(), Position::default());
    assert_eq!((questions.len(), questions.bytes()), (0, OVERHEAD));
    // A partition that went while it was read is not read on where it was.
    let reading = share(1).unwrap();
    questions.clear();
    reading.learn(&[], position);
    drop(reading);
    assert_eq!(share(1).unwrap().position(), Position::default());
}
