//! The volumes of a pod as folders.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mesh::error::Context;
use serde::Deserialize;

use super::fields::Fields;
use super::spec::{Projection, Reference, Token, Volume};
use crate::cluster::Kubectl;
use crate::error::Result;

/// The content of a ConfigMap or a Secret.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    #[serde(default)]
    data: BTreeMap<String, String>,
    #[serde(default)]
    binary_data: BTreeMap<String, String>,
}

/// The files of a volume, by their path in it.
type Files = BTreeMap<String, Vec<u8>>;

/// Creates the volumes of a pod in `folder`. Returns the folder of each by name.
pub(super) fn create(
    fields: &Fields<'_>,
    kubectl: &Kubectl,
    folder: &Path,
) -> Result<BTreeMap<String, PathBuf>> {
    let mut folders = BTreeMap::new();
    for volume in &fields.pod.spec.volumes {
        let path = folder.join(&volume.name);
        make(&path)?;
        for (name, content) in files(volume, fields, kubectl)? {
            let file = path.join(name);
            make(file.parent().unwrap_or(&path))?;
            fs::write(&file, content).context(|| format!("cannot write {}", file.display()))?;
        }
        folders.insert(volume.name.clone(), path);
    }
    Ok(folders)
}

/// Creates a folder in which every user may write, as the containers run as several.
fn make(path: &Path) -> Result<()> {
    fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o777)))
        .context(|| format!("cannot create {}", path.display()))?;
    Ok(())
}

fn files(volume: &Volume, fields: &Fields<'_>, kubectl: &Kubectl) -> Result<Files> {
    if volume.empty_dir.is_some() {
        return Ok(Files::new());
    }
    if let Some(projected) = &volume.projected {
        let mut all = Files::new();
        for source in &projected.sources {
            all.extend(projection(source, &volume.name, fields, kubectl)?);
        }
        return Ok(all);
    }
    projection(&volume.content, &volume.name, fields, kubectl)
}

fn projection(
    source: &Projection,
    volume: &str,
    fields: &Fields<'_>,
    kubectl: &Kubectl,
) -> Result<Files> {
    let namespace = &fields.pod.metadata.namespace;
    let object = |kind: &str, reference: &Reference| -> Result<Files> {
        let object = format!("{kind}/{}", reference.name);
        let found = match reference.optional {
            true => kubectl.find(namespace, &object)?,
            // istiod and the controllers create some ConfigMaps shortly after the namespace.
            false => Some(kubectl.until(&object, || kubectl.find(namespace, &object))?),
        };
        let content: Content = found.unwrap_or_default();
        let decoded = decode(content, kind == "secret").ok_or_else(|| {
            fields
                .pod
                .error(format!("{object} has data that is not Base64"))
        })?;
        Ok(select(decoded, reference))
    };
    if let Some(reference) = &source.config_map {
        return object("configmap", reference);
    }
    if let Some(reference) = &source.secret {
        return object("secret", reference);
    }
    if let Some(wanted) = &source.service_account_token {
        let token = token(wanted, fields, kubectl)?;
        return Ok(Files::from([(wanted.path.clone(), token.into_bytes())]));
    }
    let Some(downward) = &source.downward_api else {
        let reason = format!("the kind of volume {volume} is not supported");
        return Err(fields.pod.error(reason));
    };
    let mut files = Files::new();
    for item in &downward.items {
        let field = item.field_ref.as_ref().ok_or_else(|| {
            let reason = format!("{} of volume {volume} is not a field", item.path);
            fields.pod.error(reason)
        })?;
        files.insert(item.path.clone(), fields.file(field)?.into_bytes());
    }
    Ok(files)
}

