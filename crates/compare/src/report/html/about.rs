//! What was done, on what, and how to read it.

use crate::report::escape::escape;
use crate::report::{Report, figure, words};

const HOW_TO_READ: [(&str, &str); 5] = [
    (
        "Percentiles",
        "p99 is the time that 99 % of the requests took no longer than: of those that succeeded. \
         Failures are told apart. A request that was never sent, since no connection was free, counts \
         with the time it had waited; where there are so many of these that the true time may be \
         longer, there is a ≥. Where too few were measured to tell, there is a –. The mean hides what \
         the slowest have to wait, so there is none here.",
    ),
    (
        "From answer to commit",
        "With write-through a write is committed before it is answered. With write-behind it is in \
         the journal then, and in the database this much later; until then it is there only \
         as safely as the journal is.",
    ),
    (
        "Rows for each write",
        "Below 1 where writes of one name came to the database together as one, above 1 where \
         one was written more than once.",
    ),
    (
        "Lost and stale",
        "The names are written once before the run, and after it every one is asked for. Lost: the \
         newest acknowledged write is not there, nor anything that may have replaced it. Stale: a \
         read was answered with something older than what had been acknowledged, or read, before \
         it began.",
    ),
    (
        "What this does not say",
        "Each service ran once, one after the other, so that differences under a tenth, and single \
         percentiles of short runs, may be chance. Tool, services and servers that run on one \
         machine take processor time from each other. The figures compare the two patterns where \
         they were measured; they are no promise for other machines.",
    ),
];

pub(super) fn section(report: &Report) -> String {
    let machine = &report.machine;
    let processors = match (machine.processors, &machine.processor_model) {
        (1, Some(model)) => format!("1 processor, {model}"),
        (1, None) => "1 processor".to_owned(),
        (count, Some(model)) => format!("{count} processors, {model}"),
        (count, None) => format!("{count} processors"),
    };
    let mut facts = vec![
        ("Workload", escape(&words::workload(report))),
        ("Parts", escape(&report.parts)),
        (
            "Machine",
            escape(&format!(
                "{processors}; {} of memory; {}",
                figure::bytes(machine.memory_bytes),
                machine.system
            )),
        ),
    ];
    if let Some(ceiling) = &report.ceiling {
        facts.push((
            "What the tool can drive",
            format!(
                "{} requests a second against a handler that does nothing, at {} µs of processor time each",
                figure::whole(ceiling.requests_per_second),
                figure::two_digits(ceiling.tool_cpu_us_per_request),
            ),
        ));
    }
    for service in &report.services {
        let seconds = figure::seconds(service.seconds);
        let url = escape(&service.url);
        facts.push((
            service.pattern.name(),
            format!("<code>{url}</code>, for {seconds}"),
        ));
    }
    facts.push((
        "Command",
        format!("<code>{}</code>", escape(&report.command)),
    ));
    facts.push(("Version", escape(&report.version)));
    facts.push(("Begun", escape(&report.began_at)));

    let facts: String = facts
        .iter()
        .map(|(term, fact)| format!("<dt>{term}</dt><dd>{fact}</dd>\n"))
        .collect();
    let notes: String = HOW_TO_READ
        .iter()
        .map(|(term, note)| format!("<dt>{term}</dt><dd>{note}</dd>\n"))
        .collect();
    format!(
        "<section class=\"card\" aria-labelledby=\"done\">\n<h2 id=\"done\">What was done</h2>\n\
         <dl class=\"facts\">\n{facts}</dl>\n</section>\n\
         <section class=\"card\" aria-labelledby=\"reading\">\n<h2 id=\"reading\">How to read this</h2>\n\
         <dl class=\"facts\">\n{notes}</dl>\n</section>"
    )
}
