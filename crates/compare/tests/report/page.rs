//! What is in the page, and in the file for programs.

use compare::report::html;

use crate::samples::{broken, nothing, usual};

#[test]
fn the_page_has_the_verdict_four_charts_and_the_table() {
    let report = usual();
    let page = html::page(&report);
    for line in &report.verdict {
        assert!(page.contains(line), "{line}");
    }
    assert_eq!(page.matches("<figure>").count(), 4);
    // The outage is shaded where the load of its chart is disturbed: answers, waiting, age.
    assert_eq!(page.matches("<rect class=\"fault\"").count(), 3);
    assert_eq!(page.matches("<tbody>").count(), 4 + 3);
    assert!(!page.contains("NaN") && !page.contains("inf "));
}

#[test]
fn text_from_outside_is_text_and_nothing_else() {
    let page = html::page(&broken());
    assert!(
        !page.contains("<script") && !page.contains("<b>care"),
        "{page}"
    );
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(page.contains("&lt;/svg&gt; is lost"));
    assert!(page.contains("naive-behind"));
}

#[test]
fn a_program_reads_every_run() {
    let json: serde_json::Value = serde_json::from_str(&usual().json()).unwrap();
    let runs = json["scenarios"][0]["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 6);
    assert_eq!(runs[0]["pattern"], "write-through");
    assert_eq!(
        json["scenarios"][2]["workload"]["preset"],
        "database-outage"
    );
    assert_eq!(json["verdict"].as_array().unwrap().len(), 3);
    let empty = html::page(&nothing());
    assert!(empty.contains("Nothing was measured."), "{empty}");
}
