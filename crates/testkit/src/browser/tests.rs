use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use procfs::process::Process;
use tempfile::TempDir;

use super::*;

/// A browser that shows a page whose body is `body`, kept in a file of the folder.
fn showing(body: &str) -> (Browser, TempDir) {
    let folder = TempDir::new().unwrap();
    let browser = Browser::start();
    show(&browser, &folder, body);
    (browser, folder)
}

fn show(browser: &Browser, folder: &TempDir, body: &str) {
    let path = folder.path().join("page.html");
    let head = "<!doctype html><html lang=en><meta charset=utf-8><title>A page</title>";
    fs::write(&path, format!("{head}<body>{body}")).unwrap();
    browser.open(&format!("file://{}", path.display()));
}

#[test]
fn texts_that_cannot_be_read_are_found_and_a_clean_page_has_none() {
    let (browser, folder) = showing(
        "<h1>A headline</h1><p>Two lines<br>of a text.</p><button>Press</button>\
         <svg width=300 height=60><text x=5 y=20>one</text><text x=5 y=40>two</text></svg>\
         <p style='line-height:1'>set<br>tightly</p>\
         <div style='width:80px;overflow-x:auto;white-space:nowrap'>can be scrolled to its end</div>\
         <p style='position:absolute;width:1px;height:1px;overflow:hidden'>for readers alone</p>\
         <p hidden>not there</p>",
    );
    assert_eq!(browser.overlapping_texts(), [""; 0]);

    for (body, expected) in [
        (
            "<p>under</p><p style='position:absolute;top:4px'>over</p>",
            "\"under\" and \"over\" overlap by",
        ),
        (
            "<svg width=300 height=60><text x=5 y=20>one</text><text x=9 y=24>two</text></svg>",
            "\"one\" and \"two\" overlap by",
        ),
        (
            "<svg width=100 height=60><text x=50 y=20>longer than that</text></svg>",
            "\"longer than that\" is cut off",
        ),
        (
            "<p style='width:60px;overflow:hidden;white-space:nowrap'>longer than that</p>",
            "\"longer than that\" is cut off",
        ),
        (
            "<p style='width:2000px;text-align:right'>far away</p>",
            "\"far away\" reaches beyond the page's width of 1280 px",
        ),
        (
            "<div style='width:1300px;height:9px'></div>",
            "has to be scrolled in 1280 px",
        ),
    ] {
        show(&browser, &folder, body);
        let found = browser.overlapping_texts();
        let as_expected = found.iter().any(|sentence| sentence.contains(expected));
        assert!(as_expected, "{body}: {found:?}");
    }
}

#[test]
fn what_goes_wrong_in_a_page_is_seen() {
    let (browser, folder) = showing("<script>console.log('fine')</script>");
    assert_eq!(browser.console_errors(), [""; 0]);
    show(&browser, &folder, "<script>missing.function()</script>");
    browser.evaluate("console.error('said so')");
    let errors = browser.console_errors();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].contains("missing is not defined"), "{errors:?}");
    assert!(errors[1].contains("said so"), "{errors:?}");
    assert_eq!(browser.console_errors(), errors);
}

#[test]
fn every_request_is_seen() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/asked", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let length = connection.read(&mut request).unwrap();
        assert!(request[..length].starts_with(b"GET /asked "));
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nAccess-Control-Allow-Origin: *\r\nConnection: close\r\n\r\nhi";
        connection.write_all(answer).unwrap();
    });
    let (browser, _folder) = showing("nothing more");
    let own = browser.evaluate("location.href");
    assert_eq!(browser.requests(), [own.as_str().unwrap()]);
    let answer = browser.evaluate(&format!("fetch('{url}').then((answer) => answer.text())"));
    assert_eq!(answer, "hi");
    server.join().unwrap();
    assert_eq!(browser.requests(), [own.as_str().unwrap(), &url]);
}

#[test]
fn a_page_is_as_wide_as_a_telephone_and_as_dark_as_asked_for() {
    let (browser, _folder) = showing("text");
    let state = "[innerWidth, innerHeight, matchMedia('(prefers-color-scheme: dark)').matches]";
    assert_eq!(browser.evaluate(state), json!([1280, 800, false]));
    browser.resize(360, 640);
    browser.dark(true);
    assert_eq!(browser.evaluate(state), json!([360, 640, true]));
    browser.dark(false);
    assert_eq!(browser.evaluate(state), json!([360, 640, false]));
}

#[test]
fn buttons_are_pressed_by_mouse_and_by_keys() {
    let (browser, _folder) = showing(
        "<button id=one onclick='pressed += \"1\"'>One</button>\
         <button id=two onclick='pressed += \"2\"'>Two</button>\
         <input id=text><script>var pressed = ''</script>",
    );
    browser.click("#two");
    assert_eq!(browser.evaluate("pressed"), "2");
    browser.press(&["Shift+Tab", "Enter", "Tab", "Space", "Tab", "o", "k"]);
    browser.wait_until("pressed === '212'");
    assert_eq!(browser.evaluate("text.value"), "ok");
}

#[test]
fn a_screenshot_is_an_image_of_the_pages_size() {
    let (browser, folder) = showing("text");
    let path = folder.path().join("shot.png");
    browser.resize(400, 300);
    browser.screenshot(&path);
    let image = fs::read(path).unwrap();
    assert!(image.starts_with(b"\x89PNG\r\n\x1a\n"));
    let size = |at: usize| u32::from_be_bytes(image[at..at + 4].try_into().unwrap());
    assert_eq!((size(16), size(20)), (400, 300));
}

#[test]
fn a_dropped_browser_is_gone_with_its_driver() {
    let (browser, _folder) = showing("text");
    let [of_driver, of_browser] = browser.session.processes();
    drop(browser);
    for process in [of_driver, of_browser] {
        // The process that inherits it may not have reaped it yet.
        let runs = Process::new(process.cast_signed()).is_ok_and(|process| process.is_alive());
        assert!(!runs, "{process}");
    }
}

#[test]
#[should_panic(expected = "\"javascript error\": javascript error: missing is not defined")]
fn a_script_that_throws_ends_the_test() {
    let (browser, _folder) = showing("text");
    browser.evaluate("missing.function()");
}
