//! The logins of `docker login`: the docker configuration file and its credential helpers.
//!
//! The rules are those of `docker` and of the Istio agent: a helper for the registry has precedence
//! over the helper for all registries; a helper without a login for the registry is not an error;
//! Docker Hub has its own key. This is own code because the crate `docker_credential` returns an
//! error in each of these cases, and passes another name of Docker Hub to helpers.

mod helper;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::registry::credential::Credential;

/// The key of Docker Hub in the file and in requests to helpers.
const HUB: &str = "https://index.docker.io/v1/";
/// The hosts of Docker Hub in names of images and in the addresses of its registry.
const HUB_HOSTS: [&str; 3] = ["index.docker.io", "docker.io", "registry-1.docker.io"];

/// The logins in the docker configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    auths: Option<BTreeMap<String, Option<Entry>>>,
    creds_store: Option<String>,
    cred_helpers: Option<BTreeMap<String, String>>,
}

/// A login in the file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

/// The login for a registry, and a warning.
///
/// # Errors
/// [`Error::DockerConfig`]: the file, or its login for the registry, cannot be read.
pub(super) fn credential(registry: &str) -> Result<(Credential, Option<String>)> {
    let Some(file) = file() else {
        return Ok((Credential::None, None));
    };
    let unusable = |reason: String| Error::DockerConfig {
        registry: registry.to_owned(),
        reason,
    };
    let config = read(&file).map_err(unusable)?;
    let mut warning = None;
    if let Some(name) = config.helper(registry) {
        match helper::ask(name, key(registry)) {
            Ok(Credential::None) => {}
            Ok(credential) => return Ok((credential, None)),
            Err(reason) => {
                let file = file.display();
                warning = Some(format!("{reason}, and {file} names it for {registry}"));
            }
        }
    }
    let credential = config.entry(registry).map_err(unusable)?;
    if credential == Credential::None {
        warning = warning.map(|warning| format!("{warning}: continuing without a login"));
    }
    Ok((credential, warning))
}

fn file() -> Option<PathBuf> {
    let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".docker"));
    let dir = env::var_os("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(home)?;
    Some(dir.join("config.json")).filter(|file| file.is_file())
}

fn read(file: &Path) -> Result<Config, String> {
    let unreadable = |reason: String| format!("{}: {reason}", file.display());
    let text = fs::read_to_string(file).map_err(|error| unreadable(error.to_string()))?;
    match text.trim() {
        "" => Ok(Config::default()),
        text => serde_json::from_str(text).map_err(|error| unreadable(error.to_string())),
    }
}

impl Config {
    /// The name of the helper for a registry.
    fn helper(&self, registry: &str) -> Option<&str> {
        let own = self.cred_helpers.as_ref();
        let own = own.and_then(|helpers| find(helpers, registry));
        let name = own.or(self.creds_store.as_ref())?;
        Some(name.as_str()).filter(|name| !name.is_empty())
    }

    /// The login in the file.
    fn entry(&self, registry: &str) -> Result<Credential, String> {
        let entry = self.auths.as_ref();
        let entry = entry.and_then(|entries| find(entries, registry));
        let Some(entry) = entry.and_then(Option::as_ref) else {
            return Ok(Credential::None);
        };
        let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        if let Some(token) = given(&entry.identitytoken) {
            return Ok(Credential::Identity(token));
        }
        if let Some(token) = given(&entry.registrytoken) {
            return Ok(Credential::Token(token));
        }
        if let Some(auth) = given(&entry.auth) {
            return decode(&auth).ok_or_else(|| "`auth` is not the Base64 of NAME:PASSWORD".into());
        }
        Ok(match (given(&entry.username), given(&entry.password)) {
            (Some(username), Some(password)) => Credential::Password { username, password },
            _ => Credential::None,
        })
    }
}

fn decode(auth: &str) -> Option<Credential> {
    // Some tools omit the padding.
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let bytes = GeneralPurpose::new(&STANDARD, config).decode(auth).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (username, password) = text.split_once(':')?;
    (!username.is_empty()).then(|| Credential::Password {
        username: username.to_owned(),
        password: password.trim_matches('\0').to_owned(),
    })
}

/// Docker's key of a registry.
fn key(registry: &str) -> &str {
    match HUB_HOSTS.contains(&registry) {
        true => HUB,
        false => registry,
    }
}

