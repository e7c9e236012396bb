//! How wasmtime is configured, and how much its pool reserves.

use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::limits::Limits;

/// Slots beyond leased and idle instances, for components that are being loaded.
const SPARE: u32 = 4;
/// Core instances per slot. A component with a stream has three: its own module, and two small ones for the stream's
/// destructor.
pub(crate) const CORE_INSTANCES: u32 = 4;
/// Tables per slot.
pub(crate) const TABLES: u32 = 2;

/// The settings of an engine, with a pool of instances or without.
pub(crate) fn config(limits: &Limits, pooling: bool) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .concurrency_support(false)
        .parallel_compilation(limits.parallel_compilation)
        .consume_fuel(limits.counts_instructions)
        .memory_init_cow(true)
        // This only matters where libgcc's registry is slow; there it makes unloading fast.
        .native_unwind_info(cfg!(all(target_os = "linux", target_env = "gnu")))
        .wasm_tail_call(false)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .wasm_component_model_memory64(false);
    // Multi-memory stays on: components with several memories need adapter modules that use it, and the compiler panics
    // without it. Threads, exceptions and garbage collection are not compiled in.
    if pooling {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits)));
    }
    config
}

fn pool(limits: &Limits) -> PoolingAllocationConfig {
    let slots = limits.instances.saturating_add(limits.idle_instances).saturating_add(SPARE);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(CORE_INSTANCES))
        .total_memories(slots)
        .total_tables(slots.saturating_mul(TABLES))
        .max_tables_per_module(4)
        .table_elements(limits.table_elements)
        .max_memory_size(limits.memory)
        .linear_memory_keep_resident(limits.keep_resident)
        .table_keep_resident(16 * 1024)
        // wasmtime-wasi turns on wasmtime's feature `async`, with which a pool maps 2 GiB of stacks unless it has none.
        // Calls here are synchronous, so they need none.
        .total_stacks(0)
        // If the kernel can report written pages (Linux 6.7), only those are cleared and kept. Otherwise each slot that
        // was ever used holds `keep_resident` bytes, until the pool is renewed.
        .pagemap_scan(Enabled::Auto);
    pool
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_maps_no_stacks_for_async_calls() {
        let pool = format!("{:?}", pool(&Limits::for_connections(2)));
        assert!(pool.contains("total_stacks: 0,") || pool.contains("total_stacks: 0 "), "{pool}");
    }
}