fn token(wanted: &Token, fields: &Fields<'_>, kubectl: &Kubectl) -> Result<String> {
    let pod = fields.pod;
    let mut arguments = vec![
        "create".to_owned(),
        "token".to_owned(),
        pod.spec.service_account_name.clone(),
        format!("--namespace={}", pod.metadata.namespace),
        "--bound-object-kind=Pod".to_owned(),
        format!("--bound-object-name={}", pod.metadata.name),
    ];
    arguments.extend(wanted.audience.iter().map(|it| format!("--audience={it}")));
    let seconds = wanted.expiration_seconds.iter();
    arguments.extend(seconds.map(|seconds| format!("--duration={seconds}s")));
    Ok(kubectl.run(&arguments)?.trim().to_owned())
}

/// The files of a ConfigMap or a Secret. All data of a Secret is Base64.
fn decode(content: Content, is_secret: bool) -> Option<Files> {
    let mut files = Files::new();
    for (name, text) in content.data {
        let bytes = if is_secret {
            STANDARD.decode(text).ok()?
        } else {
            text.into_bytes()
        };
        files.insert(name, bytes);
    }
    for (name, text) in content.binary_data {
        files.insert(name, STANDARD.decode(text).ok()?);
    }
    Some(files)
}

/// The files that a reference names, under the names that it gives them; all if it names none.
fn select(mut files: Files, reference: &Reference) -> Files {
    if reference.items.is_empty() {
        return files;
    }
    let items = reference.items.iter();
    items
        .filter_map(|item| Some((item.path.clone(), files.remove(&item.key)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_config_map_has_text_and_bytes() {
        let content = json!({ "data": { "a": "text" }, "binaryData": { "b": "AGFzbQ==" } });
        let files = decode(serde_json::from_value(content).unwrap(), false).unwrap();
        assert_eq!(files["a"], b"text");
        assert_eq!(files["b"], b"\0asm");
        let items = json!({ "name": "x", "items": [{ "key": "b", "path": "dir/module.wasm" }] });
        let selected = select(files, &serde_json::from_value(items).unwrap());
        let expected = Files::from([("dir/module.wasm".to_owned(), b"\0asm".to_vec())]);
        assert_eq!(selected, expected);
    }

    #[test]
    fn a_secret_is_base64() {
        let content = json!({ "data": { "key": "c2VjcmV0" } });
        let files = decode(serde_json::from_value(content).unwrap(), true).unwrap();
        assert_eq!(files["key"], b"secret");
        let content = json!({ "data": { "key": "?" } });
        assert!(decode(serde_json::from_value(content).unwrap(), true).is_none());
    }

    #[test]
    fn each_kind_of_volume_is_parsed() {
        let volumes = json!([
            { "name": "data", "emptyDir": { "medium": "Memory" } },
            { "name": "module", "configMap": { "name": "tcp-peer-stats" } },
            { "name": "certificates", "secret": { "secretName": "cacerts", "optional": true } },
            { "name": "info", "downwardAPI": { "items": [{ "path": "labels", "fieldRef": { "fieldPath": "metadata.labels" } }] } },
            { "name": "token", "projected": { "sources": [{ "serviceAccountToken": { "path": "istio-token", "audience": "istio-ca", "expirationSeconds": 43200 } }] } },
        ]);
        let volumes: Vec<Volume> = serde_json::from_value(volumes).unwrap();
        let [data, module, certificates, info, token] = volumes.as_slice() else {
            panic!("{volumes:?}");
        };
        assert!(data.empty_dir.is_some() && module.empty_dir.is_none());
        assert_eq!(
            module.content.config_map.as_ref().unwrap().name,
            "tcp-peer-stats"
        );
        let secret = certificates.content.secret.as_ref().unwrap();
        assert!(secret.optional && secret.name == "cacerts");
        assert_eq!(
            info.content.downward_api.as_ref().unwrap().items[0].path,
            "labels"
        );
        let source = &token.projected.as_ref().unwrap().sources[0];
        let token = source.service_account_token.as_ref().unwrap();
        assert_eq!(token.audience.as_deref(), Some("istio-ca"));
    }
}
