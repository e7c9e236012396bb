//! Health checks: sends providers probes at intervals, if configured, so that a failure is known before a client's
//! request meets it.
//!
//! A check fetches the provider's list of models, or asks one of its models for one token. A target that fails the
//! configured number of checks in a row rests until a check succeeds, or until the next check is overdue. A
//! successful check only ends a rest that checks began. A target that rests because requests failed becomes half-open
//! at once instead: a list, or one short answer, does not prove that it serves requests.

mod round;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use self::round::Round;
use crate::gateway::{Checked, Gateway};
use crate::route::{Target, chance};
use crate::serving::Serving;
use weir_config::Check;

/// How often the configuration is compared with the scheduled checks.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Runs the checks until `stop` becomes true, and then drops those in progress.
pub async fn follow(gateway: Arc<Gateway>, mut stop: watch::Receiver<bool>) {
    let mut round = Round::default();
    let mut asked: JoinSet<(Arc<str>, Checked)> = JoinSet::new();
    loop {
        let serving = gateway.serving();
        round.keep(&wanted(&serving), Instant::now(), chance::draw);
        for (target, check) in wanted(&serving) {
            if round.begins(&target.label, Instant::now()) {
                let gateway = Arc::clone(&gateway);
                asked.spawn(async move {
                    let checked = gateway.check(&target, &check).await;
                    (Arc::clone(&target.label), checked)
                });
            }
        }
        let wait = round.wait(Instant::now()).min(POLL_INTERVAL);
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(wait) => {}
            Some(Ok((provider, checked))) = asked.join_next() => {
                let is_failing = round.record(&provider, checked, Instant::now(), chance::draw());
                gateway.note_check(&provider, checked, is_failing);
            }
        }
    }
}

/// Each provider with a configured check, with the first of its targets that can be checked.
fn wanted(serving: &Serving) -> Vec<(Arc<Target>, Check)> {
    let mut wanted: Vec<(Arc<Target>, Check)> = Vec::new();
    for target in serving.targets().filter(|target| target.can_be_checked()) {
        let Some(check) = &target.provider.check else { continue };
        let serves = |target: &Target| check.model.is_some() && target.model.as_deref() == check.model.as_deref();
        match wanted.iter_mut().find(|(known, _)| known.label == target.label) {
            None => wanted.push((Arc::clone(target), check.clone())),
            // The checked model's own target may have options that the model needs.
            Some((known, _)) if serves(target) && !serves(known) => *known = Arc::clone(target),
            Some(_) => {}
        }
    }
    wanted
}
