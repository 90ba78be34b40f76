use super::page::html;
use super::*;

fn config(title: &str) -> PageConfig {
    PageConfig {
        title: title.to_owned(),
        services: Vec::new(),
        events_url: "/events".to_owned(),
        database_url: None,
        redis_url: None,
    }
}

#[test]
fn no_text_of_the_configuration_becomes_part_of_the_page() {
    let page = html(&config("</script><script>alert(1)</script> & \"more\""));
    assert!(!page.contains("<script>alert"), "{page}");
    assert!(page.contains("&lt;/script>&lt;script>alert(1)&lt;/script> &amp;"));
}

#[test]
fn samples_are_rare_without_a_viewer() {
    let after = |seconds| is_due(Duration::from_secs(seconds), false);
    assert_eq!([1, 4, 5, 6].map(after), [false, false, true, true]);
    assert!(is_due(EVENT_PERIOD, true));
}
