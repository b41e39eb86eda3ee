//! The module in a tar.gz layer of an image, read by the rules of an Istio agent.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use tar::Archive;

/// The name of the module in a layer, in any folder.
pub(crate) const PLUGIN: &str = "plugin.wasm";

/// The module in a layer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plugin {
    /// The bytes of `plugin.wasm`.
    pub(crate) module: Vec<u8>,
    /// The error in the gzip stream after the module. An agent does not read that far.
    pub(crate) damage: Option<String>,
}

/// Unpacks the module from a layer, from at most `limit` unpacked bytes: the limit of an agent.
///
/// # Errors
/// The reason why an agent finds no module, for a message.
pub(crate) fn plugin(layer: &[u8], limit: u64) -> Result<Plugin, String> {
    // Parallel compressors write several gzip members, and the agent reads all of them.
    let unpacked = MultiGzDecoder::new(layer).take(limit);
    let mut archive = Archive::new(unpacked);
    let found = find(&mut archive, limit);
    let mut rest = archive.into_inner();
    match found {
        Ok(Some(module)) => Ok(Plugin {
            module,
            damage: io::copy(&mut rest, &mut io::sink())
                .err()
                .map(|error| error.to_string()),
        }),
        Ok(None) | Err(_) if rest.limit() == 0 => Err(format!(
            "{PLUGIN} is not in the first {limit} bytes of its last layer, and an agent unpacks no more"
        )),
        Ok(None) => Err(format!("its last layer has no {PLUGIN}")),
        Err(error) => Err(format!(
            "its last layer cannot be unpacked as tar.gz: {error}"
        )),
    }
}

fn find(archive: &mut Archive<impl Read>, limit: u64) -> io::Result<Option<Vec<u8>>> {
    for entry in archive.entries()? {
        let mut entry = entry?;
        if !is_plugin(&entry.path_bytes()) {
            continue;
        }
        let size = entry.size();
        if size > limit {
            return Err(io::Error::other(format!(
                "{PLUGIN} has {size} bytes, and an agent unpacks no more than {limit}"
            )));
        }
        let mut module = Vec::new();
        entry.read_to_end(&mut module)?;
        let found = module.len();
        // The reader of an entry ends without an error where the archive ends.
        if u64::try_from(found).ok() != Some(size) {
            return Err(io::Error::other(format!(
                "{PLUGIN} ends after {found} of {size} bytes"
            )));
        }
        return Ok(Some(module));
    }
    Ok(None)
}

