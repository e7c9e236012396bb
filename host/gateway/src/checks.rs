//! Asks providers now and then whether they are well, where the configuration says so, so that nobody's request has to
//! find that out.
//!
//! A check asks for the provider's list of models, or one of its models for one token. What fails as often in a row as the configuration says rests until a
//! check is answered, or until the next one should have been; what a check brought to rest, a check brings back. A target
//! that failed its requests is only let have its trial at once: that a list is there, or that one short request is
//! answered, is no proof of more.

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

/// How often it is looked whether the configuration still wants the same checks.
const LOOK: Duration = Duration::from_secs(1);

/// Checks until `stop` becomes true. What is under way then is given up.
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
        let wait = round.wait(Instant::now()).min(LOOK);
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(wait) => {}
            Some(Ok((provider, checked))) = asked.join_next() => {
                let is_failing = round.heard(&provider, checked, Instant::now(), chance::draw());
                gateway.note_check(&provider, checked, is_failing);
            }
        }
    }
}

/// Each provider that wants to be checked, by the first target that can be asked.
fn wanted(serving: &Serving) -> Vec<(Arc<Target>, Check)> {
    let mut wanted: Vec<(Arc<Target>, Check)> = Vec::new();
    for target in serving.targets().filter(|target| target.can_be_checked()) {
        let Some(check) = &target.provider.check else { continue };
        let serves = |target: &Target| check.model.is_some() && target.model.as_deref() == check.model.as_deref();
        match wanted.iter_mut().find(|(known, _)| known.label == target.label) {
            None => wanted.push((Arc::clone(target), check.clone())),
            // It may have options that its model needs.
            Some((known, _)) if serves(target) && !serves(known) => *known = Arc::clone(target),
            Some(_) => {}
        }
    }
    wanted
}
