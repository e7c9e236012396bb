//! Links the WASI of a component with grants: `wasmtime-wasi`, restricted to the grants.
//!
//! Components without grants never use this module: they run in the pooled engine behind the inert WASI
//! ([`crate::wasi`]). A component with grants runs in a separate engine ([`crate::Engine::for_grants`]) behind
//! `wasmtime-wasi`:
//!
//! | interface | answers |
//! |---|---|
//! | `wasi:filesystem` | the granted folders, read-only, each at `/read/NAME` |
//! | `wasi:clocks` | the machine's clocks with `clock`; else a constant time |
//! | `wasi:random` | the system's random numbers with `random`; else the same bytes each time |
//! | `wasi:sockets` | `access-denied`: no socket is ever created |
//! | `wasi:cli` | no arguments, no environment, closed input; the end of the output is kept for the log |
//!
//! `wasmtime-wasi` blocks the thread that a call runs on, so calls run on threads separate from the async workers
//! ([`crate::Engine::apart`]). A pause ends at the call's deadline.

mod open;

use wasmtime::component::{Component, HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView as _};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings::io::error::Error as IoError;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily};
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, random, sockets, sync};
use wasmtime_wasi::p2::{Network, SocketError, SocketResult, TcpSocket, UdpSocket};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView as _};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView as _};
use wasmtime_wasi::{WasiCtxView, WasiView};

use super::granted::{Clock, HasClock, HasPolls, Polls};
use super::grants::Grants;
use super::state::State;
use super::wasi;

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.granted().view()
    }
}

/// Defines the component's imports from WASI: those that grants concern with `wasmtime-wasi`, the others with the inert
/// WASI.
pub(super) fn link(linker: &mut Linker<State>, component: &Component, grants: &Grants) -> wasmtime::Result<()> {
    wasi::link(linker, component, |interface| !is_linked(interface, grants))?;
    link_io(linker)?;
    link_cli(linker)?;
    link_files(linker)?;
    link_sockets(linker)?;
    clocks::monotonic_clock::add_to_linker::<State, HasClock>(linker, |state| Clock(state.granted()))?;
    if grants.clock {
        clocks::wall_clock::add_to_linker::<State, WasiClocks>(linker, State::clocks)?;
    }
    if grants.random {
        random::random::add_to_linker::<State, WasiRandom>(linker, State::random)?;
        random::insecure::add_to_linker::<State, WasiRandom>(linker, State::random)?;
        random::insecure_seed::add_to_linker::<State, WasiRandom>(linker, State::random)?;
    }
    Ok(())
}

/// Whether `wasmtime-wasi` implements this interface, not the inert WASI.
fn is_linked(interface: &str, grants: &Grants) -> bool {
    let Some((name, version)) = interface.split_once('@') else { return false };
    let Some((package, member)) = name.split_once('/') else { return false };
    version.starts_with("0.2.")
        && match (package, member) {
            ("wasi:io" | "wasi:filesystem" | "wasi:sockets" | "wasi:cli", _) | ("wasi:clocks", "monotonic-clock") => {
                true
            }
            ("wasi:clocks", "wall-clock") => grants.clock,
            ("wasi:random", _) => grants.random,
            _ => false,
        }
}

/// Names the table of handles to the linker.
struct HasTable;

impl HasData for HasTable {
    type Data<'a> = &'a mut ResourceTable;
}

fn link_io(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    sync::io::error::add_to_linker::<State, HasTable>(linker, |state| state.ctx().table)?;
    sync::io::poll::add_to_linker::<State, HasPolls>(linker, |state| Polls(state.granted()))?;
    sync::io::streams::add_to_linker::<State, HasTable>(linker, |state| state.ctx().table)
}

fn link_cli(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    cli::exit::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::environment::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::stdin::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::stdout::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::stderr::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_input::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_output::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stdin::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stdout::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stderr::add_to_linker::<State, WasiCli>(linker, State::cli)
}

fn link_files(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    filesystem::preopens::add_to_linker::<State, WasiFilesystem>(linker, State::filesystem)?;
    sync::filesystem::types::add_to_linker::<State, WasiFilesystem>(linker, State::filesystem)?;
    open::link(linker)
}

/// Links the types of sockets, because other interfaces use them, and functions that refuse to create any.
fn link_sockets(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let options = sockets::network::LinkOptions::default();
    sockets::network::add_to_linker::<State, WasiSockets>(linker, &options, State::sockets)?;
    sockets::instance_network::add_to_linker::<State, WasiSockets>(linker, State::sockets)?;
    sockets::ip_name_lookup::add_to_linker::<State, WasiSockets>(linker, State::sockets)?;
    sync::sockets::tcp::add_to_linker::<State, WasiSockets>(linker, State::sockets)?;
    sync::sockets::udp::add_to_linker::<State, WasiSockets>(linker, State::sockets)?;
    sockets::tcp_create_socket::add_to_linker::<State, NoNetwork>(linker, |_| NoNetwork)?;
    sync::sockets::udp_create_socket::add_to_linker::<State, NoNetwork>(linker, |_| NoNetwork)
}

/// Refuses to create sockets.
struct NoNetwork;

impl HasData for NoNetwork {
    type Data<'a> = Self;
}

impl sockets::network::HostNetwork for NoNetwork {
    fn drop(&mut self, _: Resource<Network>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl sockets::network::Host for NoNetwork {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }

    fn network_error_code(&mut self, _: Resource<IoError>) -> wasmtime::Result<Option<ErrorCode>> {
        Ok(None)
    }
}

impl sockets::tcp_create_socket::Host for NoNetwork {
    fn create_tcp_socket(&mut self, _: IpAddressFamily) -> SocketResult<Resource<TcpSocket>> {
        Err(ErrorCode::AccessDenied.into())
    }
}

impl sync::sockets::udp_create_socket::Host for NoNetwork {
    fn create_udp_socket(&mut self, _: IpAddressFamily) -> SocketResult<Resource<UdpSocket>> {
        Err(ErrorCode::AccessDenied.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_and_random_numbers_are_linked_only_where_they_are_granted() {
        let (none, all) = (Grants::default(), Grants { clock: true, random: true, read: Vec::new() });
        for interface in ["wasi:clocks/wall-clock@0.2.6", "wasi:random/random@0.2.0", "wasi:random/insecure-seed@0.2.6"]
        {
            assert!(!is_linked(interface, &none) && is_linked(interface, &all), "{interface}");
        }
        assert!(is_linked("wasi:filesystem/types@0.2.6", &none));
        assert!(!is_linked("wasi:clocks/timezone@0.2.6", &all) && !is_linked("weir:adapter/types@0.1.0", &all));
    }
}
