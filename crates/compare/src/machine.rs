//! The machine that all of it runs on, as Linux tells it.

use std::env::consts::OS;
use std::thread;

use procfs::{CpuInfo, Current as _, Meminfo};
use rustix::system::uname;

use crate::report::Machine;

/// This machine. What the system does not tell is left out.
pub fn this() -> Machine {
    let processor = CpuInfo::current().ok();
    let model = processor.as_ref().and_then(|cpus| cpus.model_name(0));
    Machine {
        processors: thread::available_parallelism().map_or(1, usize::from),
        processor_model: model.map(str::to_owned),
        memory_bytes: Meminfo::current().map_or(0, |memory| memory.mem_total),
        system: format!("{OS} {}", uname().release().to_string_lossy()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_processors_and_memory() {
        let machine = this();
        assert!(machine.processors >= 1);
        assert!(machine.memory_bytes > 1 << 20);
        assert!(machine.system.starts_with("linux "), "{machine:?}");
    }
}
