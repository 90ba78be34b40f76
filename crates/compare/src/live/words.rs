//! What is happening, in one line.

use cache_http::figures::Figures;
use cache_http::live::{Event, ServiceEvent};

/// Requests that wait for longer than this are held up.
const HELD_UP_S: f64 = 1.0;

/// `The database is unavailable: write-through refuses 150 requests a second; write-behind answers
/// 200 a second, with 4,212 writes waiting, the oldest for 11 s.`
pub(super) fn of(event: &Event, redis_paused: bool) -> String {
    let missing = match (event.database_paused == Some(true), redis_paused) {
        (true, true) => "The database and Redis are unavailable",
        (true, false) => "The database is unavailable",
        (false, true) => "Redis is unavailable",
        (false, false) => "Everything is available",
    };
    let services: Vec<String> = event.services.iter().map(service).collect();
    format!("{missing}: {}.", services.join("; "))
}

fn service(event: &ServiceEvent) -> String {
    let name = &event.name;
    if !event.reachable {
        return format!("{name} is not running");
    }
    let Some(figures) = &event.figures else {
        return format!("{name} has just begun");
    };
    let Figures {
        requests_per_second: rates,
        requests_in_flight,
        oldest_request_age_s,
        ..
    } = figures;
    let answered = rates.write + rates.read + rates.delete;
    let held_up = oldest_request_age_s.filter(|age_s| *age_s > HELD_UP_S);
    let does = if rates.failed >= 0.5 {
        format!(
            "refuses {:.0} requests a second and answers {answered:.0}",
            rates.failed
        )
    } else if let Some(age_s) = held_up {
        format!(
            "answers {answered:.0} a second and holds up {requests_in_flight:.0}, the oldest for {age_s:.0} s"
        )
    } else {
        format!("answers {answered:.0} a second")
    };
    let waiting = match (figures.journal_depth_entries, figures.journal_oldest_age_s) {
        (Some(depth), Some(age_s)) if depth >= 1.0 && age_s >= 1.0 => {
            format!(
                ", with {} writes waiting, the oldest for {age_s:.0} s",
                thousands(depth)
            )
        }
        (Some(depth), None) if depth >= 1.0 => {
            format!(", with {} writes waiting", thousands(depth))
        }
        _ => String::new(),
    };
    format!("{name} {does}{waiting}")
}

/// `12,345`.
fn thousands(number: f64) -> String {
    let number = number.max(0.0) as u64;
    match number {
        0..1_000 => number.to_string(),
        _ => format!(
            "{},{:03}",
            thousands((number / 1_000) as f64),
            number % 1_000
        ),
    }
}

#[cfg(test)]
mod tests {
    use cache_http::figures::RequestRates;

    use super::*;

    fn event(name: &str, reachable: bool, figures: Option<Figures>) -> ServiceEvent {
        ServiceEvent {
            name: name.to_owned(),
            reachable,
            figures,
        }
    }

    fn figures(write: f64, failed: f64) -> Figures {
        let requests_per_second = RequestRates {
            write,
            failed,
            ..RequestRates::default()
        };
        Figures {
            requests_per_second,
            ..Figures::default()
        }
    }

    #[test]
    fn an_outage_is_told_with_what_each_service_does() {
        let behind = Figures {
            journal_depth_entries: Some(4_212.0),
            journal_oldest_age_s: Some(11.2),
            ..figures(200.0, 0.0)
        };
        let mut events = Event::now(vec![
            event("write-through", true, Some(figures(50.0, 150.0))),
            event("write-behind", true, Some(behind)),
        ]);
        events.database_paused = Some(true);
        assert_eq!(
            of(&events, false),
            "The database is unavailable: write-through refuses 150 requests a second and answers 50; \
             write-behind answers 200 a second, with 4,212 writes waiting, the oldest for 11 s."
        );
    }

    #[test]
    fn requests_that_hang_are_not_told_as_none() {
        let held_up = Figures {
            requests_in_flight: 64.0,
            oldest_request_age_s: Some(7.0),
            ..figures(0.0, 0.0)
        };
        let events = Event::now(vec![
            event("write-through", true, Some(held_up)),
            event("write-behind", false, None),
        ]);
        assert_eq!(
            of(&events, true),
            "Redis is unavailable: write-through answers 0 a second and holds up 64, the oldest for 7 s; \
             write-behind is not running."
        );
    }
}
