//! The routes that only this service has.

use cache_http::resource::Routes;
use cache_http::users;

use crate::{dead_letters, journal};

/// Adds `POST /write-behind`, `POST /read-behind`, and what is about the journal
/// and its dead letters.
pub(crate) fn configure(routes: &mut Routes) {
    users::configure_own(routes, "/write-behind", "/read-behind");
    journal::configure(routes);
    dead_letters::configure(routes);
}

#[cfg(test)]
mod tests {
    use cache_core::settings::{Dashboard, Service};
    use cache_http::description::document;
    use cache_http::server;
    use testkit::generated_page::expect_current;

    #[test]
    fn the_description_in_docs_is_current() {
        let routes = server::routes(super::configure, Dashboard::On);
        let document = document(Service::WriteBehind, &routes, true);
        let text = document.to_pretty_json().unwrap() + "\n";
        let update = "UPDATE_DOCUMENTS=1 cargo test -p write-behind-svc description";
        expect_current("openapi/write-behind.json", &text, update);
    }
}
