use std::io;

use oci::{Error, Login, Registry};

use crate::output;

/// The access to the registry.
#[derive(clap::Args)]
#[command(next_help_heading = "Registry")]
pub(crate) struct Access {
    /// Log in with this user name; by default with the login of `docker login`
    #[arg(long, requires = "password_stdin")]
    username: Option<String>,
    /// Read the password or token from standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
    /// Use plain HTTP; loopback addresses always use it
    #[arg(long)]
    insecure: bool,
}

impl Access {
    pub(crate) fn registry(self, reference: &str) -> Result<Registry, Error> {
        let login = match self.username {
            None => Login::Docker,
            Some(username) => Login::Password {
                username,
                password: read_password()?,
            },
        };
        let registry = Registry::new(reference, login, self.insecure)?;
        if let Some(warning) = registry.warning() {
            output::report(format_args!("warning: {warning}"));
        }
        Ok(registry)
    }
}

fn read_password() -> Result<String, Error> {
    let text = io::read_to_string(io::stdin()).map_err(|source| Error::Io {
        what: "cannot read the password from standard input".into(),
        source,
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
