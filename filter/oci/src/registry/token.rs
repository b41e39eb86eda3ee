//! The authorization for requests to a registry: none, a password, or a token of the registry's
//! token service.

use std::time::{Duration, Instant};

use http_auth::parse_challenges;
use oci_client::RegistryOperation;
use oci_client::secrets::RegistryAuth;
use reqwest::header::WWW_AUTHENTICATE;
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::registry::credential::Credential;
use crate::registry::http;

/// The maximum size of a token service's response, in bytes.
const MAX_TOKEN: u64 = 64 << 10;
/// The default lifetime of a token: <https://distribution.github.io/distribution/spec/auth/token/>.
const LIFETIME: Duration = Duration::from_secs(60);
/// The time between the renewal of a token and its expiry.
const MARGIN: Duration = Duration::from_secs(10);

/// A granted authorization.
pub(super) struct Granted {
    pub(super) auth: RegistryAuth,
    pub(super) operation: RegistryOperation,
    /// Its expiry, if it has one.
    pub(super) until: Option<Instant>,
}

/// A token service.
#[derive(Debug, PartialEq, Eq)]
struct Service {
    realm: String,
    name: Option<String>,
}

/// A supported challenge of a registry.
#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    Basic,
    Bearer(Service),
}

/// A token service's response.
#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
    /// Seconds. Other values than whole numbers are ignored.
    expires_in: Option<Value>,
}

/// A request for the authorization of an operation on a repository.
pub(super) struct Authorization<'a> {
    pub(super) http: &'a Client,
    /// The address of the registry's API.
    pub(super) base: &'a Url,
    /// The registry's host and port.
    pub(super) registry: &'a str,
    pub(super) repository: &'a str,
    pub(super) credential: &'a Credential,
    pub(super) operation: RegistryOperation,
    /// The image in error messages.
    pub(super) name: &'a str,
}

impl Authorization<'_> {
    /// Reads the registry's challenge and, if that is `Bearer`, requests a token.
    pub(super) async fn grant(self) -> Result<Granted> {
        let (auth, until) = match self.credential {
            Credential::Token(token) => (RegistryAuth::Bearer(token.clone()), None),
            credential => match self.challenge().await? {
                Some(Challenge::Bearer(service)) => {
                    let (token, lifetime) = self.token(&service).await?;
                    let until = Instant::now().checked_add(lifetime.saturating_sub(MARGIN));
                    (RegistryAuth::Bearer(token), until)
                }
                Some(Challenge::Basic) => (credential.basic(), None),
                None => (RegistryAuth::Anonymous, None),
            },
        };
        Ok(Granted {
            auth,
            operation: self.operation,
            until,
        })
    }

    async fn challenge(&self) -> Result<Option<Challenge>> {
        let answer = self.http.get(self.base.clone()).send().await;
        let answer = answer.map_err(|error| http::unreachable(self.registry, &error))?;
        let headers = answer.headers().get_all(WWW_AUTHENTICATE).iter();
        let headers = headers.filter_map(|value| value.to_str().ok());
        Ok(choose(headers))
    }

    async fn token(&self, service: &Service) -> Result<(String, Duration)> {
        let refused = |reason: String| Error::Token {
            registry: self.registry.to_owned(),
            service: service.realm.clone(),
            reason,
        };
        let realm = allowed(self.base, &service.realm).map_err(refused)?;
        let server = realm.host_str().unwrap_or(&service.realm).to_owned();
        let actions = match self.operation {
            RegistryOperation::Pull => "pull",
            RegistryOperation::Push => "pull,push",
        };
        let scope = format!("repository:{}:{actions}", self.repository);
        let mut fields = vec![("scope", scope.as_str())];
        fields.extend(service.name.as_deref().map(|name| ("service", name)));
        // A redirect to another server would send the credentials there: it must not be on plain
        // HTTP.
        let client = http::client(self.registry, realm.scheme() == "https")?;
        let answer = self.request(&client, realm, fields).send().await;
        let answer = answer.map_err(|error| http::unreachable(&server, &error))?;
        let is_login = !matches!(self.credential, Credential::None);
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(self.credential.rejected(self.registry, self.name));
            }
            // The status of an invalid refresh token in OAuth 2.
            StatusCode::BAD_REQUEST if is_login => {
                return Err(self.credential.rejected(self.registry, self.name));
            }
            _ => return Err(refused(http::refusal(answer).await)),
        }
        read(answer, &server)
            .await?
            .ok_or_else(|| refused("its response has no token".into()))
    }

    /// The request to a token service. An identity token is exchanged by OAuth 2's grant
    /// `refresh_token`: <https://distribution.github.io/distribution/spec/auth/oauth/>.
    fn request<'a>(
        &'a self,
        client: &Client,
        realm: Url,
        mut fields: Vec<(&'a str, &'a str)>,
    ) -> RequestBuilder {
        match self.credential {
            Credential::Identity(token) => {
                fields.extend([
                    ("grant_type", "refresh_token"),
                    ("client_id", "cargo-oci"),
                    ("refresh_token", token),
                ]);
                client.post(realm).form(&fields)
            }
            Credential::Password { username, password } => {
                let request = client.get(realm).query(&fields);
                request.basic_auth(username, Some(password))
            }
            Credential::None | Credential::Token(_) => client.get(realm).query(&fields),
        }
    }
}

