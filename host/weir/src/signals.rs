//! Signals that the program acts upon. They are listened to before it says that it is ready: what comes earlier does
//! what the system has it do, which is to end the program at once.

use std::future;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals of one kind; those that cannot be listened to never come.
#[derive(Debug)]
pub(crate) struct Signals(Option<Signal>);

impl Signals {
    /// Asks to read the configuration again.
    pub(crate) fn hang_up() -> Self {
        Self::of(SignalKind::hangup(), "hang-up")
    }

    /// Listens from now on.
    fn of(kind: SignalKind, name: &str) -> Self {
        let listened = signal(kind);
        if let Err(error) = &listened {
            tracing::warn!(%error, "{name} signals are not received");
        }
        Self(listened.ok())
    }

    /// Waits for the next one. One that came before this call is not lost.
    pub(crate) async fn next(&mut self) {
        if let Some(signal) = &mut self.0
            && signal.recv().await.is_some()
        {
            return;
        }
        future::pending::<()>().await;
    }
}

/// The signals that ask the program to stop: an interrupt, or a termination.
#[derive(Debug)]
pub(crate) struct StopSignals {
    interrupt: Signals,
    terminate: Signals,
}

impl StopSignals {
    /// Listens from now on.
    pub(crate) fn listen() -> Self {
        Self {
            interrupt: Signals::of(SignalKind::interrupt(), "interrupt"),
            terminate: Signals::of(SignalKind::terminate(), "termination"),
        }
    }

    /// Waits for the next of either.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            () = self.interrupt.next() => {}
            () = self.terminate.next() => {}
        }
    }
}
