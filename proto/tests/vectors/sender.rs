use serde_json::Value as Json;

use crate::check::{FormatError, Mismatch, Verdict, compare, show_bytes};
use crate::fields::Fields;
use crate::json;
use peer_exchange::{Locality, Node, Style};

/// Checks a sender vector.
pub(crate) fn check(vector: &Fields<'_>) -> Verdict {
    let style = vector.read("style", "`istio-1.7` or `modern`", style)?;
    let style = vector.required("style", style)?;
    let labels = vector.read("additional_labels", "a list of strings", strings)?;
    let expected = vector.bytes("hex")?;
    let fields = vector.object("struct")?.map(json::to_struct);

    let node = vector.child("node")?;
    let node = vector.required("node", node)?;
    let metadata = node
        .object("metadata")?
        .map(json::to_struct)
        .unwrap_or_default();
    let locality = node.child("locality")?;
    let part = |name| match &locality {
        Some(locality) => Ok(locality.optional_string(name)?.unwrap_or_default()),
        None => Ok::<_, FormatError>(""),
    };
    let node = Node {
        id: node.optional_string("id")?.unwrap_or_default(),
        metadata: &metadata,
        locality: Locality {
            region: part("region")?,
            zone: part("zone")?,
        },
    };

    let frame = node.frame(style, &labels.unwrap_or_default());
    let verdict = || -> Result<(), Mismatch> {
        if let Some(fields) = &fields {
            let show = |fields: &_| json::from_struct(fields).to_string();
            compare("struct", fields, &frame.fields, show)?;
        }
        compare("frame", expected.as_slice(), &frame.encode(), show_bytes)
    };
    Ok(verdict())
}

fn style(json: &Json) -> Option<Style> {
    match json.as_str()? {
        "istio-1.7" => Some(Style::Istio17),
        "modern" => Some(Style::Modern),
        _ => None,
    }
}

fn strings(json: &Json) -> Option<Vec<String>> {
    json.as_array()?
        .iter()
        .map(|json| Some(json.as_str()?.to_owned()))
        .collect()
}
