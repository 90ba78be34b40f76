//! Routes: one function for all, so that each is measured and described, answers `OPTIONS`, and answers a
//! wrong method with `405` and `Allow`.

use actix_web::guard;
use actix_web::http::Method;
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::web;
use actix_web::{Handler, HttpResponse, Responder, Route};

pub use crate::auth::Right;
use crate::auth::Rights;
pub use crate::description::Routes;
use crate::description::{Call, Described};
use crate::exchange::exchange;
use crate::observe::Observed;
use crate::problem::Problem;

/// One method of a resource.
pub struct Endpoint {
    method: Method,
    route: Route,
    right: Right,
    /// What it does; `None` for `HEAD`, which is described with `GET`.
    call: Option<fn() -> Call>,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Endpoint({})", self.method)
    }
}

/// `GET`, and with it `HEAD`, for callers that have the right. `call` describes it.
pub fn get<F, Args>(right: Right, handler: F, call: fn() -> Call) -> Vec<Endpoint>
where
    F: Handler<Args>,
    Args: actix_web::FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let get = (Method::GET, Some(call));
    let methods = [get, (Method::HEAD, None)].into_iter();
    methods
        .map(|(method, call)| endpoint(method, right, handler.clone(), call))
        .collect()
}

/// Any method by itself, for callers that have the right. `call` describes it.
pub fn on<F, Args>(method: Method, right: Right, handler: F, call: fn() -> Call) -> Vec<Endpoint>
where
    F: Handler<Args>,
    Args: actix_web::FromRequest + 'static,
    F::Output: Responder + 'static,
{
    vec![endpoint(method, right, handler, Some(call))]
}

fn endpoint<F, Args>(
    method: Method,
    right: Right,
    handler: F,
    call: Option<fn() -> Call>,
) -> Endpoint
where
    F: Handler<Args>,
    Args: actix_web::FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let guarded = method.clone();
    // Not `web::method`, which notes in each request what it was guarded by.
    let is_asked = guard::fn_guard(move |context| context.head().method == guarded);
    Endpoint {
        route: web::route().guard(is_asked).to(handler),
        method,
        right,
        call,
    }
}

/// The answer to `OPTIONS`.
pub(crate) fn allowed(methods: HeaderValue) -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((ALLOW, methods))
        .finish()
}

/// Adds the resource at `path`. `allow` is its methods as the `Allow` header
/// lists them, but for `OPTIONS`, which every resource has.
pub fn resource(
    routes: &mut Routes,
    path: &'static str,
    allow: &'static str,
    endpoints: Vec<Vec<Endpoint>>,
) {
    let observed = Observed::new(path);
    let mut resource = web::resource(path);
    let mut rights = Vec::new();
    for endpoint in endpoints.into_iter().flatten() {
        debug_assert!(
            allow
                .split(", ")
                .any(|method| method == endpoint.method.as_str())
        );
        resource = resource.route(endpoint.route);
        rights.push((endpoint.method.clone(), endpoint.right));
        routes.describe(endpoint.call.map(|call| Described {
            path,
            method: endpoint.method,
            right: endpoint.right,
            call,
        }));
    }
    // Of the names of methods, so it is a valid value.
    let allow = HeaderValue::try_from(format!("{allow}, OPTIONS"));
    let allow = allow.unwrap_or(HeaderValue::from_static("OPTIONS"));
    let answer_options = {
        let allow = allow.clone();
        move || std::future::ready(allowed(allow.clone()))
    };
    resource = resource.route(web::method(Method::OPTIONS).to(answer_options));
    let refuse = move || std::future::ready(Err::<&str, _>(Problem::method_not_allowed(&allow)));
    let rights = Rights::new(rights);
    let resource = resource
        .default_service(web::to(refuse))
        .wrap_fn(move |request, routes| exchange(&observed, &rights, request, routes));
    routes.add(|config| {
        config.service(resource);
    });
}
