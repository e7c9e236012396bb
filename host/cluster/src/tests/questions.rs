//! Questions on a real server, page by page.

use weir_cache::similar::shared_list::Removals;
use weir_cache::similar::wording::Wording;
use weir_cache::similar::{Demand, Direction, PendingQuestion, Question, Questions};
use weir_cache::{Cache, Entry, Key, KeyWriter, Mark, Place, Scope, SharedAnswers as _};

use super::*;
use std::sync::Arc;

/// More than two pages, and not a whole number of them.
const COUNT: usize = 600;
const NUMBERS: usize = 8;

fn scope() -> Scope {
    Scope::of(&Arc::from("tenant"))
}

fn key(name: &str) -> Key {
    let mut writer = KeyWriter::new(&scope(), 0);
    writer.part("name", name.as_bytes());
    writer.finish()
}

/// A question unlike all others.
fn question(number: usize) -> Question {
    let vector = (0..NUMBERS).map(|place| if (number >> place) & 1 == 1 { 1.0 } else { -1.0 });
    let vector = vector.map(|sign: f32| sign * (1.0 + (number / 256) as f32)).enumerate();
    let vector = vector.map(|(place, value)| if place == 0 { value * (1.0 + number as f32) } else { value });
    Question {
        direction: Direction::of(vector.collect()).unwrap(),
        wording: Wording::of(&format!("question {number}")),
    }
}

fn pending(questions: &Arc<Questions>, number: usize) -> PendingQuestion {
    PendingQuestion::new(questions, key("partition"), &Arc::from("model"), question(number))
}

async fn node(redis: &Redis, questions: &Arc<Questions>) -> AnswerServer {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let tls = Arc::new(tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth());
    let (prefix, wait, seal) = ("test".to_owned(), Duration::from_mins(1), Seal::new("a secret of all nodes"));
    let settings = AnswerServerSettings { address: Address::parse(&redis.address()).unwrap(), tls, prefix, wait, seal };
    let cache = Arc::new(Cache::new(1 << 20));
    AnswerServer::open(settings, &cache, questions, &prometheus::Registry::new()).await.unwrap()
}

fn entry() -> Entry {
    let (body, stored, lifetime) = ("an answer".into(), Instant::now(), Duration::from_hours(1));
    Entry {
        model: Arc::from("model"),
        headers: std::iter::empty().collect(),
        body,
        stored,
        lifetime,
        cost: None,
        origin: None,
    }
}

#[test]
fn questions_of_one_node_are_known_to_another_page_by_page() {
    let Some(redis) = Redis::start(&[]) else { return };
    Runtime::new().unwrap().block_on(async {
        let questions = [(); 2].map(|()| Arc::new(Questions::new(8 << 20, 2 * COUNT)));
        let nodes = [node(&redis, &questions[0]).await, node(&redis, &questions[1]).await];
        let none = Removals { all: 0, model: 0 };
        let learn = async |at: usize, number: usize| {
            let mut asked = pending(&questions[at], number);
            nodes[at].learn(asked.share(scope(), none).expect("no other task reads")).await;
            asked
        };
        let count = || {
            let client = redis::Client::open(redis.address()).unwrap();
            let mut connection = client.get_connection().unwrap();
            let names: Vec<String> = redis::cmd("KEYS").arg("*:questions:*").query(&mut connection).unwrap();
            names.first().map_or(0, |name| redis::cmd("XLEN").arg(name).query::<usize>(&mut connection).unwrap())
        };
        let mark = Mark { all: 0, model: 0, key: 0, origin: None };
        for number in 0..COUNT {
            let mut asked = pending(&questions[0], number);
            drop(asked.share(scope(), none));
            // A write to a server that is too slow is given up, and so is made again.
            while count() <= number {
                let place = Place { scope: scope(), key: key(&number.to_string()), model: Arc::from("model") };
                nodes[0].put(place, Arc::new(entry()), mark.clone(), asked.shared());
                let end = Instant::now() + Duration::from_secs(5);
                while count() <= number && Instant::now() < end {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }
        let same = Demand { threshold: 0.999, same_wording: true };
        for number in [0, 255, 256, COUNT - 1] {
            let asked = learn(1, number).await;
            assert_eq!(asked.nearest(same).map(|near| (near.key, near.fits)), Some((key(&number.to_string()), true)));
        }
        assert_eq!(questions[1].len(), COUNT);
        // After a removal there is another list, on which there is nothing yet.
        let mut asked = pending(&questions[1], 0);
        nodes[1].learn(asked.share(scope(), Removals { all: 0, model: 1 }).unwrap()).await;
        assert!(asked.nearest(same).is_none() && questions[1].is_empty());
    });
}
