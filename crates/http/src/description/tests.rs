use actix_web::HttpResponse;
use actix_web::http::Method;
use cache_core::settings::Service;
use serde_json::Value;

use super::{Answer, Call, ENGINE, Tag, WRITE, document, name_in_path};
use crate::resource::{Right, Routes, get, on, resource};

async fn handle() -> HttpResponse {
    HttpResponse::Ok().finish()
}

fn read() -> Call {
    Call::new(Tag::Users, "readIt", "Read it").answers(Answer::ok("It."))
}

fn change() -> Call {
    Call::new(Tag::Users, "changeIt", "Change it")
        .answers(Answer::ok("It is changed."))
        .refuses(ENGINE)
        .refuses(WRITE)
}

fn described(service: Service) -> Value {
    let mut routes = Routes::default();
    let endpoints = vec![
        get(Right::Read, handle, read),
        on(Method::POST, Right::Write, handle, change),
    ];
    resource(&mut routes, "/it", "GET, HEAD, POST", endpoints);
    serde_json::to_value(document(service, &routes, true)).unwrap()
}

fn statuses(document: &Value, method: &str) -> Vec<String> {
    let responses = &document["paths"]["/it"][method]["responses"];
    responses.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn a_route_is_described_by_its_path_and_methods() {
    let document = described(Service::WriteThrough);
    let item = document["paths"]["/it"].as_object().unwrap();
    let mut keys: Vec<&str> = item.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["get", "parameters", "post"]);
    assert_eq!(item["get"]["operationId"], "readIt");
    assert_eq!(document["tags"].as_array().unwrap().len(), 1);
}

fn of_one() -> Call {
    let call = Call::new(Tag::Users, "readOne", "Read one");
    call.takes(name_in_path("Its name."))
        .answers(Answer::ok("It."))
}

#[test]
fn a_name_with_a_route_of_its_own_is_described_there() {
    let mut routes = Routes::default();
    for path in ["/them/all", "/them/{name}"] {
        resource(
            &mut routes,
            path,
            "GET, HEAD",
            vec![get(Right::Read, handle, of_one)],
        );
    }
    let document = serde_json::to_value(document(Service::WriteThrough, &routes, true)).unwrap();
    let call = |path: &str| document["paths"][path]["get"].clone();
    assert_eq!(call("/them/all")["operationId"], "readOne_all");
    assert_eq!(call("/them/all")["parameters"], Value::Null);
    assert_eq!(call("/them/{name}")["operationId"], "readOne");
    assert_eq!(call("/them/{name}")["parameters"][0]["name"], "name");
}

#[test]
fn errors_follow_from_method_and_service() {
    let of_all = ["200", "400", "401", "421", "429", "503"];
    assert_eq!(statuses(&described(Service::WriteBehind), "get"), of_all);
    let of_writes = [
        "200", "400", "401", "403", "412", "421", "422", "429", "500", "503",
    ];
    let through = described(Service::WriteThrough);
    assert_eq!(statuses(&through, "post"), of_writes);
    let behind = described(Service::WriteBehind);
    assert!(statuses(&behind, "post").contains(&"504".to_owned()));
    let types = |document: &Value| document["components"]["examples"].to_string();
    assert!(types(&behind).contains("backlog-full"));
    assert!(!types(&through).contains("backlog-full"));
    let refused = &through["paths"]["/it"]["post"]["responses"]["503"];
    assert!(refused["headers"]["Retry-After"].is_object());
}
