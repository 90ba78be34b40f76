//! What the processes used.

use super::bars::{self, Bar, Group};
use super::drawing::{Drawing, Layout};
use crate::report::{ProcessUse, Report, ServiceReport, figure, totals};

/// Between two sets of bars that are beside one another.
const GAP: f64 = 56.0;
const GAP_BELOW: f64 = 16.0;

pub(super) fn draw(report: &Report, layout: Layout) -> Option<Drawing> {
    let mut names: Vec<&'static str> = Vec::new();
    for used in report
        .services
        .iter()
        .flat_map(|service| &service.processes)
    {
        if used.process != totals::TOOL && !names.contains(&used.process) {
            names.push(used.process);
        }
    }
    let groups = |bar: fn(&ServiceReport, &ProcessUse) -> Option<(f64, String)>| {
        let group = |name: &&'static str| {
            let of_service = |service: &ServiceReport| {
                let mut processes = service.processes.iter();
                let used = processes.find(|used| used.process == *name)?;
                let (value, text) = bar(service, used)?;
                Some(Bar {
                    pattern: service.pattern,
                    value,
                    text,
                })
            };
            Group {
                label: (*name).to_owned(),
                bars: report.services.iter().filter_map(of_service).collect(),
            }
        };
        let mut groups: Vec<Group> = names.iter().map(group).collect();
        groups.retain(|group| !group.bars.is_empty());
        groups
    };
    let cpu = groups(|service, used| {
        let value = service.us_per_request(used.cpu_s)?;
        Some((value, format!("{} µs", figure::two_digits(value))))
    });
    let memory = groups(|_, used| {
        let bytes = used.memory_bytes_max;
        Some((bytes as f64, figure::bytes(bytes)))
    });
    let width = match layout {
        Layout::Wide => (layout.width() - GAP) / 2.0,
        Layout::Narrow => layout.width(),
    };
    let mut drawings = Vec::new();
    if !cpu.is_empty() {
        drawings.push(bars::draw(layout, width, "processor time a request", &cpu));
    }
    if !memory.is_empty() {
        drawings.push(bars::draw(layout, width, "memory, at most", &memory));
    }
    let all = match layout {
        Layout::Wide => Drawing::beside(drawings, GAP),
        Layout::Narrow => Drawing::stacked(drawings, GAP_BELOW),
    };
    Some(bars::with_legend(report, all?))
}
