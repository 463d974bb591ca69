//! A tar archive (ustar), written the same way every time: no owner, no time.

use anyhow::{Result, bail};

const BLOCK_BYTES: usize = 512;
/// What the two name fields of the format hold.
const NAME_BYTES_MAX: usize = 100;
const PREFIX_BYTES_MAX: usize = 155;

/// An archive in memory. The same entries in the same order give the same bytes.
#[derive(Debug, Default)]
pub(crate) struct Archive {
    bytes: Vec<u8>,
}

impl Archive {
    /// Adds a folder.
    pub(crate) fn folder(&mut self, name: &str, mode: u32) -> Result<()> {
        self.entry(name, mode, b'5', "", &[])
    }

    /// Adds a symbolic link.
    pub(crate) fn link(&mut self, name: &str, target: &str) -> Result<()> {
        self.entry(name, 0o777, b'2', target, &[])
    }

    /// Adds a file.
    pub(crate) fn file(&mut self, name: &str, mode: u32, content: &[u8]) -> Result<()> {
        self.entry(name, mode, b'0', "", content)
    }

    /// The finished archive: two empty blocks mark its end.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 2 * BLOCK_BYTES, 0);
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: u32, kind: u8, target: &str, content: &[u8]) -> Result<()> {
        let (prefix, name) = split_name(name)?;
        if target.len() > NAME_BYTES_MAX {
            bail!("link target {target} is longer than {NAME_BYTES_MAX} bytes");
        }
        let mut header = [0_u8; BLOCK_BYTES];
        put(&mut header, 0, name.as_bytes());
        put(&mut header, 100, format!("{mode:07o}").as_bytes());
        put(&mut header, 108, b"0000000"); // user: root
        put(&mut header, 116, b"0000000"); // group: root
        put(&mut header, 124, format!("{:011o}", content.len()).as_bytes());
        put(&mut header, 136, b"00000000000"); // time: never changes the hash
        put(&mut header, 148, b"        "); // the checksum counts as spaces
        put(&mut header, 156, &[kind]);
        put(&mut header, 157, target.as_bytes());
        put(&mut header, 257, b"ustar\x0000");
        put(&mut header, 345, prefix.as_bytes());
        let checksum: u32 = header.iter().copied().map(u32::from).sum();
        put(&mut header, 148, format!("{checksum:06o}\0 ").as_bytes());
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(BLOCK_BYTES), 0);
        Ok(())
    }
}

fn put(header: &mut [u8; BLOCK_BYTES], at: usize, bytes: &[u8]) {
    for (to, from) in header.iter_mut().skip(at).zip(bytes) {
        *to = *from;
    }
}

/// A long name is cut at a slash: its beginning goes into the prefix field.
fn split_name(name: &str) -> Result<(&str, &str)> {
    if name.len() <= NAME_BYTES_MAX {
        return Ok(("", name));
    }
    name.match_indices('/')
        .filter_map(|(at, _)| Some((name.get(..at)?, name.get(at + 1..)?)))
        .find(|(prefix, rest)| prefix.len() <= PREFIX_BYTES_MAX && rest.len() <= NAME_BYTES_MAX)
        .ok_or_else(|| anyhow::anyhow!("{name} is too long for a tar archive"))
}

#[cfg(test)]
mod tests {
    use super::Archive;
    use std::{io::Write, process};

    /// What the system's tar reads from it.
    fn listed(archive: Archive) -> String {
        let mut tar = process::Command::new("tar")
            .args(["--list", "--verbose", "--file=-"])
            .env("TZ", "UTC")
            .stdin(process::Stdio::piped())
            .stdout(process::Stdio::piped())
            .spawn()
            .unwrap();
        tar.stdin.take().unwrap().write_all(&archive.finish()).unwrap();
        String::from_utf8(tar.wait_with_output().unwrap().stdout).unwrap()
    }

    #[test]
    fn tar_reads_what_we_write() {
        let long = format!("{}/{}", "d".repeat(90), "f".repeat(90));
        let mut archive = Archive::default();
        archive.folder("bin", 0o755).unwrap();
        archive.file("bin/busybox", 0o755, &[7; 600]).unwrap();
        archive.link("bin/sh", "busybox").unwrap();
        archive.file(&long, 0o644, b"x").unwrap();
        let listed = listed(archive);
        let lines: Vec<&str> = listed.lines().collect();
        assert_eq!(lines.len(), 4, "{listed}");
        assert!(lines[0].starts_with("drwxr-xr-x 0/0"), "{listed}");
        assert!(
            lines[1].contains("-rwxr-xr-x 0/0") && lines[1].contains(" 600 1970-01-01"),
            "{listed}"
        );
        assert!(lines[2].ends_with("bin/sh -> busybox"), "{listed}");
        assert!(lines[3].ends_with(&long), "{listed}");
    }

    #[test]
    fn a_name_that_does_not_fit_is_refused() {
        assert!(Archive::default().file(&"x".repeat(101), 0o644, b"").is_err());
    }
}
