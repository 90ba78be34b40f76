use super::*;

fn row(name: &str, deleted: bool) -> Selected {
    row::tests::selected(1, name, Some(30), Some("Engineer"), deleted)
}

/// What a table of `rows`, in this order, answers a page with, and after how many rows.
fn page(rows: &[Selected], after: Option<&str>, limit: u32) -> (Page, u64) {
    let after = after.map(Key::from);
    let mut paging = Paging::new(after.as_ref(), limit);
    while let Some((after, asked)) = paging.wants() {
        let from = match after {
            Some(after) => rows.partition_point(|row| row.name.as_str() <= after),
            None => 0,
        };
        let found = rows.iter().skip(from).take(asked as usize);
        paging.take(found.cloned().collect());
    }
    let read = paging.rows_read;
    (paging.finish(), read)
}

fn names(page: &Page) -> Vec<&str> {
    page.records
        .iter()
        .map(|record| record.key.as_str())
        .collect()
}

#[test]
fn a_page_of_tombstones_ends_at_the_bound() {
    let rows: Vec<Selected> = (0..20_000)
        .map(|number| row(&format!("{number:05}"), number != 19_999))
        .collect();
    let mut after: Option<String> = None;
    let (mut pages, mut users) = (0, Vec::new());
    loop {
        let (page, read) = page(&rows, after.as_deref(), 3);
        assert!(read <= u64::from(ROWS_PASSED_MAX) + 3, "{read}");
        users.extend(names(&page).into_iter().map(str::to_owned));
        pages += 1;
        let Some(next) = page.next else { break };
        let next = next.as_str().to_owned();
        assert!(after.is_none_or(|after| after < next));
        after = Some(next);
    }
    assert_eq!((pages, users), (5, vec!["19999".to_owned()]));
}

#[test]
fn few_tombstones_are_passed_in_one_page() {
    let rows: Vec<Selected> = (0..1_000)
        .map(|number| row(&format!("{number:05}"), number % 3 != 0))
        .collect();
    let (page, _) = page(&rows, None, 100);
    assert_eq!(page.records.len(), 100);
    assert_eq!(page.next, Some(Key::from("00297")));
}

#[test]
fn a_full_page_ends_at_its_last_record() {
    let rows = ["a", "b", "c"].map(|name| row(name, false));
    let (page, read) = page(&rows, None, 3);
    assert_eq!(names(&page), ["a", "b", "c"]);
    assert_eq!((page.next, read), (Some(Key::from("c")), 3));
}

#[test]
fn a_page_that_ends_with_the_table_has_no_next() {
    let rows = [row("a", false), row("b", true)];
    for (after, limit, expected) in [
        (None, 2, &["a"][..]),
        (Some("a"), 1, &[]),
        (Some("b"), 1, &[]),
    ] {
        let (page, _) = page(&rows, after, limit);
        assert_eq!((names(&page), &page.next), (expected.to_vec(), &None));
    }
}

/// Such a name cannot be sent back in a URL, and the page after it must not begin with it.
#[test]
fn a_page_does_not_end_at_an_endless_name() {
    let long = "x".repeat(POSITION_BYTES_MAX);
    let mut rows: Vec<Selected> = (0..9_000)
        .map(|number| row(&format!("{long}{number:05}"), false))
        .collect();
    rows.push(row("z", false));
    let (page, _) = page(&rows, None, 1);
    assert_eq!(names(&page), ["z"]);
    assert_eq!(page.next, Some(Key::from("z")));
}