/// Whether the last part of a path is the module's name, as Go's `filepath.Base` reads it.
fn is_plugin(path: &[u8]) -> bool {
    let end = path.iter().rposition(|&byte| byte != b'/');
    let path = end.and_then(|end| path.get(..=end)).unwrap_or_default();
    path.rsplit(|&byte| byte == b'/').next() == Some(PLUGIN.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{Builder, Header};

    use super::*;

    const LIMIT: u64 = 1 << 20;

    fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = Builder::new(Vec::new());
        for (name, bytes) in files {
            let mut header = Header::new_ustar();
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, name, *bytes).unwrap();
        }
        tar.into_inner().unwrap()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    }

    /// 3,000 bytes that a compressor cannot shorten much.
    fn module() -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..3000).map(|_| next()).collect()
    }

    fn taken(layer: &[u8]) -> Vec<u8> {
        let plugin = plugin(layer, LIMIT).unwrap();
        assert_eq!(plugin.damage, None);
        plugin.module
    }

    #[test]
    fn several_gzip_members_are_one_stream() {
        let module = module();
        let tar = tar(&[("pad", &[0; 700]), ("./plugin.wasm", &module)]);
        assert_eq!(taken(&gzip(&tar)), module);
        // Cuts in a header, at the start of the module, in it, and after it.
        for cut in [1, 512, 1800, 2048, 4000, 5048, tar.len() - 1] {
            let (first, second) = tar.split_at(cut);
            let layer = [gzip(first), gzip(&[]), gzip(second)].concat();
            assert_eq!(taken(&layer), module, "{cut}");
        }
    }

    #[test]
    fn the_last_part_of_the_path_is_compared() {
        let module = module();
        for (name, is_taken) in [
            ("plugin.wasm", true),
            ("a/b/plugin.wasm", true),
            ("my-plugin.wasm", false),
            ("plugin.wasm/readme", false),
            ("plugin.wasm.sig", false),
        ] {
            let layer = gzip(&tar(&[(name, &module)]));
            match plugin(&layer, LIMIT) {
                Ok(plugin) => assert!(is_taken && plugin.module == module, "{name}"),
                Err(refusal) => {
                    assert!(!is_taken, "{name}: {refusal}");
                    assert_eq!(refusal, "its last layer has no plugin.wasm");
                }
            }
        }
    }

    #[test]
    fn a_tar_that_is_cut_short_gives_no_module() {
        let module = module();
        let tar = tar(&[("pad", &[0; 700]), ("plugin.wasm", &module)]);
        // Header 512, content 1024, header 512, content 3000.
        for (length, reason) in [
            (100, "cannot be unpacked as tar.gz"),
            (512, "cannot be unpacked as tar.gz"),
            (600, "cannot be unpacked as tar.gz"),
            (1536, "has no plugin.wasm"),
            (1600, "cannot be unpacked as tar.gz"),
            (2048, "plugin.wasm ends after 0 of 3000 bytes"),
            (3548, "plugin.wasm ends after 1500 of 3000 bytes"),
            (5047, "plugin.wasm ends after 2999 of 3000 bytes"),
        ] {
            let refusal = plugin(&gzip(&tar[..length]), LIMIT).unwrap_err();
            assert!(refusal.contains(reason), "{length}: {refusal}");
        }
        // Bytes after the module are not read: no padding, no end of the archive.
        assert_eq!(taken(&gzip(&tar[..5048])), module);
    }

    #[test]
    fn a_gzip_stream_that_is_cut_short_is_reported_for_each_cut() {
        let tar = tar(&[("plugin.wasm", &module())]);
        let layer = gzip(&tar);
        for length in [0, 5, 20, layer.len() / 2, layer.len() - 600] {
            let refusal = plugin(&layer[..length], LIMIT).unwrap_err();
            assert!(
                refusal.contains("cannot be unpacked"),
                "{length}: {refusal}"
            );
        }
        // The module is complete, and the checksum after it is not.
        for length in [layer.len() - 8, layer.len() - 1] {
            let plugin = plugin(&layer[..length], LIMIT).unwrap();
            assert!(plugin.damage.is_some(), "{length}");
        }
    }

    #[test]
    fn bytes_after_the_gzip_stream_are_reported() {
        let layer = gzip(&tar(&[("plugin.wasm", &module())]));
        for garbage in [&b"garbage"[..], &[0; 512], &[0x1f, 0x8b], &layer[..40]] {
            let plugin = plugin(&[&layer[..], garbage].concat(), LIMIT).unwrap();
            assert_eq!(plugin.module, module());
            assert!(plugin.damage.is_some(), "{garbage:?}");
        }
        let mut wrong = layer;
        let checksum = wrong.len() - 8;
        wrong[checksum] ^= 1;
        assert!(plugin(&wrong, LIMIT).unwrap().damage.is_some());
    }

    #[test]
    fn an_agent_unpacks_no_more_than_its_limit() {
        let module = module();
        let layer = gzip(&tar(&[("pad", &[0; 700]), ("plugin.wasm", &module)]));
        let end = 512 + 1024 + 512 + 3000;
        assert_eq!(plugin(&layer, end).unwrap().module, module);
        for (limit, reason) in [
            (end - 1, "not in the first 5047 bytes"),
            (
                2500,
                "plugin.wasm has 3000 bytes, and an agent unpacks no more than 2500",
            ),
            (2048, "not in the first 2048 bytes"),
            (1600, "not in the first 1600 bytes"),
            (1536, "not in the first 1536 bytes"),
            (0, "not in the first 0 bytes"),
        ] {
            let refusal = plugin(&layer, limit).unwrap_err();
            assert!(refusal.contains(reason), "{limit}: {refusal}");
        }
    }

    /// A header may state any size: no memory is allocated for it.
    #[test]
    fn a_size_larger_than_any_memory_is_refused() {
        let mut header = Header::new_gnu();
        header.set_path("plugin.wasm").unwrap();
        header.set_size(1 << 60);
        header.set_cksum();
        let refusal = plugin(&gzip(header.as_bytes()), 1 << 28).unwrap_err();
        assert!(refusal.contains("1152921504606846976 bytes"), "{refusal}");
    }
}
