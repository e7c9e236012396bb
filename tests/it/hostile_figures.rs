//! The cost of an attack for other clients, measured: `WEIR_FIGURES=1 cargo test -p weir-tests --test it figures --
//! --nocapture` on an idle machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use weir_tests::{Answer, Folder, Gateway, Request, Upstream};

use crate::wire_format::{OPENAI, ZETA, config};

/// Rounds without and with the attack in turn, and requests of each, in each lane.
const ROUNDS: usize = 10;
const REQUESTS: usize = 400;
/// Attacking connections.
const ATTACKERS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn figures_of_others_while_an_adapter_spins() {
    if std::env::var_os("WEIR_FIGURES").is_none() {
        return println!("skipped: set WEIR_FIGURES on a machine that does nothing else");
    }
    let upstream = Upstream::always(Answer::json(200, ZETA.whole())).await;
    let settings = format!(
        "[plugins]\ndeadline = \"300ms\"\n{}[[providers]]\nname = \"h\"\nadapter = \"hostile\"\nurl = \"{}\"\napi_key = \"k\"\n\
         [[models]]\nalias = \"render.*\"\ntarget = {{ provider = \"h\" }}\n",
        config(&upstream),
        upstream.url()
    );
    let gateway = Arc::new(Gateway::with(Folder::with(&["openai", "zeta", "hostile"]), &settings).await);
    let attack = OPENAI.request("render.loop", false);
    // The first attack, and enough requests for the other adapters to be known as fast.
    assert_eq!(gateway.ask(&attack).await.status(), 502);
    let _warm = round(&gateway).await;
    let (mut calm, mut attacked) = (Vec::new(), Vec::new());
    let attacks = Arc::new(AtomicU32::new(0));
    for _ in 0..ROUNDS {
        calm.extend(round(&gateway).await);
        let stop = Arc::new(AtomicBool::new(false));
        let attacking: Vec<_> = (0..ATTACKERS)
            .map(|_| tokio::spawn(spin(gateway.clone(), attack.clone(), stop.clone(), attacks.clone())))
            .collect();
        attacked.extend(round(&gateway).await);
        stop.store(true, Relaxed);
        for one in attacking {
            one.await.unwrap();
        }
    }
    for part in [50, 90, 99] {
        let (calm, attacked) = (percentile(&mut calm, part), percentile(&mut attacked, part));
        println!(
            "p{part}: {calm:?} calm, {attacked:?} attacked, {:.2} times",
            attacked.as_secs_f64() / calm.as_secs_f64()
        );
    }
    println!("{} requests each, {} calls that spun", calm.len(), attacks.load(Relaxed));
}

/// Requests in both lanes, one after another.
async fn round(gateway: &Gateway) -> Vec<Duration> {
    let mut client = gateway.connect().await;
    let requests = [ZETA.request("zeta", false), OPENAI.request("zeta", false)];
    let mut times = Vec::with_capacity(REQUESTS * 2);
    for _ in 0..REQUESTS {
        for request in &requests {
            let begun = Instant::now();
            client.send(request).await;
            assert_eq!(client.reply().await.status(), 200);
            times.push(begun.elapsed());
        }
    }
    times
}

async fn spin(gateway: Arc<Gateway>, attack: Request, stop: Arc<AtomicBool>, attacks: Arc<AtomicU32>) {
    let mut client = gateway.connect().await;
    while !stop.load(Relaxed) {
        client.send(&attack).await;
        let status = client.reply().await.status();
        attacks.fetch_add(u32::from(status == 502), Relaxed);
        if status == 503 {
            // Backs off after a refusal; a flood of requests is a different attack, which needs no special request.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn percentile(times: &mut [Duration], part: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * part / 100).min(times.len() - 1)]
}
