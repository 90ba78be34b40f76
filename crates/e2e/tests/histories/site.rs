//! Replicas of one service or of both, on one set of parts.

use std::sync::{Arc, Mutex};

use testkit::parts::{Installation, Parts};
use testkit::service::{Service, ServiceProcess};

/// Which services run: each is one replica.
pub(crate) type Layout = &'static [Service];

pub(crate) const WRITE_THROUGH: Layout = &[Service::WriteThrough];
pub(crate) const WRITE_BEHIND: Layout = &[Service::WriteBehind];
pub(crate) const TWO_WRITE_THROUGH: Layout = &[Service::WriteThrough, Service::WriteThrough];
pub(crate) const TWO_WRITE_BEHIND: Layout = &[Service::WriteBehind, Service::WriteBehind];
pub(crate) const BOTH: Layout = &[Service::WriteThrough, Service::WriteBehind];

/// Where the replicas listen at the moment; each start of one has a new port.
#[derive(Clone, Debug)]
pub(crate) struct Addresses(Arc<Mutex<Vec<String>>>);

impl Addresses {
    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub(crate) fn of(&self, replica: usize) -> String {
        self.0.lock().unwrap()[replica].clone()
    }
}

/// The replicas, and what they run on.
#[derive(Debug)]
pub(crate) struct Site {
    // The fields are dropped in this order.
    processes: Vec<ServiceProcess>,
    layout: Layout,
    // By replica: what its environment has beside the installation's settings.
    own_settings: Vec<Vec<(String, String)>>,
    addresses: Addresses,
    installation: Installation,
}

impl Site {
    /// Starts the replicas on fresh parts.
    pub(crate) fn start(layout: Layout, parts: Parts) -> Self {
        Site::start_on(layout, parts.install(layout[0]), &[])
    }

    /// Starts them on parts that the test has chosen, some with settings of their own, given as replica, name
    /// and value.
    pub(crate) fn start_on(
        layout: Layout,
        installation: Installation,
        settings: &[(usize, &str, &str)],
    ) -> Self {
        let own_settings = |replica| {
            let own = settings.iter().filter(move |(of, ..)| *of == replica);
            own.map(|(_, name, value)| ((*name).to_owned(), (*value).to_owned()))
        };
        let mut site = Site {
            processes: Vec::new(),
            layout,
            own_settings: (0..layout.len())
                .map(|replica| own_settings(replica).collect())
                .collect(),
            addresses: Addresses(Arc::default()),
            installation,
        };
        for replica in 0..layout.len() {
            let process = site.process_of(replica);
            let address = process.base_url().to_owned();
            site.addresses.0.lock().unwrap().push(address);
            site.processes.push(process);
        }
        site
    }

    fn process_of(&self, replica: usize) -> ServiceProcess {
        let own = &self.own_settings[replica];
        let own = own
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let env: Vec<(&str, &str)> = self.installation.settings().chain(own).collect();
        ServiceProcess::start_in(self.installation.folder(), self.layout[replica], &env)
    }

    pub(crate) fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    pub(crate) fn process(&mut self, replica: usize) -> &mut ServiceProcess {
        &mut self.processes[replica]
    }

    /// Starts a replica again that has ended, with nothing but the installation's settings.
    pub(crate) fn start_again(&mut self, replica: usize) {
        self.own_settings[replica].clear();
        let process = self.process_of(replica);
        self.addresses.0.lock().unwrap()[replica] = process.base_url().to_owned();
        self.processes[replica] = process;
    }
}
