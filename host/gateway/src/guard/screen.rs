//! What the versions of a guard look for, each asked once.

use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;

use weir_sandbox::{Adapter, Interface, PluginFault};
use weir_types::contract::types::Setting;
use weir_wire::screen::Screen;

/// The screens of a guard's versions, each made when it is first needed.
#[derive(Debug, Default)]
pub(super) struct Screens(ArcSwap<Vec<VersionScreen>>);

/// What one version looks for.
#[derive(Debug, Clone)]
struct VersionScreen {
    version: Weak<Adapter>,
    /// `None` if it judges everything.
    screen: Option<Arc<Screen>>,
}

impl Screens {
    /// The screen of a version with these options. A version that fails to say what it looks for is asked again the
    /// next time.
    pub(super) async fn of(
        &self,
        version: &Arc<Adapter>,
        options: &[Setting],
        deadline: Duration,
        tenant: &Arc<str>,
    ) -> Result<Option<Arc<Screen>>, PluginFault> {
        if !version.has(Interface::Screen) {
            return Ok(None);
        }
        let is_of = |known: &&VersionScreen| std::ptr::eq(known.version.as_ptr(), Arc::as_ptr(version));
        if let Some(known) = self.0.load().iter().find(is_of) {
            return Ok(known.screen.clone());
        }
        let mut lease = version.lease(Arc::clone(tenant)).await?.within(deadline);
        let words = lease.screen_words(options)?;
        lease.release();
        let screen = words.and_then(|words| Screen::of(&words.any_of, words.look_alikes)).map(Arc::new);
        let of_this = VersionScreen { version: Arc::downgrade(version), screen: screen.clone() };
        self.0.rcu(|known| {
            let alive = known.iter().filter(|other| other.version.strong_count() > 0).cloned();
            alive.chain([of_this.clone()]).collect::<Vec<_>>()
        });
        Ok(screen)
    }
}
