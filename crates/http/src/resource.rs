//! Routes: one function for all, so that each is measured and described, answers `OPTIONS`, and answers a
//! wrong method with `405` and `Allow`.

use actix_web::guard;
use actix_web::http::Method;
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{Handler, HttpResponse, Responder, Route};

use crate::description::Call;
use crate::exchange::exchange;
use crate::observe::Observed;
use crate::problem::Problem;

/// The routes of a service, and what each call does.
#[derive(Default)]
pub struct Routes {
    additions: Vec<Addition>,
    described: Vec<Described>,
}

/// Adds something to a server.
type Addition = Box<dyn FnOnce(&mut ServiceConfig)>;

/// A call of a route.
pub(crate) struct Described {
    pub(crate) path: &'static str,
    pub(crate) method: Method,
    pub(crate) call: fn() -> Call,
}

impl std::fmt::Debug for Routes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let calls = self.described.iter();
        formatter
            .debug_list()
            .entries(calls.map(|call| (&call.method, call.path)))
            .finish()
    }
}

impl Routes {
    /// Gives handlers something that they share.
    pub fn share<T: ?Sized + 'static>(&mut self, data: Data<T>) {
        self.add(|config| {
            config.app_data(data);
        });
    }

    /// Adds the routes to a server.
    pub fn configure(self, config: &mut ServiceConfig) {
        for add in self.additions {
            add(config);
        }
    }

    /// All calls, in the order in which they were added.
    pub(crate) fn described(&self) -> &[Described] {
        &self.described
    }

    fn add(&mut self, addition: impl FnOnce(&mut ServiceConfig) + 'static) {
        self.additions.push(Box::new(addition));
    }
}

/// One method of a resource.
pub struct Endpoint {
    method: Method,
    route: Route,
    /// What it does; `None` for `HEAD`, which is described with `GET`.
    call: Option<fn() -> Call>,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Endpoint({})", self.method)
    }
}

/// `GET`, and with it `HEAD`. `call` describes it.
pub fn get<F, Args>(handler: F, call: fn() -> Call) -> Vec<Endpoint>
where
    F: Handler<Args>,
    Args: actix_web::FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let get = (Method::GET, Some(call));
    let methods = [get, (Method::HEAD, None)].into_iter();
    methods
        .map(|(method, call)| endpoint(method, handler.clone(), call))
        .collect()
}

/// Any method by itself. `call` describes it.
pub fn on<F, Args>(method: Method, handler: F, call: fn() -> Call) -> Vec<Endpoint>
where
    F: Handler<Args>,
    Args: actix_web::FromRequest + 'static,
    F::Output: Responder + 'static,
{
    vec![endpoint(method, handler, Some(call))]
}

fn endpoint<F, Args>(method: Method, handler: F, call: Option<fn() -> Call>) -> Endpoint
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
    for endpoint in endpoints.into_iter().flatten() {
        debug_assert!(
            allow
                .split(", ")
                .any(|method| method == endpoint.method.as_str())
        );
        resource = resource.route(endpoint.route);
        routes.described.extend(endpoint.call.map(|call| Described {
            path,
            method: endpoint.method,
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
    let resource = resource
        .default_service(web::to(refuse))
        .wrap_fn(move |request, routes| exchange(&observed, request, routes));
    routes.add(|config| {
        config.service(resource);
    });
}