/// Selects a challenge: a token has precedence over a password.
fn choose<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Challenge> {
    let mut chosen = None;
    for header in headers {
        for challenge in parse_challenges(header).unwrap_or_default() {
            let parameter = |name: &str| {
                let mut all = challenge.params.iter();
                let found = all.find(|(key, _)| key.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.to_unescaped())
            };
            if challenge.scheme.eq_ignore_ascii_case("bearer")
                && let Some(realm) = parameter("realm")
            {
                let name = parameter("service");
                return Some(Challenge::Bearer(Service { realm, name }));
            }
            if challenge.scheme.eq_ignore_ascii_case("basic") {
                chosen = Some(Challenge::Basic);
            }
        }
    }
    chosen
}

/// Parses a token service's address and checks its scheme: a registry on HTTPS must not direct a
/// client to send its credentials in plain text. go-containerregistry, the agent's client, has the
/// same rule.
fn allowed(registry: &Url, realm: &str) -> Result<Url, String> {
    let url = Url::parse(realm).map_err(|error| format!("it is not a URL: {error}"))?;
    match (registry.scheme(), url.scheme()) {
        (_, "https") | ("http", "http") => Ok(url),
        ("https", "http") => Err(
            "it is on plain HTTP, which would expose credentials for a registry on HTTPS".into(),
        ),
        (_, other) => Err(format!("{other} is neither http nor https")),
    }
}

async fn read(answer: Response, server: &str) -> Result<Option<(String, Duration)>> {
    let bytes = http::read(answer, MAX_TOKEN).await;
    let bytes = bytes.map_err(|error| http::unreachable(server, &error))?;
    let answer: Option<Answer> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Ok(answer.and_then(|answer| {
        let tokens = answer.access_token.into_iter().chain(answer.token);
        let token = tokens.into_iter().find(|token| !token.is_empty())?;
        let seconds = answer.expires_in.as_ref().and_then(Value::as_u64);
        let lifetime = seconds.map_or(LIFETIME, Duration::from_secs);
        Some((token, lifetime))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, name: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer(Service {
            realm: realm.to_owned(),
            name: name.map(str::to_owned),
        }))
    }

    #[test]
    fn a_token_precedes_a_password() {
        let one = r#"Bearer realm="https://a/token",service="s""#;
        for (headers, chosen) in [
            (&[][..], None),
            (&["Negotiate"][..], None),
            (&[r#"Basic realm="x""#][..], Some(Challenge::Basic)),
            (&[one][..], bearer("https://a/token", Some("s"))),
            (
                &[r#"Basic realm="x""#, one][..],
                bearer("https://a/token", Some("s")),
            ),
            (
                &[r#"bearer realm="https://a""#][..],
                bearer("https://a", None),
            ),
            (&[r#"Bearer service="s""#][..], None),
            (&["\"", r#"Basic realm="x""#][..], Some(Challenge::Basic)),
        ] {
            assert_eq!(choose(headers.iter().copied()), chosen, "{headers:?}");
        }
    }

    #[test]
    fn a_registry_on_https_has_its_token_service_on_https() {
        for (registry, realm, is_allowed) in [
            ("https://r/v2/", "https://auth.example.com/token", true),
            ("http://r/v2/", "https://auth.example.com/token", true),
            ("http://r/v2/", "http://r/token", true),
            ("https://r/v2/", "http://r/token", false),
            ("https://r/v2/", "HTTP://r/token", false),
            ("http://r/v2/", "file:///etc/passwd", false),
            ("http://r/v2/", "/token", false),
        ] {
            let registry = Url::parse(registry).unwrap();
            assert_eq!(allowed(&registry, realm).is_ok(), is_allowed, "{realm}");
        }
    }
}