/// The value for a registry in a map: by docker's key, or else by a key that is an address of the
/// same host.
fn find<'a, T>(map: &'a BTreeMap<String, T>, registry: &str) -> Option<&'a T> {
    let host = |key: &'a str| {
        let key = key.split_once("://").map_or(key, |(_, rest)| rest);
        key.split('/').next().unwrap_or(key)
    };
    let by_host = || {
        let mut entries = map.iter();
        let found = entries.find(|(key, _)| self::key(host(key)) == self::key(registry));
        found.map(|(_, value)| value)
    };
    map.get(key(registry)).or_else(by_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTH: &str = "bWU6czNjcmV0";

    fn entry(text: &str, registry: &str) -> Result<Credential, String> {
        serde_json::from_str::<Config>(text)
            .unwrap()
            .entry(registry)
    }

    fn password() -> Credential {
        Credential::Password {
            username: "me".into(),
            password: "s3cret".into(),
        }
    }

    #[test]
    fn each_form_of_an_entry_is_read() {
        let none = Ok(Credential::None);
        for (fields, expected) in [
            (r"{}", none.clone()),
            (r"null", none.clone()),
            (r#"{"auth":""}"#, none.clone()),
            (r#"{"auth":null,"email":"me@example.com"}"#, none.clone()),
            (r#"{"username":"me"}"#, none),
            (r#"{"username":"me","password":"s3cret"}"#, Ok(password())),
            (r#"{"auth":"bWU6czNjcmV0"}"#, Ok(password())),
            (
                r#"{"auth":"bWU6czNjcmV0","identitytoken":""}"#,
                Ok(password()),
            ),
            (
                r#"{"auth":"MDAwMDo=","identitytoken":"it"}"#,
                Ok(Credential::Identity("it".into())),
            ),
            (
                r#"{"registrytoken":"rt"}"#,
                Ok(Credential::Token("rt".into())),
            ),
        ] {
            let text = format!(r#"{{"auths":{{"r:5000":{fields}}}}}"#);
            assert_eq!(entry(&text, "r:5000"), expected, "{fields}");
            assert_eq!(entry(&text, "r:5001"), Ok(Credential::None), "{fields}");
        }
        for auth in ["%", "bWU=", "OnMzY3JldA=="] {
            let text = format!(r#"{{"auths":{{"r":{{"auth":"{auth}"}}}}}}"#);
            assert!(entry(&text, "r").is_err(), "{auth}");
            // An invalid login of another registry is ignored.
            assert_eq!(entry(&text, "s"), Ok(Credential::None));
        }
        // NAME:PASS:WORD, without its padding.
        let text = r#"{"auths":{"r":{"auth":"bWU6czpjcmV0LQ"}}}"#;
        let expected = Credential::Password {
            username: "me".into(),
            password: "s:cret-".into(),
        };
        assert_eq!(entry(text, "r"), Ok(expected));
    }

    #[test]
    fn a_registry_is_found_by_any_of_its_keys() {
        let hub = ["docker.io", "index.docker.io", "registry-1.docker.io"];
        for host in hub {
            assert_eq!(key(host), "https://index.docker.io/v1/");
            for key in hub.into_iter().chain(["https://index.docker.io/v1/"]) {
                let text = format!(r#"{{"auths":{{"{key}":{{"auth":"{AUTH}"}}}}}}"#);
                assert_eq!(entry(&text, host), Ok(password()), "{host} by {key}");
            }
        }
        for key in [
            "r:5000",
            "https://r:5000",
            "http://r:5000/v2/",
            "r:5000/v1/",
        ] {
            let text = format!(r#"{{"auths":{{"{key}":{{"auth":"{AUTH}"}}}}}}"#);
            assert_eq!(entry(&text, "r:5000"), Ok(password()), "{key}");
            assert_eq!(entry(&text, "r"), Ok(Credential::None), "{key}");
        }
    }

    #[test]
    fn a_helper_for_the_registry_precedes_the_store_for_all() {
        for (text, expected) in [
            (r"{}", None),
            (r#"{"credsStore":""}"#, None),
            (r#"{"credsStore":null,"credHelpers":null}"#, None),
            (r#"{"credsStore":"all"}"#, Some("all")),
            (
                r#"{"credsStore":"all","credHelpers":{"r":"own"}}"#,
                Some("own"),
            ),
            (
                r#"{"credsStore":"all","credHelpers":{"s":"own"}}"#,
                Some("all"),
            ),
            (r#"{"credsStore":"all","credHelpers":{"r":""}}"#, None),
        ] {
            let config: Config = serde_json::from_str(text).unwrap();
            assert_eq!(config.helper("r"), expected, "{text}");
        }
    }
}
