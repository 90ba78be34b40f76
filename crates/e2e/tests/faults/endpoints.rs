//! Where the replicas of the service listen at the moment.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use testkit::http::Client;

/// The base URL of each replica; each start of one has a new port.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints(Arc<Mutex<Vec<String>>>);

impl Endpoints {
    pub(crate) fn new<const N: usize>(base_urls: [&str; N]) -> Self {
        let base_urls = base_urls.map(str::to_owned);
        Endpoints(Arc::new(Mutex::new(base_urls.into())))
    }

    /// The replica listens elsewhere now.
    pub(crate) fn moved(&self, replica: usize, base_url: &str) {
        self.0.lock().unwrap()[replica] = base_url.to_owned();
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn base_url(&self, replica: usize) -> String {
        let base_urls = self.0.lock().unwrap();
        base_urls[replica % base_urls.len()].clone()
    }
}

/// A client that asks one replica, and goes to the next when that does not answer.
#[derive(Debug)]
pub(crate) struct Caller {
    endpoints: Endpoints,
    replica: usize,
    base_url: String,
    client: Client,
    wait_timeout: Duration,
}

impl Caller {
    pub(crate) fn new(endpoints: &Endpoints, replica: usize, wait_timeout: Duration) -> Self {
        let base_url = endpoints.base_url(replica);
        Caller {
            endpoints: endpoints.clone(),
            replica,
            client: Client::with_timeout(&base_url, wait_timeout),
            base_url,
            wait_timeout,
        }
    }

    pub(crate) fn client(&mut self) -> &Client {
        let base_url = self.endpoints.base_url(self.replica);
        if base_url != self.base_url {
            self.client = Client::with_timeout(&base_url, self.wait_timeout);
            self.base_url = base_url;
        }
        &self.client
    }

    pub(crate) fn turn_to_the_next(&mut self) {
        self.replica += 1;
    }
}
