//! What every request passes before its route is called: pages of other sites, tokens, limits; and the certificate that
//! the service shows.

use std::net::SocketAddr;

use actix_web::HttpMessage as _;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::HeaderMap;
use cache_core::error::Result;
use cache_core::parts::ClientFiles;
use cache_core::settings::Settings;

use crate::auth::{self, Auth, Client, Right};
use crate::cors::{Cors, Permission};
use crate::expect::Preview;
use crate::limits::{Place, Rate, Requests, Sender};
use crate::observe;
use crate::origins::Origins;
use crate::problem::Problem;
use crate::tls::ServerTls;

/// The door of a service.
#[derive(Clone, Debug)]
pub struct Door {
    /// The pages that may write.
    origins: Origins,
    /// The clients that are known; `None` where no client needs a token.
    auth: Option<Auth>,
    /// The pages of other sites that may read answers.
    cors: Option<Cors>,
    rate: Option<Rate>,
    requests: Option<Requests>,
    /// The certificate, where the service speaks TLS.
    tls: Option<ServerTls>,
    /// The files of TLS to the backends, which are none of the door's but what there is to say of them.
    client_files: ClientFiles,
    /// What is worth a warning about the settings as they are.
    warning: Option<String>,
}

impl Door {
    /// As the settings ask for it.
    ///
    /// # Errors
    /// `BadSetting` for a file that cannot be used.
    pub(crate) fn open(settings: &Settings) -> Result<Door> {
        let auth = settings.auth_tokens_file.as_deref().map(Auth::start);
        let auth = auth.transpose()?;
        let tls = settings.tls_files.as_ref();
        let tls = tls.map(|(certificate, key)| ServerTls::start(certificate, key));
        let tls = tls.transpose()?;
        let warning = unprotected(settings.listen, auth.is_some());
        if let Some(warning) = &warning {
            tracing::warn!("{warning}");
        }
        Ok(Door {
            origins: Origins::listed(settings.allowed_origins.clone())
                .with_others(settings.cors_origins.clone())
                .secure(tls.is_some()),
            auth,
            tls,
            cors: Cors::listed(&settings.cors_origins),
            rate: Rate::per_second(settings.rate_limit_per_s, settings.rate_limit_burst),
            requests: Requests::at_most(settings.requests_max),
            client_files: ClientFiles::default(),
            warning,
        })
    }

    /// The same, which warns of these files as well.
    pub(crate) fn beside(self, client_files: ClientFiles) -> Door {
        Door {
            client_files,
            ..self
        }
    }

    /// The certificate, where the service speaks TLS.
    pub(crate) fn tls(&self) -> Option<&ServerTls> {
        self.tls.as_ref()
    }

    /// Whether clients need tokens.
    pub(crate) fn wants_tokens(&self) -> bool {
        self.auth.is_some()
    }

    /// Lets in a request of this route that may be answered.
    ///
    /// # Errors
    /// Why the request is refused.
    pub(crate) fn enter(
        &self,
        request: &ServiceRequest,
        route: &str,
        needed: Right,
    ) -> std::result::Result<Entered, Problem> {
        let headers = request.headers();
        if let Some(refusal) = self.origins.refusal(request.method(), headers) {
            return Err(refusal);
        }
        let client = match &self.auth {
            Some(auth) if needed != Right::Anyone => auth.client(headers),
            _ => Ok(None),
        };
        if let Some(rate) = &self.rate {
            let known = client.as_ref().ok().and_then(Option::as_ref);
            count(rate, request, route, known)?;
        }
        let client = client?;
        if self.auth.is_some() {
            auth::check(client.as_ref(), needed)?;
        }
        let place = match &self.requests {
            Some(requests) if observe::is_of_clients(route) => Some(requests.enter()?),
            _ => None,
        };
        Ok(Entered {
            client,
            _place: place,
        })
    }

    /// What the page that sends a request may do; `None` where CORS is off.
    pub(crate) fn cors(&self, request: &ServiceRequest) -> Option<Permission> {
        let cors = self.cors.as_ref()?;
        Some(cors.of(request.method(), request.headers()))
    }

    /// Whether the sender of a request has this right.
    pub(crate) fn allows(&self, headers: &HeaderMap, right: Right) -> bool {
        let auth = self.auth.as_ref();
        auth.is_none_or(|auth| auth.allows(headers, right))
    }

    /// What an operator should know, in a sentence each.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let of_tokens = self.auth.as_ref().and_then(Auth::warning);
        let of_tls = self.tls.as_ref().and_then(ServerTls::warning);
        let of_settings = self.warning.iter().cloned();
        let own = of_settings.chain(of_tokens).chain(of_tls);
        own.chain(self.client_files.warnings()).collect()
    }
}

/// A request that was let in, until it is answered.
#[derive(Debug, Default)]
pub(crate) struct Entered {
    /// Who sends it, where that is known.
    pub(crate) client: Option<Client>,
    _place: Option<Place>,
}

/// Counts a request towards the rate of its sender. A probe is not counted, or a client behind the same proxy could
/// make the service look unready; and a request that comes twice, once without its body, counts once.
fn count(
    rate: &Rate,
    request: &ServiceRequest,
    route: &str,
    client: Option<&Client>,
) -> std::result::Result<(), Problem> {
    if observe::is_a_probe(route) || request.extensions().contains::<Preview>() {
        return Ok(());
    }
    let address = || request.peer_addr().map(|address| address.ip());
    rate.count(match client {
        Some(client) => Sender::Client(&client.name),
        None => Sender::at(address()),
    })
}

/// What to say about a service that others than this machine reach, and that asks them for nothing.
fn unprotected(listen: SocketAddr, wants_tokens: bool) -> Option<String> {
    if wants_tokens || listen.ip().to_canonical().is_loopback() {
        return None;
    }
    Some(format!(
        "LISTEN={listen}: every client that reaches this address can read, write and delete, since AUTH_TOKENS_FILE is not set"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_that_others_reach_without_a_token_is_warned_of() {
        for (listen, wants_tokens, is_warned) in [
            ("127.0.0.1:8080", false, false),
            ("127.8.8.8:8080", false, false),
            ("[::1]:8080", false, false),
            ("[::ffff:127.0.0.1]:8080", false, false),
            ("0.0.0.0:8080", false, true),
            ("[::]:8080", false, true),
            ("10.1.2.3:8080", false, true),
            ("0.0.0.0:8080", true, false),
        ] {
            let warning = unprotected(listen.parse().unwrap(), wants_tokens);
            assert_eq!(warning.is_some(), is_warned, "{listen}: {warning:?}");
        }
    }
}
