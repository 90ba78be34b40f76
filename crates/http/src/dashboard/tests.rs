use super::page::html;
use super::*;

fn config(title: &str) -> PageConfig {
    PageConfig {
        title: title.to_owned(),
        services: Vec::new(),
        events_url: "/events".to_owned(),
        database_url: None,
    }
}

#[test]
fn no_text_of_the_configuration_becomes_part_of_the_page() {
    let page = html(&config("</script><script>alert(1)</script> & \"more\""));
    assert!(!page.contains("<script>alert"), "{page}");
    assert!(page.contains("&lt;/script>&lt;script>alert(1)&lt;/script> &amp;"));
}

#[tokio::test]
async fn places_are_bounded_given_back_and_ended() {
    let viewers = Viewers::new();
    assert!(!viewers.are_there());
    let mut places: Vec<Place> = (0..VIEWERS_MAX).map_while(|_| viewers.enter()).collect();
    assert_eq!(places.len(), VIEWERS_MAX);
    assert!(viewers.are_there());
    assert!(viewers.enter().is_none());
    places.pop();
    let mut place = viewers.enter().unwrap();
    viewers.clone().send_away();
    place.ended().await;
    places.clear();
    assert!(viewers.enter().is_none(), "nobody comes in after that");
}

#[test]
fn samples_are_rare_without_a_viewer() {
    let after = |seconds| is_due(Duration::from_secs(seconds), false);
    assert_eq!([1, 4, 5, 6].map(after), [false, false, true, true]);
    assert!(is_due(EVENT_PERIOD, true));
}
