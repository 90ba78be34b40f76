//! The machine that all of it runs on, as Linux tells it.

use std::fs;
use std::thread;

use crate::report::Machine;

/// This machine. What the system does not tell is left out.
pub fn this() -> Machine {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    Machine {
        processors: thread::available_parallelism().map_or(1, usize::from),
        processor_model: field(&read("/proc/cpuinfo"), "model name").map(str::to_owned),
        memory_bytes: memory_bytes(&read("/proc/meminfo")),
        system: format!(
            "{} {}",
            std::env::consts::OS,
            read("/proc/sys/kernel/osrelease").trim()
        )
        .trim()
        .to_owned(),
    }
}

fn memory_bytes(meminfo: &str) -> u64 {
    let total = field(meminfo, "MemTotal").and_then(|total| total.strip_suffix(" kB"));
    let kib: u64 = total.and_then(|kib| kib.parse().ok()).unwrap_or_default();
    kib * 1024
}

/// The first value of `name: value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == name).then_some(value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found_by_their_names() {
        let meminfo = "MemTotal:       24123456 kB\nMemFree:         123 kB\n";
        assert_eq!(memory_bytes(meminfo), 24_123_456 * 1024);
        assert_eq!(memory_bytes(""), 0);
        let cpuinfo = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nmodel name\t: other\n";
        assert_eq!(field(cpuinfo, "model name"), Some("Some CPU @ 2 GHz"));
    }

    #[test]
    fn this_machine_has_processors_and_memory() {
        let machine = this();
        assert!(machine.processors >= 1);
        assert!(machine.memory_bytes > 1 << 20);
        assert!(machine.system.starts_with("linux "), "{machine:?}");
    }
}
