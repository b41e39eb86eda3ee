//! Layouts as other tools write them: without tags, with several tags, and with the images of an
//! index in the index of the layout.

use std::slice;

use mesh::Scratch;
use serde_json::{Value, json};

use crate::command::{Result, done, inspect, oci, refused};
use crate::content::{Content, INDEX, MANIFEST, on, tagged};

/// The names and digests in the output of `inspect` for a layout.
fn found(content: &Content, entries: &[Value]) -> Result<Vec<(Value, Value)>> {
    let scratch = Scratch::new("oci-layouts")?;
    let images = inspect(&content.layout(scratch.path(), entries)?)?;
    let images = images.into_iter();
    Ok(images
        .map(|image| (image["name"].clone(), image["manifest_digest"].clone()))
        .collect())
}

#[test]
fn an_image_without_a_tag_is_found_by_its_digest() -> Result {
    let mut content = Content::default();
    let (one, two) = (content.good("one"), content.good("two"));
    let digests = [&one, &two].map(|entry| entry["digest"].clone());
    let expected = digests.clone().map(|digest| (digest.clone(), digest));
    assert_eq!(found(&content, slice::from_ref(&one))?, expected[..1]);
    assert_eq!(found(&content, &[one.clone(), two.clone()])?, expected);
    // Other annotations are not names of images.
    let mut annotated = one.clone();
    annotated["annotations"] = json!({ "org.opencontainers.image.created": "now" });
    assert_eq!(found(&content, &[annotated])?, expected[..1]);
    let tag = (json!("1"), digests[1].clone());
    assert_eq!(
        found(&content, &[one.clone(), tagged(two, "1")])?,
        [expected[0].clone(), tag]
    );
    let index = content.index(INDEX, &[one]);
    let named = (index["digest"].clone(), digests[0].clone());
    assert_eq!(found(&content, &[index])?, [named]);
    Ok(())
}

#[test]
fn each_tag_is_an_image() -> Result {
    let mut content = Content::default();
    let (one, two) = (content.good("one"), content.good("two"));
    let entries = [
        tagged(one.clone(), "1"),
        tagged(two.clone(), "2"),
        tagged(two.clone(), "latest"),
        tagged(one.clone(), "docker.io/me/x:1"),
    ];
    let names: Vec<_> = found(&content, &entries)?;
    let expected = [
        ("1", &one),
        ("2", &two),
        ("latest", &two),
        ("docker.io/me/x:1", &one),
    ]
    .map(|(tag, entry)| (json!(tag), entry["digest"].clone()));
    assert_eq!(names, expected);
    Ok(())
}

/// An image index becomes such a layout if it is written as the index of a layout.
#[test]
fn of_several_platforms_linux_amd64_is_selected() -> Result {
    let mut content = Content::default();
    let (arm, amd) = (content.good("arm"), content.good("amd"));
    let (arm, amd) = (on(arm, "linux/arm64"), on(amd, "linux/amd64"));
    let digest = amd["digest"].clone();
    let all = [content.attestation(), arm.clone(), amd.clone()];
    assert_eq!(found(&content, &all)?, [(digest.clone(), digest.clone())]);
    let tagged_all = [tagged(arm.clone(), "1"), tagged(amd, "1")];
    assert_eq!(found(&content, &tagged_all)?, [(json!("1"), digest)]);
    // A single image is selected for any platform.
    let digest = arm["digest"].clone();
    assert_eq!(
        found(&content, slice::from_ref(&arm))?,
        [(digest.clone(), digest)]
    );

    let scratch = Scratch::new("oci-layout-arm")?;
    let s390x = on(content.good("s390x"), "linux/s390x");
    let layout = content.layout(scratch.path(), &[arm, s390x])?;
    let text = refused(&mut oci(["inspect", &layout]))?;
    assert!(text.contains("it has linux/arm64, linux/s390x."), "{text}");
    Ok(())
}

#[test]
fn referrers_and_attestations_are_not_images() -> Result {
    let mut content = Content::default();
    let image = content.good("{}");
    let empty = content.put("application/vnd.oci.empty.v1+json", b"{}");
    let referrer = content.put_manifest(
        MANIFEST,
        json!({ "config": empty, "layers": [empty], "subject": image }),
    );
    let digest = image["digest"].clone();
    let tag = digest.as_str().ok_or("no digest")?.replace(':', "-");
    let entries = [
        image,
        referrer.clone(),
        tagged(referrer.clone(), &tag),
        tagged(referrer.clone(), &format!("{tag}.att")),
        content.attestation(),
    ];
    assert_eq!(found(&content, &entries)?, [(digest.clone(), digest)]);

    let scratch = Scratch::new("oci-layout-referrers")?;
    let layout = content.layout(scratch.path(), &[referrer])?;
    let text = refused(&mut oci(["inspect", &layout]))?;
    assert!(text.contains("its index names no image"), "{text}");
    Ok(())
}

/// The text output contains the index and the image.
#[test]
fn the_index_is_shown() -> Result {
    let scratch = Scratch::new("oci-layout-text")?;
    let mut content = Content::default();
    let image = content.good("{}");
    let index = content.index(INDEX, slice::from_ref(&image));
    let layout = content.layout(scratch.path(), &[tagged(index.clone(), "1")])?;
    let text = done(&mut oci(["inspect", &layout]))?;
    let digest = |entry: &Value| {
        entry["digest"]
            .as_str()
            .map(str::to_owned)
            .unwrap_or_default()
    };
    let lines = [
        "image            1".to_owned(),
        "  variant        compat".to_owned(),
        format!("  digest         {}", digest(&image)),
        format!("  of the index   {}", digest(&index)),
    ];
    assert!(text.starts_with(&lines.join("\n")), "{text}");
    Ok(())
}

#[test]
fn a_digest_of_another_kind_is_reported() -> Result {
    let scratch = Scratch::new("oci-layout-sha512")?;
    let mut content = Content::default();
    let mut image = content.good("{}");
    image["digest"] = json!(format!("sha512:{}", "0".repeat(128)));
    let layout = content.layout(scratch.path(), &[image])?;
    let text = refused(&mut oci(["inspect", &layout]))?;
    assert!(text.contains("is not a SHA-256 digest"), "{text}");
    Ok(())
}
