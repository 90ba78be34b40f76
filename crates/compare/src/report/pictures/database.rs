//! What each acknowledged write cost the database.

use super::bars::{self, Bar, Group};
use super::drawing::{Drawing, Layout};
use crate::report::{DatabaseLoad, Report, ServiceReport, figure};

const WRITES: f64 = 100.0;

pub(super) fn draw(report: &Report, layout: Layout) -> Option<Drawing> {
    let group = |label: &str, amount: fn(&ServiceReport, &DatabaseLoad) -> Option<f64>| {
        let bar = |service: &ServiceReport| {
            let load = service.database.as_ref()?;
            let value = amount(service, load).filter(|value| value.is_finite())? * WRITES;
            Some(Bar {
                pattern: service.pattern,
                value,
                text: figure::trimmed(value),
            })
        };
        Group {
            label: label.to_owned(),
            bars: report.services.iter().filter_map(bar).collect(),
        }
    };
    let mut groups = vec![
        group("rows", |service, _| service.rows_per_write()),
        group("commits", |service, load| service.per_write(load.commits)),
        group("statements", |service, load| {
            service.per_write(load.statements)
        }),
    ];
    groups.retain(|group| !group.bars.is_empty());
    if groups.is_empty() {
        return None;
    }
    let bars = bars::draw(
        layout,
        layout.width(),
        "for every 100 acknowledged writes",
        &groups,
    );
    Some(bars::with_legend(report, bars))
}
