//! Usage: cargo run -p cache-http --example client http://localhost:8081
#![allow(clippy::indexing_slicing)] // The value is JSON, where a missing field reads as null.
use serde_json::{Value, json};
use std::{env, error::Error, thread::sleep, time::Duration};
use ureq::{Agent, Body, http::Request, http::Response};

/// Repeats 503 after Retry-After, five times at most.
fn call(agent: &Agent, request: Request<String>) -> Result<Response<Body>, Box<dyn Error>> {
    for _ in 0..5 {
        let answer = agent.run(request.clone())?;
        let seconds = answer.headers().get("Retry-After");
        match seconds.and_then(|seconds| seconds.to_str().ok()?.parse().ok()) {
            Some(seconds @ ..=30) if answer.status() == 503 => sleep(Duration::from_secs(seconds)),
            _ => return Ok(answer),
        }
    }
    Ok(agent.run(request)?)
}

/// Changes a user so that no other client's change is lost.
fn increment(agent: &Agent, url: &str) -> Result<(), Box<dyn Error>> {
    for _ in 0..100 {
        let mut answer = call(agent, Request::get(url).body(String::new())?)?;
        let etag = answer.headers()["ETag"].clone();
        let mut user: Value = serde_json::from_str(&answer.body_mut().read_to_string()?)?;
        user["age"] = json!(user["age"].as_u64().unwrap_or(0) + 1);
        let put = Request::put(url).header("Content-Type", "application/json");
        let put = put.header("If-Match", etag).body(user.to_string())?;
        match call(agent, put)?.status().as_u16() {
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
        .build()
        .into();
    let url = format!("{base}/users/Rust");
    let user = json!({ "age": 0, "occupation": "Counter" });
    let put = Request::put(&url).header("Content-Type", "application/json");
    assert_eq!(call(&agent, put.body(user.to_string())?)?.status(), 200);
    let mut answer = call(&agent, Request::get(&url).body(String::new())?)?;
    println!("{}", answer.body_mut().read_to_string()?);
    for _ in 0..5 {
        increment(&agent, &format!("{base}/users/Counter"))?;
    }
    let user = json!({ "name": "Rust 1", "age": 1, "occupation": "Batch" });
    let lines = format!("{user}\n{}\n", json!({ "delete": "Rust" }));
    let batch = Request::post(format!("{base}/users/batch"));
    let batch = batch.header("Content-Type", "application/x-ndjson");
    let mut answer = call(&agent, batch.body(lines)?)?;
    println!("{}", answer.body_mut().read_to_string()?);
    Ok(())
}
