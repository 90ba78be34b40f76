//! Usage: cargo run -p cache-http --example client http://localhost:8081
#![allow(clippy::indexing_slicing)] // The value is JSON, where a missing field reads as null.
use serde_json::{Value, json};
use std::{env, error::Error, thread::sleep, time::Duration};
use ureq::{Agent, Body, http::Request, http::Response};

type Answer = Result<Response<Body>, Box<dyn Error>>;

/// Repeats 503 after Retry-After, five times at most.
fn call(
    agent: &Agent,
    method: &str,
    url: &str,
    etag: Option<&str>,
    kind: &str,
    body: &str,
) -> Answer {
    for attempt in 0.. {
        let request = Request::builder()
            .method(method)
            .uri(url)
            .header("Content-Type", kind);
        let request = etag
            .into_iter()
            .fold(request, |request, etag| request.header("If-Match", etag));
        let answer = agent.run(request.body(body.to_owned())?)?;
        if answer.status() != 503 || attempt == 5 {
            return Ok(answer);
        }
        let header = answer
            .headers()
            .get("Retry-After")
            .and_then(|text| text.to_str().ok()?.parse().ok());
        sleep(Duration::from_secs(header.unwrap_or(1).min(30)));
    }
    unreachable!()
}

/// Changes a user so that no other client's change is lost.
fn increment(agent: &Agent, url: &str) -> Result<(), Box<dyn Error>> {
    for _ in 0..100 {
        let mut answer = call(agent, "GET", url, None, "", "")?;
        let etag = answer.headers()["ETag"].to_str()?.to_owned();
        let mut user: Value = serde_json::from_str(&answer.body_mut().read_to_string()?)?;
        user["age"] = json!(user["age"].as_u64().unwrap_or(0) + 1);
        match call(
            agent,
            "PUT",
            url,
            Some(&etag),
            "application/json",
            &user.to_string(),
        )?
        .status()
        .as_u16()
        {
            200 => return Ok(()),
            412 => {} // Another client was faster: read again.
            status => return Err(format!("unexpected status {status}").into()),
        }
    }
    Err("gave up".into())
}

fn main() -> Result<(), Box<dyn Error>> {
    let base = env::args().nth(1).ok_or("the URL is missing")?;
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .build()
        .into();
    let user = r#"{"age": 0, "occupation": "Counter"}"#;
    let url = format!("{base}/users/Rust");
    assert_eq!(
        call(&agent, "PUT", &url, None, "application/json", user)?.status(),
        200
    );
    println!(
        "{}",
        call(&agent, "GET", &url, None, "", "")?
            .body_mut()
            .read_to_string()?
    );
    for _ in 0..5 {
        increment(&agent, &format!("{base}/users/Counter"))?;
    }
    let lines =
        "{\"name\": \"Rust 1\", \"age\": 1, \"occupation\": \"Batch\"}\n{\"delete\": \"Rust\"}\n";
    let url = format!("{base}/users/batch");
    println!(
        "{}",
        call(&agent, "POST", &url, None, "application/x-ndjson", lines)?
            .body_mut()
            .read_to_string()?
    );
    Ok(())
}
